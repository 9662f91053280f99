"""Doors at which other services post, as routes of the pages' own server: strangers take them, for each request is signed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from monitor.signed_http import Door, RefusedRequestError

log = logging.getLogger("slicewatch")


def router_of(doors: Sequence[Door[Any]]) -> APIRouter:
    """One route for each door, by its path."""
    router = APIRouter(include_in_schema=False)
    for door in doors:
        router.add_api_route(door.path, _taking(door), methods=["POST"], name=door.what)
    return router


def _taking(door: Door[Any]) -> Any:
    async def take(request: Request) -> Response:
        body = await request.body()
        try:
            act = await run_in_threadpool(door.enter, body, dict(request.headers))
        except RefusedRequestError as refused:
            came = request.client.host if request.client is not None else "nowhere"
            log.warning("%s from %s is refused: %s", door.what, came, refused)
            return Response(status_code=refused.status)
        # Who posts waits a few seconds for this; what is asked for is done beside.
        threading.Thread(target=act, name="signed-act").start()
        return Response(status_code=200)

    return take
