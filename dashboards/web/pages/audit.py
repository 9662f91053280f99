"""The log of what people did, and of what programs did in their name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from dashboards.views import audit as views
from dashboards.views.audit import AuditPage
from dashboards.web.access.guard import Viewer
from dashboards.web.asked import NO_NUL
from dashboards.web.export import as_csv
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["audit"])

Who = Annotated[str | None, Query(max_length=200, pattern=NO_NUL, description="A part of a name or an id.")]
Page = Annotated[int, Query(ge=0, le=100_000, description="Which hundred, from 0.")]


@router.get("/audit")
def page(request: Request, person: Viewer, here: Here, who: Who = None, page: Page = 0) -> Response:
    """Newest first."""
    return here.page(request, "audit.html", person, view=here.ports.audit.audit(who or None, page), who=who or "")


@router.get("/audit.csv")
def csv(_: Viewer, here: Here, who: Who = None, page: Page = 0) -> Response:
    """One row an action."""
    return as_csv(views.table(here.ports.audit.audit(who or None, page)), "audit")


@api.get("/audit")
def audit(_: Viewer, here: Here, who: Who = None, page: Page = 0) -> AuditPage:
    """Who did what, newest first."""
    return here.ports.audit.audit(who or None, page)
