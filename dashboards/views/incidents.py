"""Which incidents are there, and which were? A list with filters, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from alerts.model import State
from dashboards.views.common import IncidentLine, Table
from rules.model import Severity


class Lasting(StrEnum):
    """Which incidents are asked for, by whether they are over."""

    OPEN = "open"
    """Not resolved, whatever else."""
    RESOLVED = "resolved"
    ALL = "all"


@dataclass(frozen=True)
class Wanted:
    """What narrows the list down; None and "" let everything pass."""

    lasting: Lasting = Lasting.OPEN
    state: State | None = None
    rule: str = ""
    owner: str = ""
    severity: Severity | None = None
    since: datetime | None = None
    """Incidents that began then or later."""
    until: datetime | None = None
    """Incidents that began before."""

    @property
    def states(self) -> tuple[State, ...]:
        """States that pass."""
        if self.state is not None:
            return (self.state,)
        if self.lasting is Lasting.RESOLVED:
            return (State.RESOLVED,)
        return tuple(s for s in State if self.lasting is Lasting.ALL or s is not State.RESOLVED)


@dataclass(frozen=True)
class IncidentsPage:
    """A hundred incidents, those that began last first."""

    now: datetime
    rows: tuple[IncidentLine, ...]
    page: int
    more: bool
    rules: tuple[str, ...]
    """Names to choose from, those of rules that are gone included."""
    owners: tuple[str, ...]


class IncidentLists(Protocol):
    """Where the list comes from."""

    def incidents(self, now: datetime, wanted: Wanted, page: int) -> IncidentsPage:
        """Those wanted; pages count from 0."""
        ...


COLUMNS = (
    "id", "rule", "metric", "severity", "state", "kind", "cause", "since", "until", "raised", "resolved",
    "observed", "expected", "by", "feedback",
)  # fmt: skip


def table(rows: Sequence[IncidentLine]) -> Table:
    """One row an incident."""
    return Table(COLUMNS, [_row(row) for row in rows])


def _row(row: IncidentLine) -> tuple[object, ...]:
    known = row.measured
    return (
        row.id,
        row.rule,
        row.metric,
        row.severity.value,
        row.state.value,
        row.kind.value,
        row.cause,
        row.since,
        row.until,
        row.raised_at,
        row.resolved_at,
        row.observed if known else None,
        row.expected if known else None,
        row.by,
        row.feedback.value if row.feedback is not None else "",
    )
