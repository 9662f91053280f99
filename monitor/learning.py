"""What a rule's history teaches: its fits, made at local midnight and kept until the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from alerts.model import Incident
from monitor import store
from monitor.accepted import with_accepted
from monitor.buckets import DAY, Times
from monitor.calendars import Calendar
from monitor.completeness import Curves, Reads, learn
from monitor.context import context_of, excluded, ordinary
from monitor.counts import Counts, Terms
from monitor.curve import MOST_DAYS
from monitor.detectors import open_detector
from monitor.detectors.fit import level_span, windows_of
from monitor.detectors.model import LeafSeries
from monitor.detectors.protocol import Detector
from monitor.fits import Learned, carry_over, is_of, method_of, pack, unpack
from monitor.history import read_classes, read_series, with_renames
from monitor.judging import first_needed
from monitor.lattice import Lattice, Leaves
from monitor.statistics import constants as k
from monitor.tick import Judged, Remembered
from monitor.watched import Watched
from rules.slices import Slice

_NOTHING = np.zeros((0, 0))


@dataclass
class Learner:
    """What is learned of one rule, and its lattices. Holds nothing that cannot be made again from the store."""

    watched: Watched
    newcomers: tuple[Slice, ...] = ()
    """Values that are not to be tested."""
    _held: store.PageBlock | None = None
    """Pages of an evaluation that judges many buckets: each of them needs nearly the same days."""
    _leaves: Leaves | None = None
    _lattices: dict[int, Lattice] = field(default_factory=dict)
    _learned: dict[tuple[int, int], list[Learned]] = field(default_factory=dict)

    def forget(self) -> None:
        """A fit that was made was not stored: it has to be made again, and stored."""
        self._learned.clear()

    def hold(self, tx: store.Tx, buckets: Sequence[int], leaves: int, followed: Sequence[Incident]) -> None:
        """Read the pages that judging several buckets needs once, until they are let go of."""
        grid, measures = self.watched.grid, len(self.watched.rule.metrics)
        starts = grid.starts(first_needed(grid, buckets[0], followed), grid.end(buckets[-1]))
        self._held = store.pages(tx, self.watched.rule.name, starts, n_leaves=leaves, measures=measures)

    def let_go(self) -> None:
        """Pages are read from the store again."""
        self._held = None

    @cached_property
    def detectors(self) -> tuple[Detector, ...]:
        """One for each metric."""
        rule = self.watched.rule
        return tuple(open_detector(rule.detector, metric.name) for metric in rule.metrics)

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar.of(self.watched.rule)

    def learned_for(
        self, tx: store.Tx, bucket: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> tuple[list[Learned], dict[int, bytes]]:
        """What judges a bucket, and the blob to store where it was learned anew."""
        as_of = self._as_of(bucket, before)
        key, made = (as_of, len(terms)), dict[int, bytes]()
        if key not in self._learned:
            blob, method = store.fit(tx, self.watched.rule.name, as_of), method_of(self.watched.rule)
            if blob is None or not is_of(blob, method):
                blob = pack(len(terms), self._refit(tx, as_of, terms, before, fresh, so_far), method)
                made[as_of] = blob
            leaves, learned = unpack(blob)
            if leaves < len(terms):
                old, new = self.lattice(terms[:leaves]), self.lattice(terms)
                learned = [carry_over(item, old, new) for item in learned]
            self._learned = {key: learned}
        return self._with_young_curves(tx, self._learned[key], as_of, bucket, terms, so_far), made

    def _with_young_curves(
        self, tx: store.Tx, learned: list[Learned], as_of: int, bucket: int, terms: tuple[Terms, ...], so_far: Judged
    ) -> list[Learned]:
        """On the first day of own reads midnight knew too little of how late events come: every bucket learns anew.

        A bucket that was read late is believed to be there: what is doubted of others is what may yet come.
        """
        rule = self.watched.rule.name
        first = store.read_again(tx, rule, as_of - DAY - self.watched.grid.seconds, bucket)
        if first is not None and first <= as_of - DAY:
            return learned
        if first is None and store.coverage(tx, rule, bucket, bucket + 1).get(bucket, 0) > 0:
            return [replace(item, curves=None) for item in learned]
        curves = self._curves(tx, bucket, terms, so_far)
        return [replace(item, curves=late) for item, late in zip(learned, curves, strict=True)]

    def _curves(self, tx: store.Tx, stop: int, terms: tuple[Terms, ...], so_far: Judged) -> list[Curves | None]:
        """How late the events of each metric come, from what was read before a bucket; None where never."""
        grid, rule = self.watched.grid, self.watched.rule
        first = store.read_again(tx, rule.name, stop - k.ARRIVAL_DAYS * DAY, stop)
        lattice, widths = self.lattice(terms), windows_of(grid)
        if first is None:
            return [Curves.unknown(lattice, grid, widths)] * len(rule.metrics)
        if not store.any_ripened(tx, rule.name, first, stop):
            return [None] * len(rule.metrics)
        starts = grid.starts(first, stop)
        flagged = so_far.flagged_over(LeafSeries(starts, _NOTHING, store.flags(tx, rule.name, starts, len(terms))))
        read = read_classes(tx, rule.name, starts, len(terms), len(rule.metrics))
        return [learn(lattice, Reads(starts, values, flagged), grid, widths) for values in read]

    def _as_of(self, bucket: int, before: Remembered) -> int:
        """Refit at local midnight, once a rename has been told, and once a change was accepted."""
        told = [self.watched.grid.floor(r.told) for r in before.renames if r.told <= bucket]
        told += [item.until for item in before.accepted if item.until <= bucket]
        midnight = bucket if self.watched.grid.daily else self.watched.grid.midnight(bucket)
        return max([midnight, *told])

    def _refit(
        self, tx: store.Tx, as_of: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> list[Learned]:
        grid = self.watched.grid
        starts = grid.starts(grid.floor(as_of - self.watched.lookback), as_of)
        lattice = self.lattice(terms)
        context = context_of(self.watched.rule, lattice, grid, self.newcomers)
        occasions = self.calendar.over(grid, lattice.leaves, starts)
        curves = self._curves(tx, as_of, terms, so_far)
        series = self._series(tx, starts, terms, before, fresh, so_far)
        found = []
        for detector, item, late in zip(self.detectors, series, curves, strict=True):
            history = ordinary(excluded(item, self.watched.rule), occasions)
            history = history if late is None else late.completed(history)
            found.append(Learned(detector.fit(lattice, history, as_of, context), late))
        return found

    def recent(
        self,
        tx: store.Tx,
        bucket: int,
        terms: tuple[Terms, ...],
        before: Remembered,
        fresh: Counts,
        so_far: Judged,
        followed: Sequence[Incident],
    ) -> list[LeafSeries]:
        """The last days up to and with the bucket: level, longest window, search for an onset, incidents followed."""
        grid = self.watched.grid
        first = first_needed(grid, bucket, followed)
        return self._series(tx, grid.starts(first, grid.end(bucket)), terms, before, fresh, so_far)

    def past(
        self, tx: store.Tx, bucket: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> list[LeafSeries | None]:
        """Of a rule of days what a chart shows before the last days that are judged by, and a week of levels more."""
        grid, metrics = self.watched.grid, len(self.watched.rule.metrics)
        first = grid.shift(bucket, 1 - MOST_DAYS - level_span(grid))
        stop = first_needed(grid, bucket, ())
        if not grid.daily or stop <= first:
            return [None] * metrics
        return [*self._series(tx, grid.starts(first, stop), terms, before, fresh, so_far)]

    def _series(
        self, tx: store.Tx, starts: Times, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> list[LeafSeries]:
        """One series per metric, with the flags so far, as if renames and accepted changes had always been."""
        rule, leaves = self.watched.rule, self.lattice(terms).leaves
        found = read_series(tx, rule.name, starts, terms, len(rule.metrics), fresh, before.to_read, self._held)
        renames = [r.rename for r in before.renames]
        named = (with_renames(item, terms, rule.dimensions, renames) for item in found)
        flagged = (replace(item, flagged=so_far.flagged_over(item)) for item in named)
        return [
            with_accepted(item, metric.name, leaves, before.accepted)
            for item, metric in zip(flagged, rule.metrics, strict=True)
        ]

    def lattice(self, terms: tuple[Terms, ...]) -> Lattice:
        if len(terms) not in self._lattices:
            if len(self._lattices) > 4:
                self._lattices.clear()
            self._lattices[len(terms)] = Lattice.of(self.leaves_of(terms), self.watched.rule.depth)
        return self._lattices[len(terms)]

    def leaves_of(self, terms: tuple[Terms, ...]) -> Leaves:
        if self._leaves is None or len(self._leaves) != len(terms):
            self._leaves = Leaves.of(self.watched.rule.dimensions, terms)
        return self._leaves
