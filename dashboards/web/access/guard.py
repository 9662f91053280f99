"""What every route says: who may use it. A route that does not say is refused when the program starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute

from dashboards.web.access import csrf
from dashboards.web.access.doors import Door
from dashboards.web.access.gate import gate_of
from dashboards.web.access.people import WHOLE, Person, Role, TokenScope
from dashboards.web.errors import ForbiddenError, StrangerError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
COUNTED = ("/api/", "/-/")
"""Beginnings of paths that nobody may ask for as often as they like."""


@dataclass(frozen=True)
class Guard:
    """Lets in whoever has a role: their `Person` is what the route gets.

    A token needs the scope of the role besides, or the narrower one that the route names.
    """

    role: Role
    scope: TokenScope | None = None

    async def __call__(self, request: Request) -> Person:
        door: Door = request.app.state.door
        person = await run_in_threadpool(door.person, request)
        if person is None:
            raise StrangerError
        request.state.person = person
        if request.url.path.startswith(COUNTED):
            gate_of(request).limits.api.take(person.key)
        self._check(person)
        if request.method not in SAFE and person.ambient:
            await csrf.check(request)
        return person

    def _check(self, person: Person) -> None:
        if person.role < self.role:
            raise ForbiddenError(f"this is for a {self.role.word}; {person.name} is a {person.role.word}")
        if person.scopes is not None and not person.scopes & self.scopes:
            raise ForbiddenError(f"this needs the scope {' or '.join(sorted(self.scopes))}; {person.name} has it not")

    @property
    def scopes(self) -> frozenset[TokenScope]:
        """Of which a token needs one."""
        return frozenset({WHOLE[self.role]} | ({self.scope} if self.scope is not None else set()))


Viewer = Annotated[Person, Depends(Guard(Role.VIEWER))]
Responder = Annotated[Person, Depends(Guard(Role.RESPONDER))]
Admin = Annotated[Person, Depends(Guard(Role.ADMIN))]


@dataclass(frozen=True)
class Entry:
    """One route of an application: where, how, and who may use it."""

    path: str
    methods: frozenset[str]
    guard: Guard | None


def entries(routes: Sequence[BaseRoute]) -> list[Entry]:
    """All routes of an application, those of included routers under their whole paths."""
    return [
        Entry(route.path or "", frozenset(route.methods or ()), _guard(getattr(route, "dependant", None)))
        for route in iter_route_contexts(routes)
    ]


def _guard(dependant: Dependant | None) -> Guard | None:
    """Who may use a route; None where it does not say."""
    if dependant is None:
        return None
    return next((call for call in _calls(dependant) if isinstance(call, Guard)), None)


def _calls(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)


def unguarded(routes: Sequence[BaseRoute], public: frozenset[str]) -> list[str]:
    """Paths that neither say who may use them nor are meant for everybody."""
    return [entry.path for entry in entries(routes) if entry.guard is None and entry.path not in public]
