"""Did everybody hear of it? What was sent to whom, how long it took, and what was given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from alerts.model import Actor
from dashboards.views.common import Table


class Standing(StrEnum):
    """What became of a part of a message."""

    QUEUED = "queued"
    DONE = "done"
    MERGED = "merged"
    """Told with a later one of the same incident."""
    DEAD = "dead"


@dataclass(frozen=True)
class ReceiverRow:
    """How a receiver stands; times are of the last seven days."""

    name: str
    kind: str
    """"" where slicewatch.toml no longer names it."""
    done: int
    queued: int
    dead: int
    waiting_since: datetime | None
    median_seconds: float | None
    """From when a text was queued until it arrived."""
    slow_seconds: float | None
    """The same for the slowest one of twenty."""


@dataclass(frozen=True)
class DeliveryRow:
    """One part of a message to one receiver."""

    id: str
    incident: str
    receiver: str
    part: str
    state: Standing
    push: str
    attempts: int
    created_at: datetime
    finished_at: datetime | None
    due: datetime | None
    error: str


@dataclass(frozen=True)
class DeliveriesPage:
    """Receivers, and a page of what was sent, newest first."""

    receivers: tuple[ReceiverRow, ...]
    rows: tuple[DeliveryRow, ...]
    page: int
    more: bool


@dataclass(frozen=True)
class Retried:
    """What came of sending again: `told_since` were left alone, since their receivers were told the later course."""

    queued: tuple[str, ...]
    told_since: int


class Deliveries(Protocol):
    """Where deliveries come from."""

    def deliveries(self, now: datetime, state: Standing | None, receiver: str | None, page: int) -> DeliveriesPage:
        """Those in a state and for a receiver, or all; pages count from 0."""
        ...

    def retry(self, ids: tuple[str, ...], by: Actor, now: datetime) -> Retried:
        """Send again what was given up; () is all of it."""
        ...


def table(page: DeliveriesPage) -> Table:
    """One row for each part of a message."""
    columns = ("id", "incident", "receiver", "part", "state", "attempts", "created", "finished", "error", "text")
    rows = [
        (r.id, r.incident, r.receiver, r.part, r.state.value, r.attempts, r.created_at, r.finished_at, r.error, r.push)
        for r in page.rows
    ]
    return Table(columns, rows)
