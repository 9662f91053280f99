"""The threshold that an alert budget buys (steps 8 and 9)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.episodes import TOLD_NATS, level_reached
from monitor.detectors.fit import Fit
from monitor.detectors.model import Context
from monitor.statistics.negbin import silence

Floats = NDArray[np.float64]

FIRST_THRESHOLD = 12.0
"""Surprise from which the fixed point of the budget starts."""
COUNTED = 20_000
"""Slices whose testability is looked at: of more, every so many-th by volume stands for its neighbours."""
KEPT_BACK = 0.5
MOST_EARNED = 1.5
"""Nats by which a calm past may lower a threshold that takes each test for a false incident of its own."""
PLACES = 56
"""Places of the week at which it is looked at."""


def threshold_of(found: Fit, context: Context) -> float:
    """Surprise from which an alarm is worth its false ones: budget over testable tests a week, a fixed point."""
    rows = np.flatnonzero(found.eligible & (found.volume > 0))
    step = -(-len(rows) // COUNTED) or 1
    nats = silence_surprise(found, rows[np.argsort(found.volume[rows], kind="stable")][::step])
    per_week = context.grid.positions * context.directions * context.metrics
    threshold = FIRST_THRESHOLD
    for _ in range(3):
        testable = step * float((nats >= threshold).sum()) / nats.shape[2] if nats.size else 0.0
        tests = max(testable, 1.0) * per_week
        threshold = float(np.log(tests / context.false_incidents_per_week))
    return max(threshold, 3.0)


def earned(bound: float, tops: Floats, weeks: float, context: Context) -> float:
    """The threshold, never above `bound`: what as many episodes of the past `weeks` reached as the budget allows.

    `bound` is what it would be if each test were a false incident of its own, `tops` are the peaks of these episodes. Half of the budget is kept back for what the past did not show.
    """
    share = context.false_incidents_per_week / (context.directions * context.metrics)
    level = level_reached(tops, KEPT_BACK * share * weeks, TOLD_NATS)
    return float(np.clip(level, bound - MOST_EARNED, bound))


def silence_surprise(found: Fit, rows: NDArray[np.int64]) -> Floats:
    """Calibrated surprise of total silence [n, W, places] of the slices `rows`: what makes a slice testable.

    Places are spread evenly over the week, `PLACES` to twice as many.
    """
    classes = found.volume_class()
    places = slice(None, None, max(1, found.mean.shape[1] // PLACES))
    by_window = []
    for w, width in enumerate(found.windows):
        mu = _rolling(found.mean[rows].astype(float), width)[:, places]
        nats = silence(mu, found.alpha[rows, w][:, None]) / found.unrest[rows, w][:, None]
        for c in range(len(found.class_edges) + 1):
            part = classes[rows] == c
            nats[part] = -np.log(found.tails[w][c].survival(nats[part]))
        by_window.append(nats)
    return np.stack(by_window, axis=1)


def _rolling(profile: Floats, width: int) -> Floats:
    """Sums of `width` places of the week ending at each, around the clock."""
    width = min(width, profile.shape[1])
    wrapped = np.concatenate([profile[:, profile.shape[1] - width :], profile], axis=1)
    cumulated = np.concatenate([np.zeros((len(profile), 1)), np.cumsum(wrapped, axis=1)], axis=1)
    return np.asarray((cumulated[:, width:] - cumulated[:, :-width])[:, 1:])
