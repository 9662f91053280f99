"""Step 5: over-dispersion alpha of the negative binomial, by moments, shrunk to slices of like volume."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k
from monitor.statistics.blocks import blocks

Floats = NDArray[np.float64]
Singles = NDArray[np.floating[Any]]


def raw_alpha(y: Singles, mu: Singles, day: NDArray[np.int64]) -> Floats:
    """Moment estimate [N] from windows [N, T] and the day each belongs to (ascending); the worst is dropped."""
    starts = np.flatnonzero(np.diff(day, prepend=-1))
    alpha = np.empty(len(y))
    for rows in blocks(len(y)):
        alpha[rows] = _raw(y[rows], mu[rows], starts)
    return alpha


def _raw(y: Singles, mu: Singles, starts: NDArray[np.int64]) -> Floats:
    known = ~np.isnan(y) & ~np.isnan(mu)
    square = np.where(known, (y - mu) ** 2, 0.0)
    first = np.where(known, mu, 0.0)
    second = np.where(known, mu * mu, 0.0)
    by_day, excess, scale = (np.add.reduceat(part, starts, axis=1) for part in (square, first, second))
    worst = np.argmax(by_day - excess, axis=1)[:, None]
    total = _without(by_day, worst) - _without(excess, worst)
    return np.asarray(np.clip(total / np.maximum(_without(scale, worst), 1e-12), 0.0, k.ALPHA_MAX))


def shrink(alpha: Floats, volume: Floats, independent: float, *, weight: float = 1.0) -> Floats:
    """Pull alpha [N] towards the median of its class of like volume; `independent` windows were seen."""
    order = np.argsort(volume, kind="stable")
    pooled = np.empty_like(alpha)
    for part in np.array_split(order, min(k.POOL_CLASSES, max(1, len(order) // 5))):
        pooled[part] = np.median(alpha[part])
    strength = k.POOL_STRENGTH * weight
    return np.asarray((independent * alpha + strength * pooled) / (independent + strength))


def _without(table: Singles, column: NDArray[np.int64]) -> Floats:
    return np.asarray(table.sum(axis=1) - np.take_along_axis(table, column, axis=1)[:, 0])
