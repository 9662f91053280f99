"""The rules: whose they are, whether they run, what they cost, how loud they are, and what holds for each."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from dashboards.views import rules as views
from dashboards.views.rules import RulePage, RulesPage
from dashboards.web.access.guard import Viewer
from dashboards.web.export import as_csv
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter(tags=["rules"])

Name = Annotated[str, Path(max_length=300, description="A rule's name.")]


@router.get("/rules")
def page(request: Request, person: Viewer, here: Here) -> Response:
    """All of them."""
    return here.page(request, "rules.html", person, view=here.ports.rules.rules(here.now()))


@router.get("/rules.csv")
def csv(_: Viewer, here: Here) -> Response:
    """One row a rule."""
    return as_csv(views.table(here.ports.rules.rules(here.now())), "rules")


@router.get("/rules/{name:path}")
def one(name: Name, request: Request, person: Viewer, here: Here) -> Response:
    """One rule."""
    return here.page(request, "rule.html", person, view=here.ports.rules.rule(name, here.now()))


@api.get("/rules")
def rules(_: Viewer, here: Here) -> RulesPage:
    """All rules, and what nobody watches."""
    return here.ports.rules.rules(here.now())


@api.get("/rules/{name:path}")
def rule(name: Name, _: Viewer, here: Here) -> RulePage:
    """One rule, with all that holds for it and where each value comes from."""
    return here.ports.rules.rule(name, here.now())
