"""One tick seen as arrays: what came, what was expected, per leaf and per slice, over the last few days.

An ordinary tick never holds all slices by all buckets: sums over stretches of time are taken at the leaves and rolled
up, and what has to be looked at cell by cell is done for a few slices at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import Grid
from monitor.detectors.fit import Fit, level_span
from monitor.detectors.model import LeafSeries, Present
from monitor.detectors.occasions import Occasions, uncertainty
from monitor.lattice import ANY, Lattice
from monitor.statistics import constants as k
from monitor.statistics.blocks import LARGE, blocks
from monitor.statistics.cutoff import uncertain
from monitor.statistics.level import cumulate, level, newest_sums, newest_trailing, tempered

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """The newest buckets, the last of which is judged.

    `recent.values` [S, T] is what came; `recent.flagged` marks cells that are no part of the level; `healed`
    [S, T] marks cells of incidents that are over: they are judged as if they had been normal. `present` says which
    share of each bucket's events is there by now; without it all are. Whatever is expected is what should be there.
    """

    grid: Grid
    lattice: Lattice
    fit: Fit
    recent: LeafSeries
    healed: Bools
    occasions: Occasions = field(default_factory=Occasions)
    present: Present | None = None

    def widened(self) -> View:
        """The view whose dispersion knows of the occasions within the windows and the days of the level."""
        if not self.occasions or self.fit.bounds is not None:
            return self
        span, touched = level_span(self.grid), self.occasions.touched(*self.recent.values.shape)
        extra = uncertainty(touched, self.leaf_seasonal, self.lattice, self.fit.windows, span)
        wide = replace(self.fit, alpha=self.fit.alpha + extra, alpha_plain=self.fit.alpha_plain + extra)
        return replace(self, fit=wide)

    @cached_property
    def _place(self) -> NDArray[np.int64]:
        return self.grid.position(self.recent.starts)

    @property
    def _buckets(self) -> int:
        return len(self.recent.starts)

    @cached_property
    def _known(self) -> Bools | None:
        """bool[T]: buckets that are known, where each is known or unknown as a whole; else None."""
        hidden = np.isnan(self.recent.values.sum(axis=0))
        return ~hidden if np.isnan(self.recent.values[:, hidden]).all() else None

    @cached_property
    def _plain(self) -> bool:
        """Whether what is expected is the seasonal mean at its level: then sums can be taken at the leaves."""
        ordinary = self.present is None and not self.occasions and self.fit.bounds is None
        return ordinary and self._known is not None

    def end_of(self, column: int) -> int:
        """When a bucket ends, in epoch seconds."""
        return self.grid.end(int(self.recent.starts[column]))

    def _columns(self, first: int, stop: int) -> Ints:
        """Known buckets of [first, stop)."""
        assert self._known is not None
        columns = np.arange(max(first, 0), max(stop, 0))
        return columns[self._known[columns]]

    @cached_property
    def leaf_seasonal(self) -> Floats:
        """[S, T]: seasonal mean of the leaves, not levelled, occasions included, as far as it should be there."""
        mean = self._leaf_whole
        return mean if self.present is None or self.fit.bounds is not None else mean * self.present.leaf

    @cached_property
    def _leaf_whole(self) -> Floats:
        """[S, T]: seasonal mean of the leaves once all has come."""
        if not self.occasions or self.fit.bounds is not None:
            return self.fit.leaf_mean[:, self._place].astype(float)
        return self.occasions.seasonal(self.fit.leaf_mean.astype(float), self._place, self.grid.per_day)

    @cached_property
    def slice_seasonal(self) -> Floats:
        """[N, T]: seasonal mean of the slices, not levelled, occasions included, as far as it should be there.

        Occasions change a slice as they change its leaves. Known for unknown buckets too.
        """
        mean = self._slice_whole
        return mean if self.present is None or self.fit.bounds is not None else mean * self.present.slices

    @cached_property
    def _slice_whole(self) -> Floats:
        """[N, T]: seasonal mean of the slices once all has come."""
        plain = self.fit.mean[:, self._place].astype(float)
        if not self.occasions or self.fit.bounds is not None:
            return plain
        columns = np.flatnonzero(self.occasions.touched(*self.recent.values.shape).any(axis=0))
        usual = self.lattice.rollup(self.fit.leaf_mean[:, self._place[columns]])
        changed = self.lattice.rollup(self._leaf_whole[:, columns])
        plain[:, columns] *= np.divide(changed, usual, out=np.ones_like(usual), where=usual > 0)
        return plain

    def seasonal_of(self, rows: int | slice | Ints) -> Floats:
        """One row [T] or some [n, T] of `slice_seasonal`."""
        if self._plain:
            return np.asarray(self.fit.mean[rows][..., self._place], dtype=float)
        return np.asarray(self.slice_seasonal[rows])

    @cached_property
    def _unjudged(self) -> Bools:
        """[S, T]: cells of which nobody knows what to expect."""
        return self.occasions.unknown(*self.recent.values.shape)

    @cached_property
    def _aside(self) -> Bools:
        """[S, T]: cells that are no part of the level."""
        if not self.occasions:
            return self.recent.flagged
        return self.recent.flagged | self.occasions.touched(*self.recent.values.shape)

    @cached_property
    def leaf_seen(self) -> Floats:
        """[S, T]: what came, cells of which nobody knows what to expect replaced by what is expected."""
        if not self.occasions:
            return self.recent.values
        return np.where(self._unjudged & ~np.isnan(self.recent.values), self.leaf_expected, self.recent.values)

    def unknown_of(self, members: Bools) -> Bools:
        """[T]: whether a slice of these leaves is unknown: mostly made of cells that are not judged."""
        if not self.occasions or not self._unjudged.any():
            return np.zeros(len(self.recent.starts), dtype=bool)
        expected = self.leaf_expected[members]
        hidden = np.where(self._unjudged[members], expected, 0.0).sum(axis=0)
        return np.asarray(hidden > k.UNJUDGED_SHARE * expected.sum(axis=0))

    @cached_property
    def leaf_expected(self) -> Floats:
        """[S, T]: seasonal mean at the leaf's own level from before the longest window."""
        return self.leaf_expected_from(self._before_longest)

    @cached_property
    def _before_longest(self) -> int:
        return max(0, self._buckets - max(self.fit.windows))

    def leaf_expected_from(self, first: int) -> Floats:
        """[S, T]: seasonal mean at the leaf's own level from the days before column `first`."""
        if self.fit.bounds is not None:
            return self.leaf_seasonal
        return np.asarray(self.leaf_seasonal * self._leaf_levels_from(first)[:, None])

    def leaf_expected_of(self, leaves: Ints | Bools, first: int | None = None) -> Floats:
        """The rows of `leaf_expected_from(first)`, or of `leaf_expected`, of some leaves [n, T]."""
        if not self._plain:
            return np.asarray((self.leaf_expected if first is None else self.leaf_expected_from(first))[leaves])
        levels = self._leaf_levels_from(self._before_longest if first is None else first)
        return np.asarray(self.fit.leaf_mean[leaves][:, self._place] * levels[leaves, None])

    @cached_property
    def _leaf_levels(self) -> dict[int, Floats]:
        return {}

    def _leaf_levels_from(self, first: int) -> Floats:
        """[S]: level of each leaf from the days before column `first`."""
        if first not in self._leaf_levels:
            seen, normal = self._leaf_normal(max(0, first - level_span(self.grid)), first)
            whole = level(seen.sum(keepdims=True), normal.sum(keepdims=True))
            self._leaf_levels[first] = level(seen, normal, whole)
        return self._leaf_levels[first]

    def _leaf_normal(self, first: int, stop: int) -> tuple[Floats, Floats]:
        """(what came, seasonal mean) [S] over the cells of [first, stop) that are known and part of the level."""
        values, aside = self.recent.values[:, first:stop], self._aside[:, first:stop]
        if not self._plain:
            use = ~aside & ~np.isnan(values)
            normal = np.where(use, self.leaf_seasonal[:, first:stop], 0.0).sum(axis=1)
            return np.where(use, values, 0.0).sum(axis=1), normal
        seen, normal = _sums_of_known(values), self._leaf_seasonal_sum(self._columns(first, stop))
        odd = np.flatnonzero(aside.any(axis=1))
        use = ~aside[odd] & ~np.isnan(values[odd])
        seen[odd] = np.where(use, values[odd], 0.0).sum(axis=1)
        mean = self.fit.leaf_mean[odd][:, self._place[first:stop]]
        normal[odd] = np.where(use, mean, 0.0).sum(axis=1, dtype=float)
        return seen, normal

    def _leaf_seasonal_sum(self, columns: Ints) -> Floats:
        """[S]: seasonal means summed over some buckets."""
        often = np.bincount(self._place[columns], minlength=self.fit.leaf_mean.shape[1]).astype(float)
        total = np.empty(len(self.fit.leaf_mean))
        for rows in blocks(len(total), LARGE):
            total[rows] = self.fit.leaf_mean[rows] @ often
        return total

    def leaf_sums(self, first: int, stop: int | None = None) -> tuple[Floats, Floats]:
        """(judged, expected) [S] over the known cells of [first, stop), at the level from before `first`."""
        return self._leaf_sums(self.leaf_judged, first, stop)

    def leaf_sums_from(self, first: int) -> tuple[Floats, Floats]:
        """`leaf_sums` up to the newest bucket, kept: they are asked for again and again where many causes are compared."""
        if first not in self._sums_by_first:
            self._sums_by_first[first] = self.leaf_sums(first)
        return self._sums_by_first[first]

    @cached_property
    def _sums_by_first(self) -> dict[int, tuple[Floats, Floats]]:
        return {}

    def leaf_came(self, first: int) -> tuple[Floats, Floats]:
        """(what came, expected) [S] over the known cells from column `first` on: `leaf_sums` with nothing healed."""
        return self._leaf_sums(self.recent.values, first, None)

    def _leaf_sums(self, values: Floats, first: int, stop: int | None) -> tuple[Floats, Floats]:
        part = slice(first, self._buckets if stop is None else stop)
        cells = values[:, part]
        if self._plain:
            expected = self._leaf_seasonal_sum(self._columns(part.start, part.stop)) * self._leaf_levels_from(first)
        else:
            expected = np.where(np.isnan(cells), 0.0, self.leaf_expected_from(first)[:, part]).sum(axis=1)
        return _sums_of_known(cells), expected

    def leaf_usual(self, first: int) -> Floats:
        """[S]: `leaf_expected` summed from column `first` on, unknown buckets included."""
        if not self._plain:
            return np.asarray(self.leaf_expected[:, first:].sum(axis=1))
        columns = np.arange(self._buckets)[first:]
        return self._leaf_seasonal_sum(columns) * self._leaf_levels_from(self._before_longest)

    @cached_property
    def leaf_judged(self) -> Floats:
        """[S, T]: what came, healed cells replaced by what was expected, silence by what may be held back."""
        return self._replaced(self._came, self.healed)

    @cached_property
    def _came(self) -> Floats:
        """[S, T]: what came, silence of leaves whose small counts are held back at the most it may be."""
        if self.fit.bounds is not None or not self.fit.held_back.any():
            return self.leaf_seen
        return uncertain(self.leaf_seen, self.leaf_seasonal, self.fit.held_back)

    @cached_property
    def leaf_clean(self) -> Floats:
        """[S, T]: what came, cells that are no part of the level replaced by what was expected."""
        return self._replaced(self._came, self._aside)

    def _replaced(self, values: Floats, cells: Bools) -> Floats:
        rows = np.flatnonzero(cells.any(axis=1))
        if not len(rows):
            return values
        found = values.copy()
        found[rows] = np.where(cells[rows] & ~np.isnan(values[rows]), self.leaf_expected_of(rows), values[rows])
        return found

    def observed_of(self, rows: int | slice | Ints) -> Floats:
        """What came to a slice [T] or to some [n, T], as it is judged; NaN where unknown."""
        return self.lattice.rollup(self.leaf_judged, rows)

    @cached_property
    def observed(self) -> Floats:
        """[N, T]: what came per slice, as it is judged."""
        return self.observed_of(slice(None))

    @cached_property
    def clean_total(self) -> Floats:
        """[T]: the total without flagged cells' damage."""
        return self.lattice.rollup(self.leaf_clean, 0)

    @cached_property
    def seasonal(self) -> Floats:
        """[N, T]: seasonal mean, not levelled, as far as it should be there; NaN where the bucket is unknown."""
        return np.where(np.isnan(self.observed), np.nan, self.seasonal_of(slice(None)))

    @cached_property
    def _cumulated(self) -> tuple[Floats, Floats]:
        """(observed, seasonal) [N, T + 1], cumulated."""
        return cumulate(self.observed), cumulate(self.seasonal)

    @cached_property
    def levels(self) -> Floats:
        """[N, W]: level of each slice from the days before each window."""
        if self.fit.bounds is not None:
            return np.ones((len(self.lattice), len(self.fit.windows)))
        seen, normal = self._level_sums() if self._plain else self._dense_level_sums()
        found, count = level(seen, normal, level(seen[:1], normal[:1])), len(self.fit.windows)
        if self.grid.daily:
            return found
        return tempered(found[:, :count], found[:, count:], normal[:, count:])

    @property
    def _level_gaps(self) -> list[int]:
        """Buckets between the newest and the days that levels [N, V] are taken from.

        Those before each window, and for buckets shorter than a day those before these as well.
        """
        backs = (0,) if self.grid.daily else (0, level_span(self.grid))
        return [width + back for back in backs for width in self.fit.windows]

    def _level_sums(self) -> tuple[Floats, Floats]:
        """(what came without spikes, seasonal mean) [N, V] of the days that levels are taken from."""
        span, stops = level_span(self.grid), [max(self._buckets - gap, 0) for gap in self._level_gaps]
        columns = self._columns(min(stops) - span, max(stops))
        weights = np.stack([(columns >= stop - span) & (columns < stop) for stop in stops], axis=1).astype(float)
        clean = np.ascontiguousarray(self.leaf_clean[:, columns])
        seen, normal = np.empty((2, len(self.lattice), len(stops)))
        for rows in blocks(len(self.lattice), LARGE):
            mean = self.fit.mean[rows][:, self._place[columns]].astype(float)
            seen[rows] = _capped(self.lattice.sums(clean, rows), mean, self.fit.alpha[rows, :1]) @ weights
            normal[rows] = mean @ weights
        return seen, normal

    def _dense_level_sums(self) -> tuple[Floats, Floats]:
        """The same where expectations differ from bucket to bucket, or parts of a bucket are unknown."""
        span = level_span(self.grid)
        capped = _capped(self.lattice.rollup(self.leaf_clean), self.seasonal, self.fit.alpha[:, :1])
        sums = (cumulate(capped), self._cumulated[1])
        seen, normal = (
            np.stack([newest_trailing(part, gap, span) for gap in self._level_gaps], axis=1) for part in sums
        )
        return seen, normal

    def judging(self, healed: Bools) -> View:
        """The same with other cells healed; what does not depend on them is kept."""
        other = replace(self, healed=healed)
        gone = ("healed", "leaf_judged", "observed", "seasonal", "_cumulated", "_windows", "levels", "_sums_by_first")
        other.__dict__.update({name: value for name, value in self.__dict__.items() if name not in gone})
        if self._plain and "levels" in self.__dict__:
            other.__dict__["levels"] = self.levels
        return other

    def windows(self, back: int = 0) -> tuple[Floats, Floats]:
        """(observed, expected) [N, W] of the windows that end `back` buckets before the newest."""
        if back not in self._windows:
            self._windows[back] = self._window_sums(back) if self._plain else self._dense_window_sums(back)
        seen, mean = self._windows[back]
        return seen, mean * self.levels

    @cached_property
    def _windows(self) -> dict[int, tuple[Floats, Floats]]:
        return {}

    def _window_sums(self, back: int) -> tuple[Floats, Floats]:
        """(observed, seasonal) [N, W] of the windows that end `back` buckets before the newest."""
        stop = self._buckets - back
        columns = self._columns(stop - max(self.fit.windows), stop)
        weights = np.stack([columns >= stop - width for width in self.fit.windows], axis=1).astype(float)
        mean = np.empty((len(self.lattice), weights.shape[1]))
        for rows in blocks(len(mean), LARGE):
            mean[rows] = self.fit.mean[rows][:, self._place[columns]] @ weights
        return self.lattice.rollup(self.leaf_judged[:, columns] @ weights), mean

    def _dense_window_sums(self, back: int) -> tuple[Floats, Floats]:
        """The same where expectations differ from bucket to bucket, or parts of a bucket are unknown."""
        stop = self._buckets + 1 - back
        seen, mean = (
            np.stack([newest_sums(part[:, :stop], width) for width in self.fit.windows], axis=1)
            for part in self._cumulated
        )
        return seen, mean

    def known_at(self, column: int) -> Bools:
        """bool[N]: slices that are known in a bucket."""
        return ~np.isnan(self.lattice.rollup(self.recent.values[:, column]))

    def common(self, observed: Floats, expected: Floats, left_out: Bools) -> Floats:
        """C [N, K] that each slice follows in each column of [N, K] arrays, from the references without `left_out` [N]."""
        found = self.fit.references.without(left_out).common(observed, expected)
        return np.broadcast_to(self.fit.references.spread(found), observed.shape)

    def common_by_bucket(self, left_out: Bools) -> Floats:
        """C [R + 1, T] bucket by bucket, of all slices and of each region."""
        references = self.fit.references.without(left_out)
        rows = np.flatnonzero(references.every)
        observed = self.observed_of(rows)
        expected = np.where(np.isnan(observed), np.nan, self.seasonal_of(rows)) * self.levels[rows, -1:]
        regions = 1 + int(references.region.max(initial=0))
        found = references.at(rows).common(observed, expected)
        # A region all of whose references are left out follows the whole.
        return np.concatenate([found, np.repeat(found[:1], regions - len(found), axis=0)])

    def region_of(self, codes: tuple[int, ...]) -> int:
        """The region a slice of these codes follows, in the lattice or deeper."""
        region = self.fit.references.region
        if not region.any():
            return 0
        wide = np.flatnonzero(region > 0)
        above = self.lattice.codes[wide]
        covering = wide[((above == ANY) | (above == np.array(codes))).all(axis=1)]
        return int(region[covering[0]]) if len(covering) else 0

    def overlapping(self, leaves: Bools) -> Bools:
        """bool[N]: slices of which more than a tenth of the expected events lie in these leaves."""
        weight = self.fit.leaf_volume
        inside = self.lattice.rollup(np.where(leaves, weight, 0.0))
        return np.asarray(inside > 0.1 * self.lattice.rollup(weight))


def _sums_of_known(values: Floats) -> Floats:
    """[S]: sums of what is known of each row [S, n]."""
    seen = np.asarray(values.sum(axis=1))
    return seen if not np.isnan(seen).any() else np.where(np.isnan(values), 0.0, values).sum(axis=1)


def _capped(came: Floats, mean: Floats, alpha: Floats) -> Floats:
    """Spikes cut, so that one does not lift the level; the cap allows for a level of up to twice the seasonal mean."""
    cap = np.sqrt((4.0 * alpha * mean + 2.0) * mean)
    cap *= 3.0
    cap += 2.0 * mean + 1.0
    return np.minimum(came, cap, out=cap)
