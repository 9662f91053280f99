"""Events that a rule might have: every combination of a few values, a daily and a weekly rhythm, and noise. A source in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.buckets import DAY, Grid, to_datetime, to_epoch
from monitor.counts import Terms
from monitor.query import Column, Cost, CountQuery
from rules.model import Interval, Rule, SourceRef, Timestamp
from rules.rule_tests import RuleTest
from rules.slices import Slice, Value

MIDDAY = to_epoch(datetime.fromisoformat("2026-03-04T12:00:00+00:00"))
"""When synthetic events begin to break: noon of a Wednesday."""
SEED = 4
NOISE = 0.002
"""Dispersion of each combination's counts."""
WEEKEND = 0.85
INVENTED = 4
"""Values of a dimension of which the rule and its tests name fewer."""


def values_of(rule: Rule, test: RuleTest) -> dict[str, tuple[Value, ...]]:
    """The values of each dimension: those the test gives, else those expected, those its tests name, and invented ones.

    What events are renamed to is not there before.
    """
    given, expected = dict(test.history.values), dict(rule.slices.expected)
    named = [item for each in rule.tests for item in _slices(each)]
    found = {}
    for name in rule.dimensions:
        known = given.get(name, expected.get(name, ()))
        mentioned = [value for item in named for key, value in item.terms if key == name]
        every = dict.fromkeys((*known, *mentioned))
        if name not in given:
            every |= dict.fromkeys(f"{name}-{i}" for i in range(1, INVENTED + 1 - len(every)))
        fresh = {
            value for item in test.given if item.change == "rename" and item.to for k, value in item.to if k == name
        }
        found[name] = tuple(value for value in every if value not in fresh or value in known)
    return found


def _slices(test: RuleTest) -> list[Slice]:
    expect = test.expect
    targets = [item.to for item in test.given if item.to is not None and item.change == "move"]
    return [*(item.slice for item in test.given), *targets, *(expect.firing or ()), *expect.silent]


@dataclass(frozen=True)
class Synthetic:
    """Counts of all combinations of `values`, so many `events` a bucket in all, at any time that is asked for."""

    grid: Grid
    values: Mapping[str, tuple[Value, ...]]
    events: float

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """The leaves [S]."""
        return tuple(product(*self.values.values()))

    @cached_property
    def _mean(self) -> NDArray[np.float64]:
        """[S]: the first values of a dimension have more events, as they have in life."""
        weights = [1.0 / np.sqrt(1.0 + np.arange(len(values))) for values in self.values.values()]
        share = np.array([np.prod(part) for part in product(*weights)])
        return np.asarray(self.events * share / share.sum())

    def counts(self, bucket: int, measures: int) -> NDArray[np.int64]:
        """[M, S]: the same whenever a bucket is asked for."""
        rng = np.random.default_rng([SEED, bucket])
        local = int(self.grid.local(np.array([bucket], dtype=np.int64))[0])
        rhythm = 1.0 if self.grid.daily else 1.0 + 0.4 * np.sin(2 * np.pi * (local % DAY / DAY - 0.5))
        week = WEEKEND if (local // DAY + 3) % 7 >= 5 else 1.0
        mean = self._mean * rhythm * week
        return rng.poisson(mean * rng.gamma(1.0 / NOISE, NOISE, (measures, len(mean))))

    def count(self, query: CountQuery) -> pd.DataFrame:
        """One row per combination with any event, and bucket asked for."""
        frames = [
            self._frame(int(bucket), query)
            for window in query.windows
            for bucket in self.grid.starts(to_epoch(window.start), to_epoch(window.end))
        ]
        found = pd.concat(frames, ignore_index=True) if frames else self._frame(MIDDAY, query).iloc[:0]
        if query.bucket == timedelta(days=1) and not self.grid.daily:
            found["bucket"] = found["bucket"].dt.floor("D")
        keys = ["bucket", *query.dimensions, *(["lag"] if query.arrivals is not None else [])]
        return found.groupby(keys, dropna=False, sort=False, as_index=False).sum()[list(found.columns)]

    def _frame(self, bucket: int, query: CountQuery) -> pd.DataFrame:
        counts = self.counts(bucket, len(query.measures))
        rows = np.flatnonzero(counts.any(axis=0))
        start = pd.DatetimeIndex([to_datetime(bucket)]).as_unit("us").repeat(len(rows))
        frame = pd.DataFrame({"bucket": start})
        for d, name in enumerate(query.dimensions):
            frame[name] = pd.Series([self.terms[row][d] for row in rows], dtype=object)
        for m in range(len(query.measures)):
            frame[f"m{m}"] = counts[m, rows]
        return frame if query.arrivals is None else frame.assign(lag=0)

    def watermark(self, query: CountQuery) -> datetime | None:
        """Everything arrives at once."""
        assert query.arrivals is not None
        return query.arrivals.seen_until

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:  # noqa: ARG002  a Source's signature
        """Its dimensions."""
        return tuple(Column(name, "VARCHAR", "string") for name in self.values)

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:  # noqa: ARG002
        """There is no first and no last event."""
        return None

    def cost(self, query: CountQuery) -> Cost:  # noqa: ARG002
        """Nothing is read."""
        return Cost()

    def close(self) -> None:
        """Nothing is open."""
