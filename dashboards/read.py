"""The read model: how the rules stand, as plain data. Pages and the command line show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from alerts.model import Incident
from alerts.silences import Silence
from dashboards.precision import Fired

CLOCK_OFF = 5.0
"""Seconds from which a clock is off."""


class Health(StrEnum):
    """One word per rule. UNKNOWN is never shown as good."""

    FINE = "fine"
    FIRING = "firing"
    UNKNOWN = "unknown"
    NEVER_RUN = "never run"


class Stage(StrEnum):
    """How much of a rule's protection stands, by the history it has."""

    TOTAL_SILENCE = "only total silence is noticed"
    TIME_OF_DAY = "knows the time of day"
    WEEKDAYS = "knows weekdays and weekends"
    FULL = "full"


class ArrivalStage(StrEnum):
    """What is known of how late the events of a rule come."""

    UNKNOWN = "not known yet: detection_delay is trusted"
    LEARNING = "learning arrivals"
    LEARNED = "learned"


@dataclass(frozen=True)
class RuleView:
    """How one rule stands; times are UTC, None where there is nothing yet."""

    name: str
    owner: str | None
    source: str
    health: Health
    last_run: datetime | None
    last_error: str
    overdue: bool
    """Whether evaluations that should have been made by now were not."""
    history_from: datetime | None
    """Start of the first bucket with an event."""
    history_to: datetime | None
    leaves: int
    stage: Stage
    full_from: datetime | None
    """When protection is full; None where nobody can say yet."""
    arrivals: ArrivalStage
    arrivals_from: datetime | None
    """When arrivals will have been learned; None where nobody can say yet."""
    open: tuple[Incident, ...]
    notices: tuple[tuple[datetime, str], ...] = ()
    """What is to be known of the last days and woke nobody: when, and a line; newest first."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Why news of open incidents were held back since they were last told, by their ids."""
    fired: Fired = field(default_factory=Fired)
    """What fired in the last three months, and was no problem."""


@dataclass(frozen=True)
class Daemon:
    """One daemon that is, or lately was, on this store."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    alive: bool
    """Whether it has said so within the last minute."""
    ahead_seconds: float = 0.0
    """How far its machine's clock is ahead of the store's, by which it goes."""
    evaluating: int | None = None
    """Runs it is at; None where daemons share nothing."""

    @property
    def clock(self) -> str:
        """That its machine's clock is off, so that it should be looked at; "" where it is not."""
        off = round(self.ahead_seconds)
        if not self.alive or abs(self.ahead_seconds) < CLOCK_OFF:
            return ""
        return f"its machine's clock is {abs(off):,} s {'ahead' if off > 0 else 'behind'}"


@dataclass(frozen=True)
class CanaryState:
    """Canaries, where any were sent: slices of made-up events that are dropped on purpose, to see that news arrive."""

    due: datetime
    """When the newest one that is over was due."""
    arrived: bool
    problem: str
    """Why it did not."""
    last: datetime | None
    """When one arrived last."""
    seconds: float | None
    """From when that one was sent."""


@dataclass(frozen=True)
class Overview:
    """All rules, and what waits to be delivered."""

    rules: tuple[RuleView, ...]
    queued: int
    delivered: int
    dead: int
    problems: int
    """Problems in rule files: rules that are not watched."""
    silences: tuple[Silence, ...] = ()
    """Those that hold now or will."""
    daemons: tuple[Daemon, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Rules of which somebody was told that they are not checked."""
    canary: CanaryState | None = None


def health_of(open_incidents: tuple[Incident, ...], *, ran: bool, blind: bool, overdue: bool) -> Health:
    """The worst that is true; what nobody looked at lately is as unknown as what could not be asked."""
    if not ran:
        return Health.NEVER_RUN
    if blind or overdue:
        return Health.UNKNOWN
    fired = any(incident.raised_at is not None for incident in open_incidents)
    return Health.FIRING if fired else Health.FINE
