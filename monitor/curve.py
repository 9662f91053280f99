"""The curve of a cause for a chart: the last days of a rule of hours, the last eight weeks of one of days. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alerts.model import Series
from monitor.buckets import Times, to_datetime
from monitor.detectors.fit import level_span
from monitor.detectors.model import LeafSeries
from monitor.detectors.view import View
from monitor.localize.track import Track
from monitor.statistics.level import level

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Band = Callable[[Floats], tuple[Floats, Floats]]
"""What would be normal in buckets [T] of which so much is expected."""

MOST_BUCKETS = 72
MOST_DAYS = 56
"""Of a rule of days: two months, in which a weekend is told from a loss."""


def most_buckets(*, daily: bool) -> int:
    """How many buckets a chart shows."""
    return MOST_DAYS if daily else MOST_BUCKETS


def curve_of(view: View, followed: Track, band: Band, members: Bools, past: LeafSeries | None) -> Series:
    """What came of the leaves `members` bool[S], what was expected, and what would have been normal.

    `past` are days before those of the view. A day of them is expected at the level of the week before it.
    """
    starts, observed, expected = view.recent.starts, followed.observed, followed.expected
    if past is not None and len(past.starts):
        came, mean = _past(view, members, past)
        starts = np.concatenate([past.starts, starts])
        observed, expected = np.concatenate([came, observed]), np.concatenate([mean, expected])
    known = np.flatnonzero(~np.isnan(observed))
    # What lies before everything that is known is no gap.
    first = max(len(starts) - most_buckets(daily=view.grid.daily), int(known[0]) if len(known) else 0, 0)
    return _series(starts[first:], observed[first:], expected[first:], band)


def series_from(view: View, followed: Track, band: Band, begin: int) -> Series:
    """The same from column `begin` of the view on."""
    return _series(view.recent.starts[begin:], followed.observed[begin:], followed.expected[begin:], band)


def _series(starts: Times, observed: Floats, expected: Floats, band: Band) -> Series:
    low, high = band(np.nan_to_num(expected))
    unsaid = np.isnan(expected)
    return Series(
        starts=tuple(to_datetime(int(t)) for t in starts),
        observed=_optional(observed),
        expected=_optional(expected),
        low=_optional(np.where(unsaid, np.nan, low)),
        high=_optional(np.where(unsaid, np.nan, high)),
    )


def _past(view: View, members: Bools, past: LeafSeries) -> tuple[Floats, Floats]:
    """(what came, what was expected) [T] of days that the view does not hold; NaN where that is not known."""
    values, aside = past.values[members], past.flagged[members]
    came = values.sum(axis=0)
    if view.fit.bounds is not None:
        return came, np.full(len(came), np.nan)
    mean = view.fit.leaf_mean[members][:, view.grid.position(past.starts)].astype(float)
    use = ~aside & ~np.isnan(values)
    seen, normal = np.where(use, values, 0.0).sum(axis=0), np.where(use, mean, 0.0).sum(axis=0)
    return came, mean.sum(axis=0) * _levels(seen, normal, level_span(view.grid))


def _levels(seen: Floats, normal: Floats, span: int) -> Floats:
    """[T]: the level of the `span` buckets before each; NaN where nothing of them is known."""
    before = [slice(max(0, t - span), t) for t in range(len(seen))]
    sums = np.array([[part[b].sum() for b in before] for part in (seen, normal)])
    return np.where(sums[1] > 0, level(sums[0], sums[1], 1.0), np.nan)


def _optional(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(v) else round(float(v), 2) for v in values)
