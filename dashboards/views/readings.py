"""How slicewatch itself does, as numbers for those who watch it from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dashboards.read import CanaryState
from dashboards.views.health import WorkLine

Counted = tuple[tuple[str, float], ...]
"""How often something came out in each way, since ever: all daemons together."""


@dataclass(frozen=True)
class RuleReadings:
    """One rule. Sums are since ever; None is what nobody knows."""

    work: WorkLine
    last_success: datetime | None
    """Scheduled time of the newest evaluation for which the source answered."""
    schedule: timedelta
    """Between two evaluations; of a cron expression the shortest there is."""
    late_since: datetime | None
    """When the oldest evaluation was due that was not made; None where all were."""
    missing: int
    evaluations: Counted = ()
    delayed: float = 0.0
    seconds: float = 0.0
    source_seconds: float = 0.0
    source_rows: float = 0.0
    buckets: float = 0.0
    slices: Counted = ()
    """Of the newest evaluation: how many were judged, and why others were not."""


@dataclass(frozen=True)
class ReceiverReadings:
    """One receiver."""

    name: str
    queued: int
    dead: int
    due_since: datetime | None
    """Since when the oldest message could be sent, and is not."""
    arrived: int
    """In the last seven days."""
    median_seconds: float | None
    deliveries: Counted = ()


@dataclass(frozen=True)
class Readings:
    """Everything."""

    now: datetime
    version: str
    daemons: int
    """That said within a minute that they are there."""
    store_bytes: int
    failed: tuple[tuple[str, int], ...]
    oldest_queued: datetime | None
    rules: tuple[RuleReadings, ...] = ()
    receivers: tuple[ReceiverReadings, ...] = ()
    parked: tuple[tuple[str, int], ...] = ()
    """Rules that slicewatch itself fails to judge, and how often in a row."""
    unchecked: int = 0
    """Rules that somebody was told are not checked."""
    heartbeats: Counted = ()
    reloads: Counted = ()
    reloaded: tuple[datetime, bool] | None = None
    """When a daemon read its rule files again last, and whether all of them do that well."""
    broken_files: int | None = None
    store_errors: float = 0.0
    clock_off: float = 0.0
    """Seconds by which a daemon's machine is off the store's clock, of the one that is the furthest off."""
    threads: tuple[tuple[str, datetime], ...] = ()
    """When each thread did its work last, of the daemon that is the furthest behind with it."""
    canary: CanaryState | None = None


class ReadingsPort(Protocol):
    """Where they come from."""

    def readings(self, now: datetime) -> Readings:
        """As they are."""
        ...
