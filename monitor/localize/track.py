"""One cause followed through time: what came and what was expected, bucket by bucket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.fit import level_span
from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.causes import own_row
from monitor.statistics.common_mode import excuse
from monitor.statistics.level import level, tempered
from monitor.statistics.onset import Standing, standing

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """A cause over the view's buckets [T]; NaN where unknown. `expected` is free of the common mode."""

    observed: Floats
    expected: Floats
    windows: tuple[int, ...]
    alphas: tuple[float, ...]
    """Dispersion of sums over `windows` buckets: longer sums scatter less."""

    @property
    def alpha(self) -> float:
        """Dispersion of a single bucket."""
        return self.alphas[0]

    def alpha_over(self, buckets: int) -> float:
        """Dispersion of a sum over so many buckets: that of the longest window that is no longer."""
        inside = [alpha for width, alpha in zip(self.windows, self.alphas, strict=True) if width <= max(buckets, 1)]
        return inside[-1]

    def sums(self, first: int, stop: int) -> tuple[float, float]:
        """(observed, expected) over the known buckets of [first, stop)."""
        known = ~np.isnan(self.observed[first:stop])
        return float(self.observed[first:stop][known].sum()), float(self.expected[first:stop][known].sum())


def track(view: View, codes: tuple[int, ...], members: Bools, first: int) -> Track:
    """Follow a cause whose bad stretch starts at column `first`: its level is taken from before that."""
    observed = np.where(view.unknown_of(members), np.nan, view.leaf_seen[members].sum(axis=0))
    clean = view.leaf_clean[members].sum(axis=0)
    row = own_row(view, codes)
    seasonal = view.leaf_seasonal[members].sum(axis=0) if row is None else view.seasonal_of(row)
    here = _standing_level(view, clean, seasonal, first) if view.fit.bounds is None else 1.0
    table = view.fit.alpha_plain if not any(code != ANY for code in codes) else view.fit.alpha
    alphas = table[row] if row is not None else np.median(table, axis=0)
    return Track(observed, seasonal * here, view.fit.windows, tuple(float(alpha) for alpha in alphas))


def stands(found: Track, first: int, common: Floats | None, ratio: float, least: float = 0.0) -> Standing:
    """How a tracked cause stands at the newest bucket; columns are those of the view."""
    expected = found.expected if common is None else found.expected * excuse(common, down=ratio < 1.0)
    inside = standing(found.observed[first:], expected[first:], found.alpha_over, ratio, least)
    return Standing(first + inside.bad_until, inside.cleared)


def _standing_level(view: View, clean: Floats, seasonal: Floats, first: int) -> float:
    """Where a cause stood before column `first`: as of any slice, not far above where it stood the days before that."""
    span, total = level_span(view.grid), view.seasonal_of(0)
    stretches = [slice(max(0, stop - span), max(0, stop)) for stop in (first, first - span)]
    recent, older = (
        _level(clean[part], seasonal[part], _level(view.clean_total[part], total[part], 1.0)) for part in stretches
    )
    if view.grid.daily:
        return recent
    events = np.array(seasonal[stretches[1]].sum())
    return float(tempered(np.array(recent), np.array(older), events))


def _level(observed: Floats, seasonal: Floats, prior: float) -> float:
    known = ~np.isnan(observed)
    return float(level(observed[known].sum(keepdims=True), seasonal[known].sum(keepdims=True), prior)[0])
