"""One tick seen as arrays: what came, what was expected, per leaf and per slice, over the last few days."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import Grid
from monitor.detectors.fit import Fit, level_span
from monitor.detectors.model import LeafSeries
from monitor.lattice import Lattice
from monitor.statistics.common_mode import common_mode
from monitor.statistics.cutoff import uncertain
from monitor.statistics.level import cumulate, level, newest_sums, newest_trailing, tempered

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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
    def _place(self) -> NDArray[np.int64]:
        return self.grid.position(self.recent.starts)

    @cached_property
    def leaf_expected(self) -> Floats:
        """[S, T]: seasonal mean at the leaf's own level from before the longest window."""
        return self.leaf_expected_from(max(0, len(self.recent.starts) - max(self.fit.windows)))

    def leaf_expected_from(self, first: int) -> Floats:
        """[S, T]: seasonal mean at the leaf's own level from the days before column `first`."""
        seasonal = self.fit.leaf_mean[:, self._place]
        begin = max(0, first - level_span(self.grid))
        use = ~self.recent.flagged[:, begin:first] & ~np.isnan(self.recent.values[:, begin:first])
        seen = np.where(use, self.recent.values[:, begin:first], 0.0).sum(axis=1)
        normal = np.where(use, seasonal[:, begin:first], 0.0).sum(axis=1)
        whole = level(seen.sum(keepdims=True), normal.sum(keepdims=True))
        return np.asarray(seasonal * level(seen, normal, whole)[:, None])

    @cached_property
    def leaf_judged(self) -> Floats:
        """[S, T]: what came, healed cells replaced by what was expected, silence by what may have been held back."""
        return np.where(self.healed & ~np.isnan(self.recent.values), self.leaf_expected, self._came)

    @cached_property
    def _came(self) -> Floats:
        if not self.fit.held_back.any():
            return self.recent.values
        return uncertain(self.recent.values, self.fit.leaf_mean[:, self._place], self.fit.held_back)

    @cached_property
    def observed(self) -> Floats:
        """[N, T]: what came per slice, as it is judged."""
        return self.lattice.rollup(self.leaf_judged)

    @cached_property
    def _clean(self) -> Floats:
        cells = np.where(self.recent.flagged & ~np.isnan(self.recent.values), self.leaf_expected, self._came)
        return self.lattice.rollup(cells)

    @property
    def clean_total(self) -> Floats:
        """[T]: the total without flagged cells' damage."""
        return np.asarray(self._clean[0])

    @cached_property
    def seasonal(self) -> Floats:
        """[N, T]: seasonal mean, not levelled; NaN where the bucket is unknown."""
        return np.where(np.isnan(self.observed), np.nan, self.fit.mean[:, self._place])

    @cached_property
    def _cumulated(self) -> tuple[Floats, Floats]:
        """(observed, seasonal) [N, T + 1], cumulated."""
        return cumulate(self.observed), cumulate(self.seasonal)

    @cached_property
    def levels(self) -> Floats:
        """[N, W]: level of each slice from the days before each window."""
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
