"""The web application: pages, API, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from dashboards.web import assets, failures
from dashboards.web.access.doors import Door
from dashboards.web.access.guard import unguarded
from dashboards.web.pages import PAGES
from dashboards.web.ports import Ports
from dashboards.web.security import SecurityHeaders
from dashboards.web.site import Site

PUBLIC = frozenset({assets.PATH, "/api/v1/openapi.json"})
"""Paths for everybody."""
SMALLEST = 1_000
"""Bytes from which an answer is compressed."""


def create_app(ports: Ports, door: Door, now: Callable[[], datetime], key: bytes) -> FastAPI:
    """The application. `key` signs what browsers bring back; who shares it may serve the same pages.

    Raises `ValueError` where a route does not say who may use it.
    """
    app = FastAPI(
        title="slicewatch",
        summary="What is watched, what is wrong, and what people do about it.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.site, app.state.door, app.state.key = Site(ports, now), door, key
    app.include_router(assets.router)
    for page in PAGES:
        app.include_router(page.router)
        app.include_router(page.api, prefix="/api/v1")
    failures.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=SMALLEST, compresslevel=6)
    app.add_middleware(SecurityHeaders)
    open_to_all = unguarded(app.routes, PUBLIC)
    if open_to_all:
        raise ValueError(f"who may use {', '.join(open_to_all)}? Every route says so by a Guard")
    return app
