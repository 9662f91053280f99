"""What stands beside a cause so that a person can believe it: the total, siblings, children, the curve."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.model import Evidence, Series, SliceFact, TotalState
from monitor.buckets import to_datetime
from monitor.curve import Band, curve_of, series_from
from monitor.detectors.bounds import limits
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.causes import Cause
from monitor.localize.track import Track, track
from monitor.statistics.negbin import quantile_band

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_NAMED = 10
"""Siblings or children listed; more are counted."""


def evidence_of(
    view: View, cause: Cause, followed: Track, context: Context, past: LeafSeries | None = None
) -> Evidence:
    """Facts over the cause's bad stretch, from its first bucket to the newest; `past` are earlier days, for the curve."""
    first, stop = cause.first, len(view.recent.starts)
    everything = np.ones(len(view.lattice.leaves), dtype=bool)
    whole = track(view, (ANY,) * len(cause.codes), everything, first)
    total = SliceFact(view.lattice.slice_of(0), *whole.sums(first, stop))
    _, expected = followed.sums(first, stop)
    p = float(np.exp(-view.fit.threshold))
    # A stretch may have no bucket in view any more: then nothing is expected of it.
    low, high = _band(view, np.array([expected]), followed.alpha, p, max(stop - first, 1))
    siblings = _siblings(view, cause)
    lost = abs(sum(followed.sums(first, stop)[i] * (-1) ** i for i in (0, 1)))
    grew = [s for s in siblings if _grew(s, lost) is cause.down and abs(s.observed - s.expected) >= 0.05 * s.expected]
    fine = [
        s
        for s in siblings
        if s not in grew and s.expected > 0 and abs(s.observed / s.expected - 1.0) < context.min_change
    ]
    children = _children(view, cause)
    return Evidence(
        total=total,
        total_state=_total_state(total, context),
        low=float(low[0]),
        high=float(high[0]),
        grew=tuple(sorted(grew, key=lambda s: s.expected - s.observed)[:MOST_NAMED]),
        fine=tuple(sorted(fine, key=lambda s: -s.expected)[:MOST_NAMED]),
        children=tuple(children[:MOST_NAMED]),
        children_count=len(children),
        last_seen=_last_seen(view, followed),
        series=curve_of(view, followed, _bucket_band(view, followed, p), cause.members, past),
        total_series=curve_of(view, whole, _bucket_band(view, whole, p), everything, past),
        occasions=view.occasions.names(cause.members, first),
    )


def _band(view: View, expected: Floats, alpha: float, p: float, buckets: int) -> tuple[Floats, Floats]:
    """What would be normal where so much is expected over so many buckets: by chance, or by the rule's bounds."""
    bounds = view.fit.bounds
    if bounds is None:
        return quantile_band(expected, np.full(len(expected), alpha), p)
    low, high = limits(bounds, expected / buckets)
    return low * buckets, np.where(np.isinf(high), expected, high * buckets)


def _bucket_band(view: View, followed: Track, p: float) -> Band:
    """The band of single buckets."""
    return lambda expected: _band(view, expected, followed.alpha, p, 1)


def _grew(sibling: SliceFact, lost: float) -> bool:
    return sibling.observed - sibling.expected >= 0.02 * lost


def _total_state(total: SliceFact, context: Context) -> TotalState:
    """Stable while the total stays within half the smallest change the rule tells."""
    change = total.observed / max(total.expected, 1e-9) - 1.0
    if abs(change) < context.min_change / 2.0:
        return TotalState.STABLE
    return TotalState.DOWN if change < 0 else TotalState.UP


def _siblings(view: View, cause: Cause) -> list[SliceFact]:
    """Slices that differ from the cause in one named dimension."""
    leaves = view.lattice.leaves
    observed, expected = view.leaf_came(cause.first)
    found = []
    for d in (i for i, code in enumerate(cause.codes) if code != ANY):
        others = np.ones(len(leaves), dtype=bool)
        for i, code in enumerate(cause.codes):
            if i != d and code != ANY:
                others &= leaves.codes[:, i] == code
        size = len(leaves.values[d])
        seen = np.bincount(leaves.codes[others, d], weights=observed[others], minlength=size)
        mu = np.bincount(leaves.codes[others, d], weights=expected[others], minlength=size)
        for value in range(size):
            if value != cause.codes[d] and mu[value] > 0:
                codes = [value if i == d else code for i, code in enumerate(cause.codes)]
                found.append(SliceFact(leaves.slice_of(codes), float(seen[value]), float(mu[value])))
    return found


def _children(view: View, cause: Cause) -> list[SliceFact]:
    """Alarmed slices it explains, the largest change first, its own name left out."""
    rows = [n for n in cause.explained if tuple(int(c) for c in view.lattice.codes[n]) != cause.codes]
    facts = []
    for row in rows:
        y = view.observed_of(row)[cause.first :]
        mu = np.where(np.isnan(y), np.nan, view.seasonal_of(row)[cause.first :] * view.levels[row, -1])
        facts.append(SliceFact(view.lattice.slice_of(row), float(np.nansum(y)), float(np.nansum(mu))))
    return sorted(facts, key=lambda s: -abs(s.expected - s.observed))


def _last_seen(view: View, followed: Track) -> datetime | None:
    seen = np.flatnonzero(np.nan_to_num(followed.observed) > 0)
    return to_datetime(int(view.recent.starts[seen[-1]])) if len(seen) else None


def series_of(view: View, followed: Track, p: float, begin: int) -> Series:
    """A cause from column `begin` on, with the band that chance leaves with probability p a side."""
    return series_from(view, followed, _bucket_band(view, followed, p), begin)
