"""How slicewatch itself does: who watches the watcher looks here."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboards.views import health as views
from dashboards.views.health import HealthPage
from dashboards.web.access.guard import Viewer
from dashboards.web.export import as_csv
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["health"])


@router.get("/health")
def page(request: Request, person: Viewer, here: Here) -> Response:
    """Daemons, evaluations, sources, the store."""
    return here.page(request, "health.html", person, view=here.ports.health.health(here.now()))


@router.get("/health.csv")
def csv(_: Viewer, here: Here) -> Response:
    """One row a rule."""
    return as_csv(views.table(here.ports.health.health(here.now())), "health")


@api.get("/health")
def health(_: Viewer, here: Here) -> HealthPage:
    """How the program itself does."""
    return here.ports.health.health(here.now())
