"""A rule with its clockwork: its grid, its schedule, and what it asks the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from alerts.operations import Operations
from monitor.buckets import Grid, to_datetime
from monitor.query import Arrivals, CountQuery
from monitor.ripeness import LAG_SECONDS, Schedule
from rules.model import Interval, Rule
from rules.slices import FOLDED, Value


@dataclass(frozen=True)
class Watched:
    """A rule with its clockwork."""

    rule: Rule
    schedule: Schedule
    operations: Operations = field(default_factory=Operations)

    @classmethod
    def of(cls, rule: Rule, operations: Operations | None = None) -> Watched:
        grid = Grid.of(rule.time_bucket, rule.timezone)
        return cls(rule, Schedule(grid, int(rule.detection_delay.total_seconds())), operations or Operations())

    @property
    def grid(self) -> Grid:
        return self.schedule.grid

    @property
    def lookback(self) -> int:
        """Seconds of history that the baseline is made from."""
        return int(self.rule.lookback.total_seconds())

    @property
    def folded(self) -> tuple[Value, ...]:
        """The leaf that stands for all that a bounded cube does not keep apart."""
        return (FOLDED,) * len(self.rule.dimensions)

    def query(self, windows: Sequence[Interval], tick: int) -> CountQuery:
        """The rule's question for some stretches of time, as the source was at a tick where it knows that."""
        rule = self.rule
        lags = tuple(timedelta(seconds=self.schedule.delay + lag) for lag in LAG_SECONDS)
        arrivals = Arrivals(rule.arrived_at, lags, to_datetime(tick)) if rule.arrived_at is not None else None
        return CountQuery(
            source=rule.source,
            timestamp=rule.timestamp,
            bucket=rule.time_bucket,
            windows=tuple(windows),
            dimensions=rule.dimensions,
            measures=rule.metrics,
            where=rule.where,
            timezone=rule.timezone,
            arrivals=arrivals,
            max_scan=rule.max_scan,
        )

    def by_day(self, window: Interval, tick: int) -> CountQuery:
        """The rule's question by days of UTC, for a stretch of whole ones: coarse buckets keep the answer small."""
        return replace(self.query([window], tick), bucket=timedelta(days=1), timezone="UTC")

    def windows(self, buckets: Sequence[int]) -> list[Interval]:
        """Buckets (ascending) as disjoint stretches of time."""
        out: list[list[int]] = []
        for bucket in buckets:
            if out and out[-1][1] == bucket:
                out[-1][1] = self.grid.end(bucket)
            else:
                out.append([bucket, self.grid.end(bucket)])
        return [Interval(to_datetime(start), to_datetime(end)) for start, end in out]
