"""The page of one incident, what people do on it, and what they take along for a post-mortem."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from pydantic import BaseModel, Field, TypeAdapter
from starlette.responses import RedirectResponse, Response

from alerts.model import Feedback
from dashboards.views.common import MarkLine, SilenceLine
from dashboards.views.incident import IncidentPage, Panel
from dashboards.views.people import Done
from dashboards.views.post_mortem import markdown
from dashboards.web.access.guard import Responder, Viewer
from dashboards.web.access.origin import origin_of
from dashboards.web.asked import NAMED, PRINTED
from dashboards.web.drawing.band import Line, Shade, band
from dashboards.web.errors import MissingError
from dashboards.web.site import Here, Site

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["incidents"])

TALL, SMALL = 320, 180
"""Pixels of the cause's chart and of those beside it."""
MOMENTS = 60
"""Seconds for which the page says what was just done."""

WHOLE = TypeAdapter(IncidentPage)

Id = Annotated[str, Path(max_length=64, pattern=NAMED, description="The incident's id.")]
Until = Annotated[str, Form(max_length=40)]
Reason = Annotated[str, Form(max_length=2_000)]


def _page(here: Site, name: str) -> IncidentPage:
    found = here.ports.incident.incident(name, here.now())
    if found is None:
        raise _missing(name)
    return found


def _missing(name: str) -> MissingError:
    return MissingError(f"no incident is called '{name}'")


def _figure(page: IncidentPage, panel: Panel, height: int) -> dict[str, object]:
    shade = Shade("incident", page.line.since, page.line.until)
    lines = [Line(mark.at, mark.text) for mark in page.marks if _inside(panel, mark)]
    return band(panel.curve, height=height, shades=[shade], lines=lines, legend=height == TALL)


def _inside(panel: Panel, mark: MarkLine) -> bool:
    starts = panel.curve.starts
    return bool(starts) and starts[0] <= mark.at <= starts[-1]


@router.get("/incidents/{name}")
def page(request: Request, name: Id, person: Viewer, here: Here) -> Response:
    """One incident, whole."""
    shown = _page(here, name)
    heights = [TALL] + [SMALL] * len(shown.panels)
    figures = [_figure(shown, *pair) for pair in zip(shown.panels, heights, strict=False)]
    did = shown.did
    fresh = did is not None and abs((shown.now - did.at).total_seconds()) <= MOMENTS
    return here.page(request, "incident.html", person, view=shown, figures=figures, did=did if fresh else None)


@router.get("/incidents/{name}/export.md")
def export_md(request: Request, name: Id, _: Viewer, here: Here) -> Response:
    """To begin a post-mortem with."""
    shown = _page(here, name)
    text = markdown(shown, f"{origin_of(request).of(request)}/incidents/{shown.line.id}")
    body = text.encode("utf-8", "backslashreplace")
    return Response(body, media_type="text/markdown; charset=utf-8", headers=_download(shown, "md"))


@router.get("/incidents/{name}/export.json")
def export_json(name: Id, _: Viewer, here: Here) -> Response:
    """The same facts for a program."""
    shown = _page(here, name)
    return Response(WHOLE.dump_json(shown, indent=1), media_type="application/json", headers=_download(shown, "json"))


def _download(shown: IncidentPage, kind: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{shown.line.id}.{kind}"'}


# --- what people do -----------------------------------------------------------------------------------------------


def _back(name: str, done: object | None) -> Response:
    """To the incident's page, which says what was done."""
    if done is None:
        raise _missing(name)
    return RedirectResponse(f"/incidents/{name}", 303)


@router.post("/incidents/{name}/acknowledge")
def acknowledge_form(name: Id, person: Responder, here: Here) -> Response:
    """Somebody works on it."""
    return _back(name, here.ports.people.acknowledge(name, person.actor, here.now()))


@router.post("/incidents/{name}/snooze")
def snooze_form(name: Id, person: Responder, here: Here, choice: Until = "", until: Until = "") -> Response:
    """Nobody wants to hear of it for a while; what is written goes before what is chosen."""
    return _back(name, here.ports.people.snooze(name, person.actor, here.now(), until.strip() or choice))


@router.post("/incidents/{name}/reopen")
def reopen_form(name: Id, person: Responder, here: Here) -> Response:
    """Take an acknowledgement or a snooze back."""
    return _back(name, here.ports.people.reopen(name, person.actor, here.now()))


@router.post("/incidents/{name}/not-a-problem")
def not_a_problem_form(name: Id, person: Responder, here: Here, feedback: Annotated[Feedback, Form()]) -> Response:
    """Close it, and say what that means."""
    return _back(name, here.ports.people.not_a_problem(name, person.actor, here.now(), feedback))


@router.post("/incidents/{name}/silence")
def silence_form(
    name: Id,
    person: Responder,
    here: Here,
    lasting: Until = "",
    reason: Reason = "",
    whole_rule: Annotated[bool, Form()] = False,
) -> Response:
    """Tell nobody of its cause, or of its whole rule, for a while."""
    made = here.ports.people.silence_incident(
        name, person.actor, here.now(), lasting.strip(), reason, whole_rule=whole_rule
    )
    return _back(name, made)


# --- the same for programs ----------------------------------------------------------------------------------------


class Snoozing(BaseModel):
    """How long nobody wants to hear of it."""

    until: Annotated[
        str,
        Field(max_length=40, pattern=PRINTED, description="`30m`, `2h`, `morning`, `resolved`, or an ISO 8601 time."),
    ]


class Dismissing(BaseModel):
    """What "not a problem" means for what is expected from then on."""

    feedback: Feedback


class Silencing(BaseModel):
    """Why, and for how long."""

    lasting: Annotated[str, Field(max_length=40, pattern=PRINTED, description="How long, such as `2h`.")]
    reason: Annotated[str, Field(max_length=2_000)]
    whole_rule: bool = False


def _done(name: str, done: Done | None) -> Done:
    if done is None:
        raise _missing(name)
    return done


@api.get("/incidents/{name}")
def incident(name: Id, _: Viewer, here: Here) -> IncidentPage:
    """All that is known of one incident."""
    return _page(here, name)


@api.post("/incidents/{name}/acknowledge")
def acknowledge(name: Id, person: Responder, here: Here) -> Done:
    """Somebody works on it: it is not repeated until that expires."""
    return _done(name, here.ports.people.acknowledge(name, person.actor, here.now()))


@api.post("/incidents/{name}/snooze")
def snooze(name: Id, person: Responder, here: Here, body: Snoozing) -> Done:
    """Nobody wants to hear of it for a while."""
    return _done(name, here.ports.people.snooze(name, person.actor, here.now(), body.until))


@api.post("/incidents/{name}/reopen")
def reopen(name: Id, person: Responder, here: Here) -> Done:
    """Take an acknowledgement or a snooze back."""
    return _done(name, here.ports.people.reopen(name, person.actor, here.now()))


@api.post("/incidents/{name}/not-a-problem")
def not_a_problem(name: Id, person: Responder, here: Here, body: Dismissing) -> Done:
    """Close it, and say what that means."""
    return _done(name, here.ports.people.not_a_problem(name, person.actor, here.now(), body.feedback))


@api.post("/incidents/{name}/silence")
def silence(name: Id, person: Responder, here: Here, body: Silencing) -> SilenceLine:
    """Tell nobody of its cause, or of its whole rule, for a while."""
    made = here.ports.people.silence_incident(
        name, person.actor, here.now(), body.lasting, body.reason, whole_rule=body.whole_rule
    )
    if made is None:
        raise _missing(name)
    return SilenceLine.of(made)
