"""A stretch of the past of one metric, as the detector looks at it: what came, what was expected, by today's fit.

What judged a stretch at its time is kept for a few days only. The newest fit knows the same weeks or later ones, and
leaves out what was flagged; the level is that of the days before the stretch, as it was then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alerts.model import Series
from monitor import store
from monitor.buckets import DAY
from monitor.calendars import Calendar
from monitor.detectors.fit import level_span
from monitor.detectors.model import LeafSeries
from monitor.detectors.view import View
from monitor.evidence import series_of
from monitor.localize.track import track
from monitor.views.panorama import Panorama
from rules.slices import Slice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LONGEST = 21 * DAY
"""Of a longer stretch the first days are looked at."""


@dataclass(frozen=True)
class Stretch:
    """A view whose columns `first` to `stop` are the stretch; those before hold its level, those after what came then."""

    view: View
    first: int
    stop: int

    def series(self, item: Slice, around: int) -> Series | None:
        """A slice from `around` buckets before the stretch to the view's end; None for one that names unknown values."""
        codes = self.view.lattice.leaves.codes_of(item)
        members = self.view.lattice.leaves.members(item)
        if not members.any():
            return None
        found = track(self.view, codes, members, self.first)
        return series_of(self.view, found, float(np.exp(-self.view.fit.threshold)), max(self.first - around, 0))

    def by_value(self, d: int, within: Bools) -> tuple[Floats, Floats]:
        """(observed, expected) of each value of dimension d over the stretch, of the leaves `within` [S] only."""
        leaves = self.view.lattice.leaves
        observed, expected = self._sums
        codes, size = leaves.codes[within, d], len(leaves.values[d])
        seen, normal = (
            np.bincount(codes, weights=part[within], minlength=size).astype(float) for part in (observed, expected)
        )
        return seen, normal

    def members(self, item: Slice, but: str = "") -> Bools:
        """bool[S]: leaves of a slice, one of its dimensions left open."""
        return self.view.lattice.leaves.members(Slice(tuple(term for term in item.terms if term[0] != but)))

    @cached_property
    def _sums(self) -> tuple[Floats, Floats]:
        return self.view.leaf_sums(self.first, self.stop)


def stretch_of(state: store.Store, panorama: Panorama, since: int, until: int, after: int) -> Stretch | None:
    """The stretch [since, until) in epoch seconds with `after` buckets behind it; None where nothing of it is kept."""
    rule, grid, lattice = panorama.rule, panorama.question.grid, panorama.lattice
    metric = [item.name for item in rule.metrics].index(panorama.metric)
    since, until = grid.floor(since), min(until, since + LONGEST)
    # What a slice had grown to is checked against the days before; of short buckets these are too many to read.
    span = level_span(grid) * (1 if grid.seconds < 3600 else 2)
    newest = grid.end(int(panorama.question.recent.starts[-1]))
    last = min(max(grid.shift(grid.floor(until), after), grid.end(since)), max(newest, grid.end(since)))
    starts = grid.starts(grid.shift(since, -span), last)
    leaves, measures = len(lattice.leaves), len(rule.metrics)
    with state.read() as tx:
        block = store.pages(tx, rule.name, starts, n_leaves=leaves, measures=measures)
        flagged = store.flags(tx, rule.name, starts, leaves)
    recent = LeafSeries(starts, np.asarray(block.values[metric], dtype=float), flagged, block.lag)
    first, stop = (int(np.searchsorted(starts, at)) for at in (since, until))
    if np.isnan(recent.values[:, first:stop]).all():
        return None
    return Stretch(_view(panorama, recent), first, max(stop, first + 1))


def _view(panorama: Panorama, recent: LeafSeries) -> View:
    """As the detector makes its own; nothing is healed, so that what was bad is shown as it came."""
    question, lattice = panorama.question, panorama.lattice
    occasions = Calendar.of(panorama.rule).over(question.grid, lattice.leaves, recent.starts)
    present = None
    if question.curves is not None and recent.lag is not None:
        present = question.curves.over(recent.lag)
    nothing = np.zeros_like(recent.flagged)
    return View(question.grid, lattice, question.fit, recent, nothing, occasions, present).widened()
