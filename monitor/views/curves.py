"""From arrays to curves, as pages draw them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dashboards.views.common import Curve
from monitor.buckets import to_datetime
from monitor.views.panorama import Panorama


def curve_of(panorama: Panorama, rows: NDArray[np.int64], *, band: bool = False) -> Curve:
    """The curve of one slice, `rows` [1], over the newest buckets."""
    low, high = panorama.band_of(rows) if band else (np.zeros((1, 0)), np.zeros((1, 0)))
    return Curve(
        starts=tuple(to_datetime(start) for start in panorama.starts),
        observed=optional(panorama.observed_of(rows)[0]),
        expected=optional(panorama.expected_of(rows)[0]),
        low=optional(low[0]),
        high=optional(high[0]),
    )


def optional(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    """Numbers as they are shown, None for what is unknown."""
    return tuple(None if math.isnan(value) else value for value in np.round(values, 2).tolist())
