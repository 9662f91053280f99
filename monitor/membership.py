"""Which leaves a bounded cube keeps apart: those silent for the whole lookback make room, and are told of once.

Everything here follows from pages older than the last midnight, so that a restart or a replay says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.wording import LISTED
from monitor import store
from monitor.buckets import Grid
from monitor.counts import Terms
from monitor.lattice import Lattice
from monitor.watched import Watched
from rules.slices import FOLDED, Slice

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Lookback:
    """The history before a midnight `as_of` (epoch seconds) that a rule's baseline is made from."""

    rule: str
    grid: Grid
    seconds: int
    as_of: int
    leaves: int
    """S: the first leaves of the store, by id, that are looked at."""
    measures: int

    @classmethod
    def of(cls, watched: Watched, as_of: int, leaves: int) -> Lookback:
        rule = watched.rule
        return cls(rule.name, watched.grid, watched.lookback, as_of, leaves, len(rule.metrics))

    def days(self) -> list[tuple[int, int]]:
        """[start, end) of each local day within it, the oldest first."""
        begin, days = self._begin(self.as_of), []
        while begin < self.as_of:
            end = self.grid.midnight(begin + 36 * 3600)
            days.append((begin, min(end, self.as_of)))
            begin = end
        return days

    def left_behind(self) -> tuple[int, int]:
        """[start, end) of what the lookback of the midnight before still held."""
        return self._begin(self.grid.midnight(self.as_of - 1)), self._begin(self.as_of)

    def _begin(self, as_of: int) -> int:
        return self.grid.floor(as_of - self.seconds)

    def seen(self, tx: store.Tx, start: int, end: int) -> Mask:
        """bool[S]: leaves with any event in the stored buckets of [start, end)."""
        starts = self.grid.starts(start, end)
        block = store.pages(
            tx, self.rule, starts, n_leaves=self.leaves, measures=self.measures, dtype=np.dtype(np.float32)
        )
        return np.asarray((block.values > 0).any(axis=(0, 2)))


def silent(tx: store.Tx, lookback: Lookback) -> Mask:
    """bool[S]: leaves first seen before the midnight and without an event in the lookback, the folded one left out."""
    table = store.leaves(tx, lookback.rule)
    own = np.array([FOLDED not in terms for terms in table.terms], dtype=bool)
    known: Mask = ((table.first_seen < lookback.as_of) & own)[: lookback.leaves]
    for start, end in reversed(lookback.days()):
        if not known.any():
            break
        known &= ~lookback.seen(tx, start, end)
    return known


def retired(tx: store.Tx, lookback: Lookback, lattice: Lattice) -> tuple[Slice, ...]:
    """Slices whose last event has just left the lookback, the broadest names only; none where everything is silent.

    `lattice` is that of the leaves looked at. The folded rest is no slice that anybody misses.
    """
    gone = lookback.seen(tx, *lookback.left_behind())
    seen = np.zeros(lookback.leaves, dtype=bool)
    for start, end in lookback.days():
        if not (gone & ~seen).any():
            return ()
        seen |= lookback.seen(tx, start, end)
    if not seen.any():
        return ()
    sums = lattice.rollup(np.stack([seen, gone & ~seen], axis=1).astype(np.float64))
    rows = np.flatnonzero((sums[:, 0] == 0) & (sums[:, 1] > 0))
    return _broadest([lattice.slice_of(int(row)) for row in rows])


def _broadest(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    kept: list[Slice] = []
    for item in sorted(slices, key=len):
        folded = any(value == FOLDED for _, value in item)
        if not folded and not any(wide.covers(item) for wide in kept):
            kept.append(item)
    return tuple(kept)


def retired_text(slices: Sequence[Slice], lookback_days: int) -> str:
    """What is told of retired slices, in a line."""
    more = f" and {len(slices) - LISTED:,} more" if len(slices) > LISTED else ""
    names = "; ".join(item.label() for item in slices[:LISTED])
    return f"no longer watched, without an event for {lookback_days} days: {names}{more}"


def overflows(tx: store.Tx, rule: str, grid: Grid, first: int, terms: Sequence[Terms], measures: int) -> bool:
    """Whether the folded leaf, which has events from the bucket `first` on, had none in the day before."""
    leaf = terms.index(tuple([FOLDED] * len(terms[0])))
    starts = grid.starts(grid.floor(first - 86_400), first)
    block = store.pages(tx, rule, starts, n_leaves=leaf + 1, measures=measures, dtype=np.dtype(np.float32))
    return not bool((block.values[:, leaf] > 0).any())


def overflow_text(most: int) -> str:
    """What is told where combinations begin to be folded, in a line."""
    return (
        f"more combinations of values than slices.max keeps apart ({most:,}): the smallest new ones are counted "
        "together as 'other (folded)' and not watched one by one; raise slices.max, or drop a dimension that is an id"
    )
