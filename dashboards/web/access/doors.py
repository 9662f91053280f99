"""Ways in. A door says who asks, or that it does not know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastapi import Request

from dashboards.web.access.addresses import is_loopback
from dashboards.web.access.people import Person, Role, Via
from dashboards.web.errors import StrangerError

HANDED_ON = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers that proxies add."""
ELSEWHERE = "without sign-in slicewatch answers at localhost alone; docs/dashboards.md says how others get in"
THROUGH_A_PROXY = "without sign-in slicewatch answers no proxy; docs/dashboards.md says how others get in"


class Door(Protocol):
    """Tells people from strangers."""

    def person(self, request: Request) -> Person | None:
        """Whoever asks; None for a stranger. `StrangerError` says besides why somebody is one."""
        ...

    def sign_in_url(self, request: Request) -> str | None:
        """Where a stranger becomes somebody; None where there is no such place."""
        ...


@dataclass(frozen=True)
class Loopback:
    """Nobody signs in: whoever is on this machine may do everything, and nobody else reaches it.

    Requests must name this machine as their host: a page elsewhere whose name is made to point here gets nothing. Those
    that a proxy hands on get nothing either: through one on this machine everybody would come from here.
    """

    def person(self, request: Request) -> Person | None:
        client = request.client.host if request.client is not None else ""
        if not (is_loopback(client) and is_loopback(request.url.hostname or "")):
            raise StrangerError(ELSEWHERE)
        if any(name in request.headers for name in HANDED_ON):
            raise StrangerError(THROUGH_A_PROXY)
        return Person("local", "local", Role.ADMIN, Via.LOOPBACK)

    def sign_in_url(self, request: Request) -> str | None:  # noqa: ARG002  # a door's method
        return None
