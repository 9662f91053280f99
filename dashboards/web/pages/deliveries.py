"""Deliveries: attempts, how long they took, what was given up, and sending that again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from dashboards.views import deliveries as views
from dashboards.views.deliveries import DeliveriesPage, Retried, Standing
from dashboards.web.access.guard import Responder, Viewer
from dashboards.web.asked import NAMED, NO_NUL
from dashboards.web.export import as_csv
from dashboards.web.site import Here
from dashboards.web.templating import link

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["deliveries"])

State = Annotated[Standing | None, Query(description="Only those in this state.")]
Receiver = Annotated[str | None, Query(max_length=200, pattern=NO_NUL, description="Only those for this receiver.")]
Page = Annotated[int, Query(ge=0, le=100_000, description="Which hundred, from 0.")]
Id = Annotated[str, Form(max_length=64, pattern=NO_NUL)]
Named = Annotated[str, Path(max_length=64, pattern=NAMED)]


def _read(here: Here, state: Standing | None, receiver: str | None, page: int) -> DeliveriesPage:
    return here.ports.deliveries.deliveries(here.now(), state, receiver or None, page)


@router.get("/deliveries")
def page(
    request: Request, person: Viewer, here: Here, state: State = None, receiver: Receiver = None, page: Page = 0
) -> Response:
    """All that was sent, newest first."""
    shown = _read(here, state, receiver, page)
    return here.page(
        request, "deliveries.html", person, view=shown, state=state.value if state else "", receiver=receiver or ""
    )


@router.get("/deliveries.csv")
def csv(_: Viewer, here: Here, state: State = None, receiver: Receiver = None, page: Page = 0) -> Response:
    """One row for each part of a message."""
    return as_csv(views.table(_read(here, state, receiver, page)), "deliveries")


@router.post("/deliveries/retry")
def retry_form(person: Responder, here: Here, id: Id = "") -> Response:  # noqa: A002  # the field's name
    """Send again what was given up: one, or all of it."""
    here.ports.deliveries.retry((id,) if id else (), person.actor, here.now())
    return RedirectResponse(link("/deliveries", state="" if id else "dead"), 303)


@api.get("/deliveries")
def deliveries(_: Viewer, here: Here, state: State = None, receiver: Receiver = None, page: Page = 0) -> DeliveriesPage:
    """What was sent, what waits, and what was given up."""
    return _read(here, state, receiver, page)


@api.post("/deliveries/{delivery}/retry")
def retry(delivery: Named, person: Responder, here: Here) -> Retried:
    """Send again one that was given up."""
    return here.ports.deliveries.retry((delivery,), person.actor, here.now())


@api.post("/deliveries/retry")
def retry_all(person: Responder, here: Here) -> Retried:
    """Send again all that was given up."""
    return here.ports.deliveries.retry((), person.actor, here.now())
