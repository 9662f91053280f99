"""Silences and marks: who is told of nothing for a while, and what is said to have changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from alerts.silences import Scope
from dashboards.views import silences as views
from dashboards.views.common import MarkLine, SilenceLine
from dashboards.views.silences import SilencesPage
from dashboards.web.access.guard import Responder, Viewer
from dashboards.web.access.people import Person
from dashboards.web.asked import NAMED, NO_NUL, Moment, SliceBody, end_of
from dashboards.web.errors import MissingError
from dashboards.web.export import as_csv
from dashboards.web.site import Here, Site
from rules.slices import Slice

router = APIRouter(include_in_schema=False)
api = APIRouter()

LISTED = timedelta(days=30)
"""Marks that are listed where nobody says since when."""

Id = Annotated[str, Path(max_length=64, pattern=NAMED)]
Name = Annotated[str, Field(max_length=200)]
Over = Annotated[bool, Query(description="Those that are over too.")]
Rules = Annotated[str, Form(max_length=200, pattern=NO_NUL)]
Lasting = Annotated[str, Form(max_length=40)]
Text = Annotated[str, Form(max_length=2_000)]


def _read(here: Here, *, over: bool) -> SilencesPage:
    now, people = here.now(), here.ports.people
    silences = (SilenceLine.of(item) for item in people.silences(now, over=over))
    marks = (MarkLine.of(item) for item in reversed(people.marks(now - LISTED)))
    return SilencesPage(now, tuple(silences), tuple(marks), over)


@router.get("/silences")
def page(request: Request, person: Viewer, here: Here, *, over: Over = False) -> Response:
    """Silences that hold or will, and what changed in the last 30 days."""
    return here.page(request, "silences.html", person, view=_read(here, over=over))


@router.get("/silences.csv")
def csv(_: Viewer, here: Here, *, over: Over = False) -> Response:
    """One row a silence."""
    return as_csv(views.table(_read(here, over=over)), "silences")


@router.post("/silences")
def add_silence_form(
    person: Responder, here: Here, rules: Rules = "", lasting: Lasting = "", reason: Text = ""
) -> Response:
    """Tell nobody of some rules from now on, for so long."""
    now = here.now()
    scope = Scope(rules.strip())
    here.ports.people.silence(scope, person.actor, now, None, end_of(lasting.strip(), now), reason)
    return _back()


@router.post("/silences/{name}/end")
def end_silence_form(name: Id, person: Responder, here: Here) -> Response:
    """End a silence sooner."""
    _end(name, person, here)
    return _back()


@router.post("/silences/marks")
def add_mark_form(person: Responder, here: Here, text: Text = "", rules: Rules = "*") -> Response:
    """Say that something changed just now."""
    now = here.now()
    here.ports.people.mark(text, now, Scope(rules.strip() or "*"), person.actor, now)
    return _back()


@router.post("/silences/marks/{name}/remove")
def remove_mark_form(name: Id, person: Responder, here: Here) -> Response:
    """Take a mark back."""
    _take_back(name, person, here)
    return _back()


def _back() -> Response:
    return RedirectResponse("/silences", 303)


def _end(name: str, person: Person, here: Site) -> SilenceLine:
    ended = here.ports.people.end_silence(name, person.actor, here.now())
    if ended is None:
        raise MissingError(f"no silence is called '{name}'")
    return SilenceLine.of(ended)


def _take_back(name: str, person: Person, here: Site) -> MarkLine:
    gone = here.ports.people.remove_mark(name, person.actor, here.now())
    if gone is None:
        raise MissingError(f"no mark is called '{name}'")
    return MarkLine.of(gone)


# --- for programs: a deployment silences what it takes down, and says what it changed ----------------------------


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
def silences(_: Viewer, here: Here, *, over: Over = False) -> tuple[SilenceLine, ...]:
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
    return _end(name, person, here)


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
    return _take_back(name, person, here)
