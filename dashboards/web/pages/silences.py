"""Silences and marks, for programs: a deployment silences what it takes down, and says what it changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from alerts.silences import Scope
from dashboards.views.common import MarkLine, SilenceLine
from dashboards.web.access.guard import Responder, Viewer
from dashboards.web.asked import NAMED, Moment, SliceBody
from dashboards.web.errors import MissingError
from dashboards.web.site import Here
from rules.slices import Slice

router = APIRouter(include_in_schema=False)
api = APIRouter()

LISTED = timedelta(days=30)
"""Marks that are listed where nobody says since when."""

Id = Annotated[str, Path(max_length=64, pattern=NAMED)]
Name = Annotated[str, Field(max_length=200)]


class Concerned(BaseModel):
    """Which rules are meant, and what of them: all that is given must hold."""

    rules: Annotated[str, Field(max_length=200, description="A rule's name, or a pattern such as `playback_*`.")] = "*"
    slice: Annotated[SliceBody, Field(description='Values of dimensions, such as {"device":"ios"}.')] = Slice()
    owner: Name | None = None
    labels: dict[Name, Name] = Field(default_factory=dict, max_length=20)

    @property
    def scope(self) -> Scope:
        """As alerts know it."""
        return Scope(self.rules, self.slice, self.owner, tuple(self.labels.items()))


class NewSilence(Concerned):
    """Nobody is told within [starts, ends)."""

    ends: Moment
    starts: Moment | None = Field(None, description="Now, where it is not given.")
    reason: Annotated[str, Field(max_length=2_000)]


class NewMark(BaseModel):
    """Something changed."""

    text: Annotated[str, Field(max_length=2_000)]
    at: Moment | None = Field(None, description="Now, where it is not given.")
    rules: Annotated[str, Field(max_length=200)] = "*"
    owner: Name | None = None


@api.get("/silences", tags=["silences"])
def silences(_: Viewer, here: Here, *, over: Annotated[bool, Query()] = False) -> tuple[SilenceLine, ...]:
    """Silences that hold or will, the first to end first; with `over`, those that are over too."""
    return tuple(SilenceLine.of(item) for item in here.ports.people.silences(here.now(), over=over))


@api.post("/silences", tags=["silences"], status_code=201)
def add_silence(person: Responder, here: Here, body: NewSilence) -> SilenceLine:
    """Tell nobody of some rules or slices for a while."""
    made = here.ports.people.silence(body.scope, person.actor, here.now(), body.starts, body.ends, body.reason)
    return SilenceLine.of(made)


@api.post("/silences/{name}/end", tags=["silences"])
def end_silence(name: Id, person: Responder, here: Here) -> SilenceLine:
    """End a silence sooner; what is still bad is told then."""
    ended = here.ports.people.end_silence(name, person.actor, here.now())
    if ended is None:
        raise MissingError(f"no silence is called '{name}'")
    return SilenceLine.of(ended)


@api.get("/marks", tags=["marks"])
def marks(_: Viewer, here: Here, since: Annotated[Moment | None, Query()] = None) -> tuple[MarkLine, ...]:
    """What is known to have changed in the last 30 days, or since a moment, oldest first."""
    found = here.ports.people.marks(here.now() - LISTED if since is None else since)
    return tuple(MarkLine.of(item) for item in found)


@api.post("/marks", tags=["marks"], status_code=201)
def add_mark(person: Responder, here: Here, body: NewMark) -> MarkLine:
    """Say that something changed: alerts that begin shortly after name it, and charts show it."""
    now = here.now()
    scope = Scope(body.rules, owner=body.owner)
    return MarkLine.of(here.ports.people.mark(body.text, body.at or now, scope, person.actor, now))


@api.delete("/marks/{name}", tags=["marks"])
def remove_mark(name: Id, person: Responder, here: Here) -> MarkLine:
    """Take a mark back."""
    gone = here.ports.people.remove_mark(name, person.actor, here.now())
    if gone is None:
        raise MissingError(f"no mark is called '{name}'")
    return MarkLine.of(gone)
