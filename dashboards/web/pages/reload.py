"""`POST /-/reload`: for deployments that have just changed rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from dashboards.views.reload import Reloaded
from dashboards.web.access.gate import gate_of
from dashboards.web.access.guard import Guard
from dashboards.web.access.people import Person, Role, TokenScope
from dashboards.web.described import FAILURES
from dashboards.web.site import Here

router = APIRouter()
api = APIRouter()

May = Annotated[Person, Depends(Guard(Role.ADMIN, TokenScope.RELOAD))]


@router.post("/-/reload", tags=["operation"], responses=FAILURES)
def reload(request: Request, person: May, here: Here) -> Reloaded:
    """Read the rule files again, whether they seem to have changed or not."""
    return here.ports.reloader.reload(person.actor, gate_of(request).clock())
