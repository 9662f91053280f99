"""Which rules there are, whose they are, whether they run, and what holds for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dashboards.read import Health, Stage
from dashboards.views.common import IncidentLine, Table
from rules.model import Severity


@dataclass(frozen=True)
class RuleLine:
    """One rule in the list."""

    name: str
    owner: str | None
    source: str
    place: str
    """File and line."""
    severity: Severity
    live: bool
    health: Health
    stage: Stage
    last_run: datetime | None
    next_run: datetime
    overdue: bool
    slices: int
    """Leaves ever seen."""
    judged: int | None
    """Slices that are judged, None before anything was learned."""
    skipped: int | None
    """Slices that are not: too young, or silent for the whole lookback."""
    nominal: float
    """False incidents a week that its budget allows."""
    fired: float
    """Incidents a week that fired, true ones included, over the last 28 days."""
    run_seconds: float | None
    """What an evaluation takes: the middle one of the last ones; None where it is not known."""
    parked: bool = False
    """Whether slicewatch itself fails to judge it, so that it is tried only now and then."""


@dataclass(frozen=True)
class Effective:
    """One value that holds for a rule; `place` is "built in" where nobody wrote it."""

    key: str
    value: str
    place: str


@dataclass(frozen=True)
class RunLine:
    """One evaluation."""

    tick: datetime
    outcome: str
    detail: str
    seconds: float | None


@dataclass(frozen=True)
class Neglected:
    """A table that no rule watches, or a source that no rule reads."""

    name: str
    why: str


@dataclass(frozen=True)
class RulesPage:
    """All rules, by name, and what nobody watches."""

    rules: tuple[RuleLine, ...]
    neglected: tuple[Neglected, ...]
    problems: tuple[tuple[str, str], ...]
    """Place and message of what is wrong in rule files."""


@dataclass(frozen=True)
class RulePage:
    """One rule."""

    rule: RuleLine
    receivers: tuple[str, ...]
    settings: tuple[Effective, ...]
    runs: tuple[RunLine, ...]
    incidents: tuple[IncidentLine, ...]
    """The last ones, newest first."""
    notices: tuple[tuple[datetime, str], ...]


class Rules(Protocol):
    """Where rules come from."""

    def rules(self, now: datetime) -> RulesPage:
        """All of them."""
        ...

    def rule(self, name: str, now: datetime) -> RulePage:
        """One of them. Raises `MissingError`."""
        ...


def table(page: RulesPage) -> Table:
    """One row a rule."""
    columns = (
        *("rule", "owner", "source", "place", "severity", "live", "health", "protection", "last_run", "next_run"),
        *("overdue", "leaves", "slices_judged", "slices_skipped", "nominal_a_week", "fired_a_week", "run_seconds"),
    )
    rows = [
        (
            *(r.name, r.owner or "", r.source, r.place, r.severity.value, r.live, r.health.value, r.stage.value),
            *(r.last_run, r.next_run, r.overdue, r.slices, r.judged, r.skipped, r.nominal, r.fired, r.run_seconds),
        )
        for r in page.rules
    ]
    return Table(columns, rows)
