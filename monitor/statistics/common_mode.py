"""Step 4: what moves everything at once (weather, a holiday, a total outage) is one event, not many."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k
from monitor.statistics.blocks import blocks

Floats = NDArray[np.float64]
Singles = NDArray[np.floating[Any]]


SAMPLED = 512
"""From twice as many values on, the median is first bracketed by a sample of about so many."""
BRACKET = 0.08
"""Share of the weight on either side of a sample's median within which the median of all is looked for."""


def weighted_median(values: Singles, weights: Singles) -> float:
    """The value at which half of the weight lies on either side."""
    if len(values) >= 2 * SAMPLED:
        found = _bracketed(values, weights)
        if found is not None:
            return found
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(cumulated, 0.5 * cumulated[-1])]])


def _bracketed(values: Singles, weights: Singles) -> float | None:
    """The same where only values near a sample's median are sorted; None where it lies elsewhere."""
    low, high = _bracket(values[:: len(values) // SAMPLED], weights[:: len(values) // SAMPLED])
    half = 0.5 * float(weights.sum())
    below = float(weights @ (values < low))
    near = np.flatnonzero((values >= low) & (values <= high))
    order = near[np.argsort(values[near], kind="stable")]
    at = int(np.searchsorted(below + np.cumsum(weights[order]), half))
    return float(values[order[at]]) if below < half and at < len(order) else None


def _bracket(values: Singles, weights: Singles) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    ends = np.searchsorted(cumulated, np.array([0.5 - BRACKET, 0.5 + BRACKET]) * cumulated[-1])
    low, high = values[order[ends]]
    return float(low), float(high)


def common_mode(y: Singles, mu: Singles, references: NDArray[np.bool_]) -> Floats:
    """C [T]: weighted median over reference slices of (y + 1)/(mu + 1), weights sqrt mu, per column of [N, T].

    1 where fewer than `COMMON_MIN_SLICES` references are large enough.
    """
    common = np.ones(y.shape[1])
    chosen = np.flatnonzero(references)
    for part in blocks(y.shape[1]):
        common[part] = _by_column(y[:, part][chosen].T.copy(), mu[:, part][chosen].T.copy())
    return np.clip(common, *k.COMMON_CLIP)


def _by_column(y: Singles, mu: Singles) -> Floats:
    """C [K] of columns that lie in one piece each, [K, R]."""
    common = np.ones(len(y))
    usable = (mu > k.COMMON_MIN_EXPECTED) & ~np.isnan(y)
    for t in np.flatnonzero(usable.sum(axis=1) >= k.COMMON_MIN_SLICES):
        seen, normal = y[t, usable[t]], mu[t, usable[t]]
        common[t] = weighted_median((seen + 1.0) / (normal + 1.0), np.sqrt(normal))
    return common


def reference_rows(cuboid: NDArray[np.int64], mean: Floats) -> NDArray[np.bool_]:
    """bool[N]: the slices of one cuboid, so that none nests in another.

    The cuboid with most sqrt-weight over slices of enough volume; none if it has too few.
    """
    large = mean > k.COMMON_MIN_EXPECTED
    best, best_weight = -1, 0.0
    for bits in np.unique(cuboid):
        rows = (cuboid == bits) & large
        if bits and rows.sum() >= k.COMMON_MIN_SLICES and np.sqrt(mean[rows]).sum() > best_weight:
            best, best_weight = int(bits), float(np.sqrt(mean[rows]).sum())
    return np.asarray((cuboid == best) & large)


def contrastable(common: Floats) -> NDArray[np.bool_]:
    """Where a contrast with C says something: inside the clip."""
    return np.asarray((common > k.COMMON_CLIP[0]) & (common < k.COMMON_CLIP[1]))


def excuse(common: Floats, *, down: bool) -> Floats:
    """C as far as it excuses: a common fall excuses drops, a common rise excuses spikes, and neither accuses.

    Where siblings grow and hide a loss, C rises with them; a healthy slice that did not grow has lost nothing.
    """
    return np.asarray(np.minimum(common, 1.0) if down else np.maximum(common, 1.0))
