"""Steps 7 to 9: nominal probabilities made honest on the rule's own past, and the threshold they buy.

In-sample dispersion has thin tails. The tail of x = -ln p beyond its 99th percentile is fitted by a generalized
Pareto through three of its quantiles (Pickands 1975), and p is mapped through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k

Floats = NDArray[np.float64]


NO_SHAPE = 1e-6
"""Shape below which the Pareto tail is the exponential one."""


@dataclass(frozen=True)
class Tail:
    """P(X > x) = rate (1 + shape (x - start)/scale)^(-1/shape) for x beyond `start`; x in nats."""

    start: float
    rate: float
    scale: float
    shape: float

    def survival(self, x: Floats) -> Floats:
        """Calibrated probability of surprise x: falling in x, never smaller than the nominal exp(-x)."""
        excess = np.maximum(x - self.start, 0.0) / self.scale
        if self.shape < NO_SHAPE:
            tail = self.rate * np.exp(-np.minimum(excess, 690.0))
        else:
            tail = self.rate * (1.0 + self.shape * excess) ** (-1.0 / self.shape)
        return np.asarray(np.maximum(tail, np.exp(-np.minimum(x, 690.0))))

    def needed(self, nats: float) -> float:
        """The smallest nominal surprise x whose calibrated one reaches `nats`."""
        if self.rate <= 0.0 or np.log(self.rate) <= -nats:
            return nats
        short = nats + float(np.log(self.rate))
        excess = short if self.shape < NO_SHAPE else float(np.expm1(self.shape * short)) / self.shape
        return max(self.start + self.scale * excess, nats)


NOMINAL = Tail(start=0.0, rate=0.0, scale=1.0, shape=0.0)
"""No calibration: p is taken at its word."""


def fit_tail(x: NDArray[np.floating[Any]]) -> Tail:
    """Fit the tail of surprises x [n] seen on unflagged history; too few give NOMINAL.

    By quantiles (Pickands 1975), not by moments: a month of history holds outages that nobody flagged, and a few cells
    of hundreds of nats would stretch the tail of a whole class.
    """
    x = x[np.isfinite(x)]
    if len(x) < k.CALIBRATION_MIN_CELLS:
        return NOMINAL
    rate = 1.0 - k.TAIL_QUANTILE
    far = max(k.TAIL_FAR, k.TAIL_FEWEST / len(x))
    steps = rate / far
    start, middle, end = np.quantile(x, [1.0 - rate, 1.0 - np.sqrt(rate * far), 1.0 - far])
    if end <= start:
        return NOMINAL
    shape = np.log(max(end - middle, 1e-9) / max(middle - start, 1e-9)) / np.log(np.sqrt(steps))
    shape = float(np.clip(shape, *k.TAIL_SHAPE))
    # With the shape held, the scale that meets the farthest quantile.
    scale = shape * (end - start) / (steps**shape - 1.0)
    return Tail(float(start), rate, max(float(scale), 1.0), shape)
