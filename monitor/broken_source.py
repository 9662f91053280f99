"""A source some of whose events are lost, multiplied, relabelled or late on purpose: what rule tests ask instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.buckets import Grid, to_datetime, to_epoch
from monitor.query import Column, Cost, CountQuery, Source
from rules.model import Interval, SourceRef, Timestamp
from rules.rule_tests import Injection
from rules.slices import Slice

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
SEED = 9


@dataclass
class Broken:
    """Answers for `source` as if the injections had happened, from the bucket `begin` (epoch seconds) on.

    `now` is the tick at which it is asked: what is late has arrived by then, or not. The same bucket loses the same events
    whenever it is asked for.
    """

    source: Source
    grid: Grid
    begin: int
    given: Sequence[Injection]
    now: int = 0

    def count(self, query: CountQuery) -> pd.DataFrame:
        """What the source answers, bucket by bucket with what was injected."""
        frame = self.source.count(query)
        if not len(frame) or query.bucket.total_seconds() != self.grid.seconds:
            return frame
        starts = pd.DatetimeIndex(frame["bucket"]).tz_convert(None).as_unit("s").asi8
        parts = [frame[starts < self.begin]]
        for bucket in np.unique(starts[starts >= self.begin]).tolist():
            part = frame[starts == bucket]
            # A source answers in any order.
            part = part.sort_values(list(query.dimensions), na_position="first", ignore_index=True)
            parts.append(self._bucket(part, bucket, query))
        found = pd.concat(parts, ignore_index=True)
        keys = [name for name in found.columns if not _is_measure(name, query)]
        return found.groupby(keys, dropna=False, sort=False, as_index=False).sum()[list(frame.columns)]

    def _bucket(self, part: pd.DataFrame, bucket: int, query: CountQuery) -> pd.DataFrame:
        for number, item in enumerate(self.given):
            first = self.grid.shift(self.begin, item.after)
            if first <= bucket < self.grid.shift(first, item.buckets):
                rng = np.random.default_rng([SEED, bucket, number])
                part = self._inject(part, item, bucket, query, rng)
        return part

    def _inject(
        self, part: pd.DataFrame, item: Injection, bucket: int, query: CountQuery, rng: np.random.Generator
    ) -> pd.DataFrame:
        inside = members(part, item.slice)
        if item.change == "delay":
            return self._delayed(part, item, inside, bucket, query)
        if item.to is not None:
            moved = {name: part[name].where(~inside, value) for name, value in item.to}
            return part.assign(**moved)
        changed = {}
        for name in (f"m{m}" for m in range(len(query.measures))):
            values = part[name].to_numpy(dtype=np.int64, copy=True)
            changed[name] = _scaled(values, inside, item, rng)
        return part.assign(**changed)

    def _delayed(
        self, part: pd.DataFrame, item: Injection, inside: Bools, bucket: int, query: CountQuery
    ) -> pd.DataFrame:
        """Late events are not there before they arrive, and of their own class of lateness after."""
        late = int(item.late.total_seconds())
        if self.grid.end(bucket) + late > self.now:
            return part[~inside]
        if query.arrivals is None:
            return part
        fits = [lag.total_seconds() >= late for lag in query.arrivals.lags]
        return part.assign(lag=part["lag"].where(~inside, fits.index(True) if any(fits) else len(fits) - 1))

    def watermark(self, query: CountQuery) -> datetime | None:
        """The last arrival; while everything is late, the last one before it was."""
        found = self.source.watermark(query)
        for item in self.given:
            first = self.grid.shift(self.begin, item.after)
            whole = item.change == "delay" and not item.slice.terms
            if whole and first <= self.now < self.grid.shift(first, item.buckets) + int(item.late.total_seconds()):
                found = to_datetime(min(first, to_epoch(found) if found is not None else first))
        return found

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        """The source's."""
        return self.source.columns(ref)

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        """The source's."""
        return self.source.span(ref, timestamp, where)

    def cost(self, query: CountQuery) -> Cost:
        """The source's."""
        return self.source.cost(query)

    def close(self) -> None:
        """It is not this one's to close."""


def members(part: pd.DataFrame, item: Slice) -> Bools:
    """bool[n]: rows that a slice covers."""
    inside = np.ones(len(part), dtype=bool)
    for name, value in item:
        inside &= (part[name].isna() if value is None else part[name] == value).to_numpy(dtype=bool)
    return inside


def _scaled(values: Ints, inside: Bools, item: Injection, rng: np.random.Generator) -> Ints:
    """Each event of the slice stays, or comes again, by itself; with `keep_total` others have what it lost."""
    if item.change == "spike":
        values[inside] += rng.poisson(np.maximum(item.share - 1.0, 0.0) * values[inside])
        return values
    before = int(values[inside].sum())
    values[inside] = rng.binomial(values[inside], min(item.share, 1.0))
    others = values[~inside].sum()
    if item.keep_total and others:
        lost = before - int(values[inside].sum())
        values[~inside] += rng.multinomial(lost, values[~inside] / others)
    return values


def _is_measure(name: object, query: CountQuery) -> bool:
    return name in {f"m{m}" for m in range(len(query.measures))} and name not in query.dimensions
