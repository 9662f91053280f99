"""The first page: how every rule stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from dashboards.views import overview as views
from dashboards.views.overview import OverviewPage
from dashboards.web.access.guard import Viewer
from dashboards.web.export import as_csv
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["overview"])

Owner = Annotated[str | None, Query(max_length=200, description="Rules of this owner alone.")]


@router.get("/")
def page(request: Request, person: Viewer, here: Here, owner: Owner = None) -> Response:
    """Every rule on one page."""
    shown = here.ports.overview.overview(here.now(), owner or None)
    return here.page(request, "overview.html", person, view=shown, owner=owner or "")


@router.get("/overview.csv")
def csv(_: Viewer, here: Here, owner: Owner = None) -> Response:
    """One row a rule."""
    return as_csv(views.table(here.ports.overview.overview(here.now(), owner or None)), "overview")


@api.get("/overview")
def overview(_: Viewer, here: Here, owner: Owner = None) -> OverviewPage:
    """How every rule stands."""
    return here.ports.overview.overview(here.now(), owner or None)
