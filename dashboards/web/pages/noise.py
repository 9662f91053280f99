"""The noise review: which rules earn their place, and what would make one quieter."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from dashboards.views import noise as views
from dashboards.views.noise import NoisePage, Rehearsed
from dashboards.web.access.guard import Viewer
from dashboards.web.export import as_csv
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["noise"])

Days = Annotated[int, Query(ge=1, le=400, description="Of how many days, back from now.")]
Owner = Annotated[str | None, Query(max_length=200, description="Rules of this owner alone.")]
RuleName = Annotated[str, Query(max_length=300, description="A rule.")]
Key = Annotated[str, Query(max_length=40, description="min_loss, min_change or slices.ignore.")]
Value = Annotated[str, Query(max_length=2_000, description="As the rule's file would write it.")]


@router.get("/noise")
def page(request: Request, person: Viewer, here: Here, days: Days = 28, owner: Owner = None) -> Response:
    """All rules, the least precise first."""
    shown = here.ports.noise.noise(here.now(), days, owner or None)
    return here.page(request, "noise.html", person, view=shown, owner=owner or "")


@router.get("/noise/rehearsal")
def rehearsal_part(request: Request, person: Viewer, here: Here, rule: RuleName, key: Key, value: Value) -> Response:
    """What a suggested change would have told, as a part of the page or as one of its own."""
    found = here.ports.noise.rehearse(rule, key, value, here.now())
    part = "hx-request" in request.headers
    return here.page(request, "parts/rehearsed.html" if part else "rehearsed.html", person, found=found)


@router.get("/noise.csv")
def csv(_: Viewer, here: Here, days: Days = 28, owner: Owner = None) -> Response:
    """One row a rule."""
    return as_csv(views.table(here.ports.noise.noise(here.now(), days, owner or None)), "noise")


@api.get("/noise")
def noise(_: Viewer, here: Here, days: Days = 28, owner: Owner = None) -> NoisePage:
    """What fired, what people made of it, and what would make a rule quieter."""
    return here.ports.noise.noise(here.now(), days, owner or None)


@api.get("/noise/rehearsal")
def rehearsal(_: Viewer, here: Here, rule: RuleName, key: Key, value: Value) -> Rehearsed:
    """What a rule tells of the newest history that is remembered, as it is and with one key changed."""
    return here.ports.noise.rehearse(rule, key, value, here.now())
