"""What stands around every request besides the door: where the site is, how often one may ask, and the log of actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter
from starlette.requests import Request

from alerts.model import Actor
from dashboards.web.access.addresses import who_may_be_one
from dashboards.web.access.limits import Limits
from dashboards.web.access.origin import Origin


class Journal(Protocol):
    """The log of what people did, which is only added to."""

    def note(self, action: str, subject: str, by: Actor, at: datetime, detail: str) -> None:
        """Keep one action."""
        ...


@dataclass(frozen=True)
class Gate:
    """`clock` is the real one: what is shown may be of another time, who gets in is decided now."""

    journal: Journal
    clock: Callable[[], datetime]
    origin: Origin = field(default_factory=Origin)
    limits: Limits = field(default_factory=Limits)
    routers: tuple[APIRouter, ...] = ()
    """Routes of the door itself, such as those to a provider and back."""
    public: frozenset[str] = frozenset()
    """Those of them that strangers take."""


def gate_of(request: Request) -> Gate:
    """The gate of the application that answers a request."""
    found: Gate = request.app.state.gate
    return found


def asker(request: Request) -> str:
    """By what requests of strangers are counted: the address they come from."""
    return who_may_be_one(request.client.host) if request.client is not None else ""
