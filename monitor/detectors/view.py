"""One tick seen as arrays: what came, what was expected, per leaf and per slice, over the last few days."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import Grid
from monitor.detectors.fit import Fit, level_span
from monitor.detectors.model import LeafSeries, Present
from monitor.detectors.occasions import Occasions, uncertainty
from monitor.lattice import Lattice
from monitor.statistics import constants as k
from monitor.statistics.common_mode import common_mode
from monitor.statistics.cutoff import uncertain
from monitor.statistics.level import cumulate, level, newest_sums, newest_trailing, tempered

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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

    @cached_property
    def leaf_seasonal(self) -> Floats:
        """[S, T]: seasonal mean of the leaves, not levelled, occasions included, as far as it should be there."""
        mean = self._leaf_whole
        return mean if self.present is None or self.fit.bounds is not None else mean * self.present.leaf

    @cached_property
    def _leaf_whole(self) -> Floats:
        """[S, T]: seasonal mean of the leaves once all has come."""
        if not self.occasions or self.fit.bounds is not None:
            return self.fit.leaf_mean[:, self._place]
        return self.occasions.seasonal(self.fit.leaf_mean, self._place, self.grid.per_day)

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
        plain = self.fit.mean[:, self._place]
        if not self.occasions or self.fit.bounds is not None:
            return plain
        columns = np.flatnonzero(self.occasions.touched(*self.recent.values.shape).any(axis=0))
        usual = self.lattice.rollup(self.fit.leaf_mean[:, self._place[columns]])
        changed = self.lattice.rollup(self._leaf_whole[:, columns])
        plain[:, columns] *= np.divide(changed, usual, out=np.ones_like(usual), where=usual > 0)
        return plain

    def seasonal_of(self, row: int) -> Floats:
        """[T]: one row of `slice_seasonal`."""
        return np.asarray(self.slice_seasonal[row])

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
        return self.leaf_expected_from(max(0, len(self.recent.starts) - max(self.fit.windows)))

    def leaf_expected_from(self, first: int) -> Floats:
        """[S, T]: seasonal mean at the leaf's own level from the days before column `first`."""
        seasonal = self.leaf_seasonal
        if self.fit.bounds is not None:
            return seasonal
        begin = max(0, first - level_span(self.grid))
        use = ~self._aside[:, begin:first] & ~np.isnan(self.recent.values[:, begin:first])
        seen = np.where(use, self.recent.values[:, begin:first], 0.0).sum(axis=1)
        normal = np.where(use, seasonal[:, begin:first], 0.0).sum(axis=1)
        whole = level(seen.sum(keepdims=True), normal.sum(keepdims=True))
        return np.asarray(seasonal * level(seen, normal, whole)[:, None])

    @cached_property
    def leaf_judged(self) -> Floats:
        """[S, T]: what came, healed cells replaced by what was expected, silence by what may be held back."""
        return np.where(self.healed & ~np.isnan(self.recent.values), self.leaf_expected, self._came)

    @cached_property
    def _came(self) -> Floats:
        """[S, T]: what came, silence of leaves whose small counts are held back at the most it may be."""
        if self.fit.bounds is not None:
            return self.leaf_seen
        return uncertain(self.leaf_seen, self.leaf_seasonal, self.fit.held_back)

    @cached_property
    def observed(self) -> Floats:
        """[N, T]: what came per slice, as it is judged."""
        return self.lattice.rollup(self.leaf_judged)

    @cached_property
    def leaf_clean(self) -> Floats:
        """[S, T]: what came, cells that are no part of the level replaced by what was expected."""
        return np.where(self._aside & ~np.isnan(self.recent.values), self.leaf_expected, self._came)

    @cached_property
    def _clean(self) -> Floats:
        return self.lattice.rollup(self.leaf_clean)

    @property
    def clean_total(self) -> Floats:
        """[T]: the total without flagged cells' damage."""
        return np.asarray(self._clean[0])

    @cached_property
    def seasonal(self) -> Floats:
        """[N, T]: seasonal mean, not levelled, as far as it should be there; NaN where the bucket is unknown."""
        return np.where(np.isnan(self.observed), np.nan, self.slice_seasonal)

    @cached_property
    def _cumulated(self) -> tuple[Floats, Floats]:
        """(observed, seasonal) [N, T + 1], cumulated."""
        return cumulate(self.observed), cumulate(self.seasonal)

    @cached_property
    def levels(self) -> Floats:
        """[N, W]: level of each slice from the days before each window."""
        if self.fit.bounds is not None:
            return np.ones((len(self.lattice), len(self.fit.windows)))
        span = level_span(self.grid)
        seen, normal = cumulate(self._capped), self._cumulated[1]
        columns = []
        for width in self.fit.windows:
            recent, older = (self._level(seen, normal, width + back, span) for back in (0, span))
            events = newest_trailing(normal, width + span, span)
            columns.append(recent if self.grid.daily else tempered(recent, older, events))
        return np.stack(columns, axis=1)

    @staticmethod
    def _level(seen: Floats, normal: Floats, width: int, span: int) -> Floats:
        before, seasonal = newest_trailing(seen, width, span), newest_trailing(normal, width, span)
        return level(before, seasonal, level(before[:1], seasonal[:1]))

    @cached_property
    def _capped(self) -> Floats:
        mu, alpha = self.seasonal, self.fit.alpha[:, :1]
        # The cap allows for a level of up to twice the seasonal mean before it cuts.
        return np.minimum(self._clean, 2.0 * mu + 3.0 * np.sqrt(2.0 * mu + 4.0 * alpha * mu * mu) + 1.0)

    def windows(self, back: int = 0) -> tuple[Floats, Floats]:
        """(observed, expected) [N, W] of the windows that end `back` buckets before the newest."""
        stop = self.observed.shape[1] + 1 - back
        y, m = (part[:, :stop] for part in self._cumulated)
        seen = np.stack([newest_sums(y, width) for width in self.fit.windows], axis=1)
        mean = np.stack([newest_sums(m, width) for width in self.fit.windows], axis=1)
        return seen, mean * self.levels

    def common(self, observed: Floats, expected: Floats, left_out: Bools) -> Floats:
        """C of each column of [N, K] arrays, from the references without `left_out` [N]."""
        return common_mode(observed, expected, self.fit.references & ~left_out)

    def common_by_bucket(self, left_out: Bools) -> Floats:
        """C [T] bucket by bucket."""
        return self.common(self.observed, self.seasonal * self.levels[:, -1:], left_out)

    def overlapping(self, leaves: Bools) -> Bools:
        """bool[N]: slices of which more than a tenth of the expected events lie in these leaves."""
        weight = self.fit.leaf_mean.mean(axis=1)
        inside = self.lattice.rollup(np.where(leaves, weight, 0.0))
        return np.asarray(inside > 0.1 * self.lattice.rollup(weight))
