"""The page of one slice, and its decomposition, which takes a second and so comes after it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from dashboards.views import slice as views
from dashboards.views.slice import Decomposition, SlicePage
from dashboards.web.access.guard import Viewer
from dashboards.web.asked import SliceText, slice_asked
from dashboards.web.drawing.slice import parts, weeks
from dashboards.web.errors import MissingError
from dashboards.web.export import as_csv
from dashboards.web.site import Here, Site
from rules.slices import Slice

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["slices"])

Name = Annotated[str, Query(max_length=200)]
Days = Annotated[Literal["7", "28"], Query(description="How far back.")]
UNKNOWN = "there is no such rule or metric"


def _slice(item: SliceText = "") -> Slice:
    """The slice that is asked for."""
    return slice_asked(item)


Item = Annotated[Slice, Depends(_slice)]


def _page(here: Site, rule: str, metric: str, item: Slice, days: str) -> SlicePage:
    found = here.ports.slice.slice(here.now(), rule, metric, item, int(days))
    if found is None:
        raise MissingError(UNKNOWN)
    return found


@router.get("/slices/one")
def page(
    request: Request, person: Viewer, here: Here, rule: Name, item: Item, metric: Name = "", days: Days = "7"
) -> Response:
    """One slice over the last weeks."""
    shown = _page(here, rule, metric, item, days)
    figure = None if shown.curve is None else weeks(shown, shown.curve)
    slider = {"fires": shown.fires_at, "steps": [[step.budget, step.threshold] for step in shown.steps]}
    return here.page(request, "slice.html", person, view=shown, figure=figure, slider=slider)


@router.get("/slices/one.csv")
def csv(_: Viewer, here: Here, rule: Name, item: Item, metric: Name = "", days: Days = "7") -> Response:
    """One row a bucket."""
    return as_csv(views.table(_page(here, rule, metric, item, days)), "slice")


@router.get("/slices/one/decomposition")
def decomposition_part(
    request: Request, person: Viewer, here: Here, rule: Name, item: Item, metric: Name = ""
) -> Response:
    """The chart of its parts, for the page to put in."""
    found = here.ports.slice.decomposition(here.now(), rule, metric, item)
    figure = None if found is None else parts(found)
    return here.page(request, "parts/decomposition.html", person, found=found, figure=figure)


@api.get("/slices/one")
def one(_: Viewer, here: Here, rule: Name, item: Item, metric: Name = "", days: Days = "7") -> SlicePage:
    """One slice over the last weeks, and what would have fired at another sensitivity."""
    return _page(here, rule, metric, item, days)


@api.get("/slices/one/decomposition")
def decomposition(_: Viewer, here: Here, rule: Name, item: Item, metric: Name = "") -> Decomposition:
    """Its buckets as a sum of trend, day, week and rest."""
    found = here.ports.slice.decomposition(here.now(), rule, metric, item)
    if found is None:
        raise MissingError("two weeks of the slice have to be known, in buckets of an hour or more")
    return found
