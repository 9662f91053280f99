"""Counts that a source holds back where they are small (privacy, reports of the largest rows): silence is not zero there.

Where no row below some count ever appears and rows just above it abound, a silent leaf may have had anything up to that
count. It is then taken at the most that this leaves open, so that slices near the cutoff do not seem to die and revive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k

Floats = NDArray[np.float64]


def cutoffs(codes: NDArray[np.int32], values: Floats) -> Floats:
    """Largest count held back for each leaf [S], 0 where none is; from codes [S, D] and leaf counts [S, T].

    Decided for every value of every dimension, since sources and tenants differ; a leaf has the largest of its own.
    """
    found = np.zeros(len(values))
    for d in range(codes.shape[1]):
        order = np.argsort(codes[:, d], kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(codes[order, d])) + 1):
            found[rows] = np.maximum(found[rows], cutoff(values[rows]))
    return found


def cutoff(cells: Floats) -> float:
    """Largest count held back in these cells [n, T], 0 where none is; NaN is unknown.

    A few smaller counts (a change of units, half of the rows lost) do not hide it. Where all counts are of one size
    the lack of small ones is no cutoff: those seen must reach far above it. Nor is an outage one: leaves that fall
    silent and come back must do so near the cutoff.
    """
    with np.errstate(invalid="ignore"):
        seen = cells[cells > 0]
    if len(seen) < k.CUTOFF_MIN_CELLS:
        return 0.0
    smallest = int(k.CUTOFF_STRAY * k.CUTOFF_SHARE * len(seen)) + 1
    if np.count_nonzero(seen < k.CUTOFF_LEAST) >= smallest:
        return 0.0  # the usual case, told without sorting
    returns = revived(cells)
    if len(returns) < k.CUTOFF_SHARE * len(seen):
        return 0.0
    seen.sort()
    tried = seen[:smallest]
    below = np.arange(len(tried))
    near = np.searchsorted(seen, k.CUTOFF_NEAR * tried, side="right") - below
    clear = (near >= k.CUTOFF_SHARE * len(seen)) & (below <= k.CUTOFF_STRAY * near)
    clear &= (
        (tried >= k.CUTOFF_LEAST) & (tried <= 0.5 * np.median(seen)) & (np.median(returns) <= k.CUTOFF_REACH * tried)
    )
    return float(tried[np.argmax(clear)]) - 1.0 if clear.any() else 0.0


def revived(cells: Floats) -> Floats:
    """Counts [n] with which leaves [S, T] that had events before came back from silence."""
    with np.errstate(invalid="ignore"):
        alive = cells > 0
    before = np.logical_or.accumulate(alive, axis=1)[:, :-1]
    return np.asarray(cells[:, 1:][alive[:, 1:] & (cells[:, :-1] == 0) & before])


def uncertain(values: Floats, mean: NDArray[np.floating[Any]], held_back: Floats) -> Floats:
    """Leaf counts [S, T] with silence taken at the most that is possible, and at no more than what is usual."""
    if not held_back.any():
        return values
    return np.where(values == 0, np.minimum(mean, held_back[:, None]), values)
