"""The heatmap of slices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from dashboards.views import slices as views
from dashboards.views.slices import Asked, HeatmapPage, Order
from dashboards.web.access.guard import Viewer
from dashboards.web.drawing.heat import cells, words
from dashboards.web.errors import MissingError
from dashboards.web.export import as_csv
from dashboards.web.site import Here, Site

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["slices"])

Name = Annotated[str, Query(max_length=200)]


def _asked(
    rule: Name = "",
    metric: Name = "",
    dimension: Name = "",
    text: Annotated[str, Query(max_length=200, description="Parts of `name=value`, parted by spaces.")] = "",
    sort: Order = Order.WORST,
    page: Annotated[int, Query(ge=0, le=100_000, description="Which two hundred, from 0.")] = 0,
) -> Asked:
    """What to show; the first rule where none is named."""
    return Asked(rule, metric, dimension, text, sort, page)


Wanted = Annotated[Asked, Depends(_asked)]


def _page(here: Site, asked: Asked) -> HeatmapPage:
    found = here.ports.heatmap.heatmap(here.now(), asked)
    if found is None:
        raise MissingError("there is no such rule, metric or dimension")
    return found


@router.get("/slices")
def page(request: Request, person: Viewer, here: Here, asked: Wanted) -> Response:
    """All slices of a rule, the worst first."""
    shown = _page(here, asked)
    filters = {"rule": shown.rule, "metric": asked.metric, "dimension": asked.dimension, "text": asked.text}
    return here.page(
        request,
        "slices.html",
        person,
        view=shown,
        asked=asked,
        filters=filters | {"sort": "" if asked.order is Order.WORST else asked.order.value},
        cells=cells(shown),
        words=words,
    )


@router.get("/slices.csv")
def csv(_: Viewer, here: Here, asked: Wanted) -> Response:
    """One row a slice."""
    return as_csv(views.table(_page(here, asked)), "slices")


@api.get("/slices")
def slices(_: Viewer, here: Here, asked: Wanted) -> HeatmapPage:
    """Two hundred slices of one metric of a rule with their newest buckets."""
    return _page(here, asked)
