"""What a detector is given and what it answers: arrays over the slices of a lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import Grid

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LeafSeries:
    """Counts of one measure: values [S, T], 0 = none came, NaN = unknown; starts [T] are consecutive buckets.

    `flagged` [S, T] marks cells that past verdicts called bad: they are no part of what is normal. `lag` [T] is the
    lag class at which each bucket was read (-1 where unknown); without it all are complete.
    """

    starts: Ints
    values: Floats
    flagged: Bools
    lag: NDArray[np.int8] | None = None


@dataclass(frozen=True)
class Present:
    """Share of the events of each bucket [T] that is there by now: leaf [S, T] and slices [N, T], 1 is all."""

    leaf: Floats
    slices: Floats


@dataclass(frozen=True)
class Context:
    """What of a rule a detector may know."""

    grid: Grid
    false_incidents_per_week: float
    min_change: float
    min_loss: float
    directions: int
    """How many directions are sent: 1 or 2."""
    metrics: int
    """How many metrics share the rule's budget."""
    expected: Bools
    """[N]: slices that must exist even before they were ever seen."""
    ignored: Bools
    """[N]: slices that are never tested."""
    region: Ints
    """[N]: the region whose common movement excuses a slice; 0 is all of them together."""


@dataclass(frozen=True)
class Verdicts:
    """Every tested slice at the newest bucket. [N, W]: slices by windows that end with it.

    Surprises are -ln of the calibrated probability, in nats. `plain` judges without the common mode (only the
    total and one-dimensional slices), `contrast` with it.
    """

    windows: tuple[int, ...]
    observed: Floats
    expected: Floats
    """Without the common mode."""
    common: Floats
    """[N, W]: the common mode C that each slice follows; 1 is no common movement."""
    alpha: Floats
    alpha_plain: Floats
    drop: Floats
    """Surprise of so few, the larger of plain and contrast where both apply; 0 where not tested."""
    spike: Floats
    threshold: float
    """Surprise beyond which a slice is alarmed: the alert budget as a number."""
