"""Bounds as arrays: what is normal where so much is expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.model import Bounds

Floats = NDArray[np.float64]


def limits(bounds: Bounds, expected: Floats) -> tuple[Floats, Floats]:
    """(least, most) that is normal where so much is expected, shaped as `expected`."""
    low = np.zeros_like(expected)
    if bounds.low is not None:
        low = bounds.low.value * (expected if bounds.low.of_last_week else np.ones_like(expected))
    high = np.full_like(expected, np.inf)
    if bounds.high is not None:
        high = np.full_like(expected, bounds.high.value)
        if bounds.high.of_last_week:
            high = np.where(expected >= 1.0, high * expected, np.inf)  # a share of nothing is no bound
    return low, high
