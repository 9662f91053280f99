"""History before the first tick: counted day by day, newest first, page by page, so that it can stop and go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from monitor import store
from monitor.buckets import DAY, to_datetime
from monitor.counts import Counts, Terms
from monitor.query import Cost, ScanTooLargeError, Source
from monitor.recording import write_pages
from monitor.ripeness import lag_class
from monitor.watched import Watched
from rules.model import Interval


@dataclass(frozen=True)
class Plan:
    """Days still to be counted, newest first: lists of bucket starts (epoch seconds), and what it costs."""

    days: tuple[tuple[int, ...], ...]
    cost: Cost | None

    def describe(self, rule: str) -> str:
        """What reading the history of a rule will cost, before it is read."""
        parts = [f"{rule}: reading {self.buckets} buckets of history in {len(self.days)} steps, newest first"]
        if self.cost is not None and self.cost.files is not None:
            parts.append(f"{self.cost.files} of {self.cost.files_total} files")
        if self.cost is not None and self.cost.bytes is not None:
            parts.append(f"{self.cost.bytes / 1e6:,.1f} MB")
        return ", ".join(parts)

    def refuse_large(self, rule: str) -> None:
        """Raise `ScanTooLargeError` where the whole would read more than `max_scan`: the first contact is no surprise."""
        if self.cost is not None and self.cost.too_large:
            raise ScanTooLargeError.of(f"the history of {rule}, {self.buckets} buckets,", self.cost)

    @property
    def buckets(self) -> int:
        return sum(len(day) for day in self.days)


@dataclass(frozen=True)
class Backfill:
    """Fills the history of one rule up to a time. The source's errors go through."""

    watched: Watched
    source: Source
    state: store.Store

    def plan(self, until: int, tick: int, *, riper: bool = False) -> Plan:
        """What is missing of the lookback before the bucket starting at `until`; with `riper` what is to be read again too."""
        grid = self.watched.grid
        # A day more than the lookback: the baseline is made at midnight, and reaches back from there.
        starts = grid.starts(grid.midnight(until - self.watched.lookback), until)
        with self.state.read() as tx:
            known = store.coverage(tx, self.watched.rule.name, int(starts[0]), until) if len(starts) else {}
        again = self.watched.schedule.to_read(tick, known, int(starts[0])) if riper and len(starts) else {}
        due = (int(s) for s in starts if self.watched.schedule.due(int(s)) <= tick)
        missing = [start for start in due if start not in known or start in again]
        days: dict[int, list[int]] = {}
        for start in missing:
            days.setdefault(grid.midnight(start), []).append(start)
        ordered = tuple(tuple(days[day]) for day in sorted(days, reverse=True))
        cost = self.source.cost(self.watched.query(self.watched.windows(missing), tick)) if missing else None
        return Plan(ordered, cost)

    def run(self, plan: Plan, tick: int) -> Iterator[int]:
        """Count the days of a plan, each in a transaction of its own; yields the number of buckets done."""
        plan.refuse_large(self.watched.rule.name)
        allowed = self._allowed(plan, tick)
        with self.state.read() as tx:
            known = store.leaves(tx, self.watched.rule.name).terms if plan.days else []
        old = len(known)
        for day in plan.days:
            known = self._one(day, tick, allowed, known, old)
            yield len(day)

    def _one(
        self, day: tuple[int, ...], tick: int, allowed: frozenset[Terms] | None, before: list[Terms], old: int
    ) -> list[Terms]:
        """Count a day; the leaves there are, of which `before` were known by the one counted before, `old` from the start."""
        rule = self.watched.rule
        frame = self.source.count(self.watched.query(self.watched.windows(day), tick))
        lags = {bucket: max(lag_class(tick - self.watched.schedule.due(bucket)), 0) for bucket in day}
        with self.state.write() as tx:
            known = _known(tx, rule.name, before)
            counts = Counts.from_frame(
                frame,
                dimensions=rule.dimensions,
                measures=len(rule.metrics),
                starts=np.array(day, dtype=np.int64),
                known=known,
            )
            counts = counts.refolded(store.membership(tx, rule.name).folded)
            counts = counts.restricted(allowed) if allowed is not None else counts
            counts = counts.bounded(len(known), rule.slices.max)
            if old:
                _seen_earlier(tx, rule.name, counts, range(old, len(known)))
            write_pages(tx, rule.name, counts, known, lags)
            return known

    def _allowed(self, plan: Plan, tick: int) -> frozenset[Terms] | None:
        """The leaves to keep by volume over the whole lookback, where a cube may be too wide; None where it is not.

        Asked once, at first contact: a day with fewer leaves than half the bound cannot lead to many more.
        """
        rule = self.watched.rule
        if not plan.days:
            return None
        with self.state.read() as tx:
            if len(store.leaves(tx, rule.name)):
                return None
        newest = self._by_day(
            Interval(to_datetime(plan.days[0][0]), to_datetime(self.watched.grid.end(plan.days[0][-1]))), tick
        )
        if len(newest.terms) <= rule.slices.max // 2:
            return None
        oldest = min(day[0] for day in plan.days)
        whole = self._by_day(Interval(to_datetime(oldest), to_datetime(self.watched.grid.end(plan.days[0][-1]))), tick)
        if len(whole.terms) <= rule.slices.max:
            return None
        return frozenset(whole.bounded(0, rule.slices.max).terms)

    def _by_day(self, window: Interval, tick: int) -> Counts:
        """Leaf volumes by day: coarse buckets keep the answer small."""
        query = self.watched.query([window], tick)
        days = self.watched.grid.starts(to_start(window), int(window.end.timestamp()))
        if not self.watched.grid.daily:
            first = to_start(window) // DAY * DAY
            last = -(-int(window.end.timestamp()) // DAY) * DAY
            days = np.arange(first, last, DAY, dtype=np.int64)
            query = self.watched.by_day(Interval(to_datetime(first), to_datetime(last)), tick)
        frame = self.source.count(query)
        rule = self.watched.rule
        return Counts.from_frame(frame, dimensions=rule.dimensions, measures=len(rule.metrics), starts=days, known=())


def _seen_earlier(tx: store.Tx, rule: str, counts: Counts, rows: range) -> None:
    """Leaves that a newer day has brought and that this day has, too: it was seen first here, for days go backwards."""
    here = (counts.values[:, rows.start : rows.stop] != 0).sum(axis=0) > 0
    seen = [row for row in rows if here[row - rows.start].any()]
    first = [int(counts.starts[np.argmax(here[row - rows.start])]) for row in seen]
    store.add_leaves(tx, rule, [counts.terms[row] for row in seen], np.array(first, dtype=np.int64))


def _known(tx: store.Tx, rule: str, before: list[Terms]) -> list[Terms]:
    """All leaves of a rule; of those that were there `before` only the last is read again, to see that they still are."""
    last = max(len(before) - 1, 0)
    found = store.leaves(tx, rule, last).terms
    if not before:
        return found
    return [*before, *found[1:]] if found[:1] == before[last:] else store.leaves(tx, rule).terms


def to_start(window: Interval) -> int:
    """Start of a window in epoch seconds."""
    return int(window.start.timestamp())


Progress = Callable[[int, int], None]
"""Told (buckets done, buckets in all)."""
