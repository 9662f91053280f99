"""What several pages show: slices, incidents in a line, small curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.actions import name_of
from alerts.marks import Mark
from alerts.model import Feedback, Incident, Kind, Series, State
from alerts.silences import Silence
from alerts.wording import name_of as slice_name
from rules.model import Severity
from rules.slices import Slice


@dataclass(frozen=True)
class Curve:
    """Consecutive buckets of one slice; None is unknown, which is not zero."""

    starts: tuple[datetime, ...]
    observed: tuple[float | None, ...]
    expected: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()

    @classmethod
    def of(cls, series: Series) -> Curve:
        """The curve that stands in an incident's evidence."""
        return cls(series.starts, series.observed, series.expected, series.low, series.high)

    def sums(self, buckets: int) -> tuple[float, float] | tuple[None, None]:
        """(observed, expected) over the known ones of the newest `buckets`; None where none of them is known."""
        pairs = [
            (y, mu)
            for y, mu in zip(self.observed[-buckets:], self.expected[-buckets:], strict=True)
            if y is not None and mu is not None
        ]
        return (sum(y for y, _ in pairs), sum(mu for _, mu in pairs)) if pairs else (None, None)


@dataclass(frozen=True)
class IncidentLine:
    """An incident in one row."""

    id: str
    rule: str
    metric: str
    kind: Kind
    severity: Severity
    state: State
    cause: Slice
    name: str
    """The cause for people, made harmless."""
    since: datetime
    until: datetime
    raised_at: datetime | None
    resolved_at: datetime | None
    observed: float
    expected: float
    by: str = ""
    """Who acknowledged or snoozed it."""
    held: str = ""
    """Why news of it is held back."""
    feedback: Feedback | None = None

    @property
    def measured(self) -> bool:
        """Whether its numbers say anything: of a source that could not be judged nothing was counted."""
        return self.kind not in (Kind.BLIND, Kind.LATE)

    @classmethod
    def of(cls, item: Incident, held: str = "") -> IncidentLine:
        return cls(
            id=item.id,
            rule=item.rule,
            metric=item.metric,
            kind=item.kind,
            severity=item.severity,
            state=item.state,
            cause=item.cause,
            name=slice_name(item.cause),
            since=item.since,
            until=item.until,
            raised_at=item.raised_at,
            resolved_at=item.resolved_at,
            observed=item.observed,
            expected=item.expected,
            by=name_of(item.hush.by) if item.hush is not None else "",
            held=held,
            feedback=item.feedback,
        )


@dataclass(frozen=True)
class SilenceLine:
    """A silence: nobody is told of what it holds within [starts, ends)."""

    id: str
    rules: str
    """A rule's name, or a pattern."""
    slice: Slice
    owner: str | None
    labels: dict[str, str]
    starts: datetime
    ends: datetime
    by: str
    reason: str
    label: str
    """Until when, by whom and why."""

    @classmethod
    def of(cls, item: Silence) -> SilenceLine:
        scope = item.scope
        return cls(
            id=item.id,
            rules=scope.rules,
            slice=scope.slice,
            owner=scope.owner,
            labels=dict(scope.labels),
            starts=item.starts,
            ends=item.ends,
            by=name_of(item.by),
            reason=item.reason,
            label=item.label(),
        )


@dataclass(frozen=True)
class MarkLine:
    """Something that somebody says has changed."""

    id: str
    at: datetime
    text: str
    rules: str
    owner: str | None
    by: str

    @classmethod
    def of(cls, item: Mark) -> MarkLine:
        return cls(item.id, item.at, item.text, item.scope.rules, item.scope.owner, name_of(item.by))


@dataclass(frozen=True)
class Table:
    """What a page shows, as rows for a spreadsheet."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
