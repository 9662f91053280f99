"""`/healthz` and `/readyz`, for orchestrators and load balancers: everybody may ask, and nothing sensitive is said."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse

from dashboards.views.probes import ALIVE, READY, Probe
from dashboards.web.site import Here

router = APIRouter(include_in_schema=False)
api = APIRouter()


@router.get(ALIVE)
async def alive(here: Here) -> JSONResponse:
    """Whether the process goes on. On the loop itself: threads that all wait for something else delay no answer."""
    return _answer(here.ports.probes.alive())


@router.get(READY)
def ready(here: Here) -> JSONResponse:
    """Whether it does its work."""
    return _answer(here.ports.probes.ready())


def _answer(probe: Probe) -> JSONResponse:
    return JSONResponse(probe.body(), probe.status)
