"""The web application: pages, API, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from dashboards.views.probes import ALIVE, READY
from dashboards.web import assets, failures
from dashboards.web.access.doors import Door
from dashboards.web.access.gate import Gate
from dashboards.web.access.guard import unguarded
from dashboards.web.bounds import Bounds
from dashboards.web.described import FAILURES, DescribedApp, name_of
from dashboards.web.pages import PAGES
from dashboards.web.ports import Ports
from dashboards.web.security import SecurityHeaders
from dashboards.web.site import Site

API = "/api/v1"
PUBLIC = frozenset({assets.PATH, f"{API}/openapi.json", ALIVE, READY})
"""Paths for everybody."""
SMALLEST = 1_000
"""Bytes from which an answer is compressed."""


def create_app(ports: Ports, door: Door, now: Callable[[], datetime], key: bytes, gate: Gate) -> FastAPI:
    """The application. `key` signs what browsers bring back; who shares it may serve the same pages.

    `now` is the time of what is shown. Raises `ValueError` where a route does not say who may use it.
    """
    app = DescribedApp(
        title="slicewatch",
        summary="What is watched, what is wrong, and what people do about it.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        # One model each: what is asked for and what is answered look alike.
        separate_input_output_schemas=False,
        generate_unique_id_function=name_of,
    )
    app.state.site, app.state.door, app.state.key, app.state.gate = Site(ports, now), door, key, gate
    app.include_router(assets.router)
    for router in gate.routers:
        app.include_router(router)
    for page in PAGES:
        app.include_router(page.router)
        app.include_router(page.api, prefix=API, responses=FAILURES)
    failures.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=SMALLEST, compresslevel=6)
    app.add_middleware(Bounds)
    app.add_middleware(SecurityHeaders, public_url=gate.origin.public_url)
    open_to_all = unguarded(app.routes, PUBLIC | gate.public)
    if open_to_all:
        raise ValueError(f"who may use {', '.join(open_to_all)}? Every route says so by a Guard")
    return app
