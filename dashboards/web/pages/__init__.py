"""The pages: one file each, with a `router` for people and an `api` that answers the same as JSON."""

from __future__ import annotations

from typing import Protocol

from fastapi import APIRouter

from dashboards.web.pages import (
    audit,
    blindspots,
    deliveries,
    health,
    incident,
    incidents,
    metrics,
    noise,
    overview,
    probes,
    reload,
    rules,
    silences,
    slices,
    tokens,
)
from dashboards.web.pages import slice as one_slice


class Page(Protocol):
    """A module of this package."""

    router: APIRouter
    api: APIRouter


PAGES: tuple[Page, ...] = (
    overview,
    slices,
    one_slice,
    incidents,
    incident,
    rules,
    blindspots,
    noise,
    deliveries,
    health,
    audit,
    silences,
    tokens,
    metrics,
    probes,
    reload,
)
