"""How slicewatch itself does: daemons, evaluations, sources, the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dashboards.read import CanaryState, Daemon, Health
from dashboards.views.common import Table
from rules.model import Severity


@dataclass(frozen=True)
class WorkLine:
    """What one rule's evaluations take. Seconds are of the last ones; None where none is known."""

    rule: str
    source: str
    health: Health
    last_run: datetime | None
    behind: timedelta | None
    """From the end of the newest bucket that was counted until now."""
    due: timedelta
    """As far behind as it may be: a bucket, and the time that events take to come."""
    median_seconds: float | None
    longest_seconds: float | None
    query_seconds: float | None
    """Waiting for the source, the middle one."""
    rows: int | None
    """The source answered with, in the newest one."""
    open: tuple[tuple[Severity, int], ...]
    """Incidents that are open, of each severity."""


@dataclass(frozen=True)
class Parked:
    """A rule whose evaluation fails in itself, again and again, so that it is tried only now and then."""

    rule: str
    failures: int
    """In a row."""
    since: datetime
    until: datetime
    """When it is tried next."""
    error: str


@dataclass(frozen=True)
class Trouble:
    """An evaluation that came to nothing."""

    rule: str
    tick: datetime
    outcome: str
    detail: str


@dataclass(frozen=True)
class HealthPage:
    """Everything about the program itself."""

    now: datetime
    version: str
    daemons: tuple[Daemon, ...]
    work: tuple[WorkLine, ...]
    failed: tuple[tuple[str, int], ...]
    """How many evaluations of the last seven days came to nothing, by why: `blind`, `late`."""
    troubles: tuple[Trouble, ...]
    """Of the last seven days, newest first."""
    store: str
    """Its URL, without the password."""
    store_bytes: int
    queued: int
    dead: int
    oldest_queued: datetime | None
    parked: tuple[Parked, ...] = ()
    """By rule."""
    unchecked: tuple[str, ...] = ()
    """Rules of which somebody was told that they are not checked."""
    canary: CanaryState | None = None
    """None where none was sent."""

    @property
    def watched(self) -> bool:
        """Whether any daemon is there."""
        return any(daemon.alive for daemon in self.daemons)


class Healths(Protocol):
    """Where it comes from."""

    def health(self, now: datetime) -> HealthPage:
        """How things stand."""
        ...


def table(page: HealthPage) -> Table:
    """One row a rule."""
    columns = (
        *("rule", "source", "health", "last_run", "behind_seconds", "due_seconds"),
        *("median_seconds", "longest_seconds", "query_seconds", "rows"),
    )
    rows = [
        (
            *(w.rule, w.source, w.health.value, w.last_run),
            None if w.behind is None else w.behind.total_seconds(),
            *(w.due.total_seconds(), w.median_seconds, w.longest_seconds, w.query_seconds, w.rows),
        )
        for w in page.work
    ]
    return Table(columns, rows)
