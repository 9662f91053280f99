"""Is anything wrong, and is anything not being watched? Every source and rule on one page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.wording import percent
from dashboards.read import ArrivalStage, Health, Stage
from dashboards.views.common import Curve, IncidentLine, Table
from rules.model import Severity


@dataclass(frozen=True)
class RuleRow:
    """How one rule stands."""

    name: str
    owner: str | None
    source: str
    severity: Severity
    live: bool
    """False for a rule that tells nobody (`mode: shadow`)."""
    health: Health
    stage: Stage
    arrivals: ArrivalStage
    last_run: datetime | None
    last_error: str
    overdue: bool
    newest: datetime | None
    """End of the newest bucket that was counted: older than that nothing is known."""
    bucket_seconds: int
    slices: int
    """Leaves ever seen."""
    protected: float | None
    """Share of the events, from 0 to 1, in slices whose total silence would be noticed within a day; None if not known."""
    curve: Curve | None
    """The total over the newest buckets; None before anything was judged."""
    day_observed: float | None
    day_expected: float | None
    """Events of the newest day, and what was expected of it."""
    open: tuple[IncidentLine, ...]
    notices: tuple[tuple[datetime, str], ...]


@dataclass(frozen=True)
class Unwatched:
    """Why something that could be watched is not."""

    what: str
    why: str


@dataclass(frozen=True)
class OverviewPage:
    """All rules, the worst first, and what waits to be delivered."""

    now: datetime
    rules: tuple[RuleRow, ...]
    owners: tuple[str, ...]
    problems: tuple[Unwatched, ...]
    """Rule files with errors: what stands there is not watched, or by an older version."""
    queued: int
    dead: int
    silences: int

    @property
    def open(self) -> tuple[IncidentLine, ...]:
        """Incidents that are open, the gravest first."""
        found = [incident for rule in self.rules for incident in rule.open]
        order = list(Severity)
        return tuple(sorted(found, key=lambda i: (-order.index(i.severity), i.since)))

    def counted(self, health: Health) -> int:
        """How many rules stand so."""
        return sum(rule.health is health for rule in self.rules)


class Overviews(Protocol):
    """Where the overview comes from."""

    def overview(self, now: datetime, owner: str | None) -> OverviewPage:
        """All rules, or those of an owner."""
        ...


WORST_FIRST = (Health.FIRING, Health.UNKNOWN, Health.NEVER_RUN, Health.FINE)


def order(rules: list[RuleRow]) -> tuple[RuleRow, ...]:
    """The worst first, then by name."""
    return tuple(sorted(rules, key=lambda rule: (WORST_FIRST.index(rule.health), rule.name)))


def table(page: OverviewPage) -> Table:
    """One row a rule."""
    columns = ("rule", "owner", "source", "health", "protection", "last_run", "newest", "protected", "observed_day")
    rows = [
        (
            rule.name,
            rule.owner or "",
            rule.source,
            rule.health.value,
            rule.stage.value,
            rule.last_run,
            rule.newest,
            "" if rule.protected is None else percent(rule.protected, 1.0),
            rule.day_observed,
            rule.day_expected,
            len(rule.open),
        )
        for rule in page.rules
    ]
    return Table((*columns, "expected_day", "open_incidents"), rows)
