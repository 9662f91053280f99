"""One tick seen as arrays: what came, what was expected, per leaf and per slice, over the last few days.

An ordinary tick never holds all slices by all buckets: sums over stretches of time are taken at the leaves and rolled
up, and what has to be looked at cell by cell is done for a few slices at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import Grid
from monitor.detectors.fit import Fit, level_span
from monitor.detectors.model import LeafSeries
from monitor.lattice import Lattice
from monitor.statistics.blocks import LARGE, blocks
from monitor.statistics.common_mode import common_mode
from monitor.statistics.level import level

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """The newest buckets, the last of which is judged.

    `recent.values` [S, T] is what came; `recent.flagged` marks cells that are no part of the level; `healed`
    [S, T] marks cells of incidents that are over: they are judged as if they had been normal.
    """

    grid: Grid
    lattice: Lattice
    fit: Fit
    recent: LeafSeries
    healed: Bools

    @cached_property
    def _place(self) -> Ints:
        return self.grid.position(self.recent.starts)

    @property
    def _buckets(self) -> int:
        return len(self.recent.starts)

    @cached_property
    def _known(self) -> Bools | None:
        """bool[T]: buckets that are known, where each is known or unknown as a whole; else None."""
        hidden = np.isnan(self.recent.values.sum(axis=0))
        return ~hidden if np.isnan(self.recent.values[:, hidden]).all() else None

    def _columns(self, first: int, stop: int) -> Ints:
        """Known buckets of [first, stop), or all where they are not known as a whole."""
        columns = np.arange(max(first, 0), max(stop, 0))
        return columns if self._known is None else columns[self._known[columns]]

    # --- leaves --------------------------------------------------------------------------------------

    @cached_property
    def leaf_expected(self) -> Floats:
        """[S, T]: seasonal mean at the leaf's own level from before the longest window."""
        return self.leaf_expected_from(self._before_longest)

    @cached_property
    def _before_longest(self) -> int:
        return max(0, self._buckets - max(self.fit.windows))

    def leaf_expected_from(self, first: int) -> Floats:
        """[S, T]: seasonal mean at the leaf's own level from the days before column `first`."""
        return self.leaf_expected_of(slice(None), first)

    def leaf_expected_of(self, leaves: slice | Ints | Bools, first: int | None = None) -> Floats:
        """The rows of `leaf_expected_from(first)`, or of `leaf_expected`, of some leaves [n, T]."""
        levels = self._leaf_levels_from(self._before_longest if first is None else first)
        return np.asarray(self.fit.leaf_mean[leaves][:, self._place] * levels[leaves, None])

    @cached_property
    def _leaf_levels(self) -> dict[int, Floats]:
        return {}

    def _leaf_levels_from(self, first: int) -> Floats:
        """[S]: level of each leaf from the days before column `first`."""
        if first not in self._leaf_levels:
            begin = max(0, first - level_span(self.grid))
            seen, normal = self._leaf_normal(begin, first)
            whole = level(seen.sum(keepdims=True), normal.sum(keepdims=True))
            self._leaf_levels[first] = level(seen, normal, whole)
        return self._leaf_levels[first]

    def _leaf_normal(self, first: int, stop: int) -> tuple[Floats, Floats]:
        """(what came, seasonal mean) [S] over the cells of [first, stop) that are known and not flagged."""
        values, flagged = self.recent.values[:, first:stop], self.recent.flagged[:, first:stop]
        columns = self._columns(first, stop)
        seen, normal = self._leaf_came(values), self._leaf_seasonal(columns)
        odd = np.flatnonzero(flagged.any(axis=1) if self._known is not None else np.ones(len(values), dtype=bool))
        use = ~flagged[odd] & ~np.isnan(values[odd])
        seen[odd] = np.where(use, values[odd], 0.0).sum(axis=1)
        normal[odd] = np.where(use, self.fit.leaf_mean[odd][:, self._place[first:stop]], 0.0).sum(axis=1, dtype=float)
        return seen, normal

    @staticmethod
    def _leaf_came(values: Floats) -> Floats:
        """[S]: sums of what is known."""
        seen = np.asarray(values.sum(axis=1))
        return seen if not np.isnan(seen).any() else np.where(np.isnan(values), 0.0, values).sum(axis=1)

    def _leaf_seasonal(self, columns: Ints) -> Floats:
        """[S]: seasonal means summed over some buckets."""
        often = np.bincount(self._place[columns], minlength=self.fit.leaf_mean.shape[1]).astype(float)
        total = np.empty(len(self.fit.leaf_mean))
        for rows in blocks(len(total), LARGE):
            total[rows] = self.fit.leaf_mean[rows] @ often
        return total

    def leaf_sums(self, first: int, stop: int | None = None) -> tuple[Floats, Floats]:
        """(judged, expected) [S] over the known cells of [first, stop), at the level from before `first`."""
        return self._leaf_sums(self.leaf_judged, first, stop)

    def leaf_came(self, first: int) -> tuple[Floats, Floats]:
        """(what came, expected) [S] over the known cells from column `first` on: `leaf_sums` with nothing healed."""
        return self._leaf_sums(self.recent.values, first, None)

    def _leaf_sums(self, values: Floats, first: int, stop: int | None) -> tuple[Floats, Floats]:
        part = slice(first, self._buckets if stop is None else stop)
        cells = values[:, part]
        if self._known is None:
            expected = np.where(np.isnan(cells), 0.0, self.leaf_expected_from(first)[:, part]).sum(axis=1)
        else:
            expected = self._leaf_seasonal(self._columns(part.start, part.stop)) * self._leaf_levels_from(first)
        return self._leaf_came(cells), expected

    def leaf_usual(self, first: int) -> Floats:
        """[S]: `leaf_expected` summed from column `first` on, unknown buckets included."""
        columns = np.arange(self._buckets)[first:]
        return self._leaf_seasonal(columns) * self._leaf_levels_from(self._before_longest)

    @cached_property
    def leaf_judged(self) -> Floats:
        """[S, T]: what came, healed cells replaced by what was expected."""
        return self._replaced(self.healed)

    @cached_property
    def leaf_clean(self) -> Floats:
        """[S, T]: what came, flagged cells replaced by what was expected."""
        return self._replaced(self.recent.flagged)

    def _replaced(self, cells: Bools) -> Floats:
        values = self.recent.values
        rows = np.flatnonzero(cells.any(axis=1))
        if not len(rows):
            return values
        found = values.copy()
        found[rows] = np.where(cells[rows] & ~np.isnan(values[rows]), self.leaf_expected_of(rows), values[rows])
        return found

    # --- slices --------------------------------------------------------------------------------------

    def observed_of(self, rows: int | slice | Ints) -> Floats:
        """What came to a slice [T] or to some [n, T], as it is judged; NaN where unknown."""
        return self.lattice.rollup(self.leaf_judged, rows)

    def seasonal_of(self, rows: int | slice | Ints) -> Floats:
        """Seasonal mean of a slice [T] or of some [n, T], not levelled; known for unknown buckets too."""
        return np.asarray(self.fit.mean[rows][..., self._place], dtype=float)

    @cached_property
    def observed(self) -> Floats:
        """[N, T]: what came per slice, as it is judged."""
        return self.observed_of(slice(None))

    @cached_property
    def seasonal(self) -> Floats:
        """[N, T]: seasonal mean, not levelled; NaN where the bucket is unknown."""
        return np.where(np.isnan(self.observed), np.nan, self.seasonal_of(slice(None)))

    @cached_property
    def clean_total(self) -> Floats:
        """[T]: the total without flagged cells' damage."""
        return self.lattice.rollup(self.leaf_clean, 0)

    @cached_property
    def levels(self) -> Floats:
        """[N, W]: level of each slice from the days before each window."""
        span, stops = level_span(self.grid), [max(self._buckets - width, 0) for width in self.fit.windows]
        columns = self._columns(min(stops) - span, max(stops))
        inside = [(columns >= stop - span) & (columns < stop) for stop in stops]
        weights = np.stack(inside, axis=1).astype(float)
        clean = np.ascontiguousarray(self.leaf_clean[:, columns])
        seen, normal = np.empty((2, len(self.lattice), len(stops)))
        for rows in blocks(len(self.lattice), LARGE):
            mean = self.fit.mean[rows][:, self._place[columns]].astype(float)
            if self._known is None:
                came = self.lattice.rollup(clean, rows)
                came, mean = np.nan_to_num(came), np.where(np.isnan(came), 0.0, mean)
            else:
                came = self.lattice.sums(clean, rows)
            seen[rows] = _capped(came, mean, self.fit.alpha[rows, :1]) @ weights
            normal[rows] = mean @ weights
        return level(seen, normal, level(seen[:1], normal[:1]))

    def judging(self, healed: Bools) -> View:
        """The same with other cells healed; what does not depend on them is kept."""
        other = replace(self, healed=healed)
        kept = ("_place", "_known", "_leaf_levels", "leaf_clean", "clean_total", "levels")
        other.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return other

    def windows(self, back: int = 0) -> tuple[Floats, Floats]:
        """(observed, expected) [N, W] of the windows that end `back` buckets before the newest."""
        if back not in self._windows:
            self._windows[back] = self._window_sums(self._buckets - back)
        seen, mean = self._windows[back]
        return seen, mean * self.levels

    @cached_property
    def _windows(self) -> dict[int, tuple[Floats, Floats]]:
        return {}

    def _window_sums(self, stop: int) -> tuple[Floats, Floats]:
        """(observed, seasonal) [N, W] of the windows that end before column `stop`."""
        columns = self._columns(stop - max(self.fit.windows), stop)
        weights = np.stack([columns >= stop - width for width in self.fit.windows], axis=1).astype(float)
        if self._known is None:
            return self._uneven_sums(columns, weights)
        mean = np.empty((len(self.lattice), weights.shape[1]))
        for rows in blocks(len(mean), LARGE):
            mean[rows] = self.fit.mean[rows][:, self._place[columns]] @ weights
        return self.lattice.rollup(self.leaf_judged[:, columns] @ weights), mean

    def _uneven_sums(self, columns: Ints, weights: Floats) -> tuple[Floats, Floats]:
        """The same where some slices are unknown in a bucket that others are known in."""
        observed = self.lattice.rollup(self.leaf_judged[:, columns])
        seasonal = np.where(np.isnan(observed), 0.0, self.fit.mean[:, self._place[columns]])
        return np.nan_to_num(observed) @ weights, seasonal @ weights

    def known_at(self, column: int) -> Bools:
        """bool[N]: slices that are known in a bucket."""
        return ~np.isnan(self.lattice.rollup(self.recent.values[:, column]))

    # --- common mode ---------------------------------------------------------------------------------

    def common(self, observed: Floats, expected: Floats, left_out: Bools) -> Floats:
        """C of each column of [N, K] arrays, from the references without `left_out` [N]."""
        return common_mode(observed, expected, self.fit.references & ~left_out)

    def common_by_bucket(self, left_out: Bools) -> Floats:
        """C [T] bucket by bucket."""
        rows = np.flatnonzero(self.fit.references & ~left_out)
        observed = self.observed_of(rows)
        expected = np.where(np.isnan(observed), np.nan, self.seasonal_of(rows)) * self.levels[rows, -1:]
        return common_mode(observed, expected, np.ones(len(rows), dtype=bool))

    def overlapping(self, leaves: Bools) -> Bools:
        """bool[N]: slices of which more than a tenth of the expected events lie in these leaves."""
        weight = self.fit.leaf_volume
        inside = self.lattice.rollup(np.where(leaves, weight, 0.0))
        return np.asarray(inside > 0.1 * self.lattice.rollup(weight))


def _capped(came: Floats, mean: Floats, alpha: Floats) -> Floats:
    """Spikes cut, so that one does not lift the level; the cap allows for a level of up to twice the seasonal mean."""
    cap = np.sqrt((4.0 * alpha * mean + 2.0) * mean)
    cap *= 3.0
    cap += 2.0 * mean + 1.0
    return np.minimum(came, cap, out=cap)
