"""What a scan is given: leaves over one stretch of time, what came, what was expected, and how wide both scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k
from monitor.statistics.common_mode import weighted_median

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Cells:
    """Leaves over one stretch of time: codes int32[S, D], observed and expected [S], none negative.

    A leaf that moved like its expectation m has variance noise m (1 + alpha m); `alpha` and `noise` are numbers or [S].
    """

    codes: Codes
    observed: Floats
    expected: Floats
    alpha: float | Floats
    noise: float | Floats = 1.0

    def effective(self) -> tuple[Floats, Floats]:
        """(observed, expected) [S] in units whose noise is that of a Poisson count."""
        # Both by the larger of the two, so that a loss and a growth weigh alike, and what was not expected weighs too.
        spread = self.noise * (1.0 + self.alpha * np.maximum(self.observed, self.expected))
        return self.observed / spread, self.expected / spread


def ratio_cells(codes: Codes, part: Floats, whole: Floats, usual: Floats, correlation: float | Floats) -> Cells:
    """Cells of a ratio: `part` of `whole` events [S], where `usual` [S] of them would have been.

    The variance is the beta-binomial's: whole usual (1 - usual) (1 + correlation (whole - 1)), `correlation` being that
    of two events of one leaf.
    """
    rate = np.clip(usual, k.LEAST_RATE, 1.0 - k.LEAST_RATE)
    return Cells(codes, part, whole * rate, correlation / rate, 1.0 - rate)


def robust_noise(codes: Codes, observed: Floats, expected: Floats, alpha: Floats) -> Cells:
    """Cells whose noise is raised to what the middle of the leaves shows (MAD), where they show more than alpha [S]."""
    usable = expected >= 1.0
    if usable.sum() < 20:
        return Cells(codes, observed, expected, alpha)
    y, f = observed[usable], expected[usable]
    ratio = float(np.clip(weighted_median(y / f, np.sqrt(f)), *k.COMMON_CLIP))
    square = (y - ratio * f) ** 2 / (ratio * f + alpha[usable] * (ratio * f) ** 2)
    return Cells(codes, observed, expected, alpha, float(np.clip(np.median(square) / k.MEDIAN_CHI2, 1.0, 4.0)))


def measured_noise(codes: Codes, observed: Floats, expected: Floats) -> Cells:
    """Cells whose noise and alpha are those of the middle of the leaves, for forecasts that come without a dispersion.

    Medians of (y - f)^2 / m over classes of like volume m = max(y, f), and through them the line noise + noise alpha m.
    Whole numbers are counts: they scatter at least like Poisson's.
    """
    volume = np.maximum(observed, expected)
    usable = np.flatnonzero(np.minimum(observed, expected) > 0)
    if len(usable) < k.NOISE_LEAVES:
        return Cells(codes, observed, expected, 0.0)
    square = (observed - expected)[usable] ** 2 / volume[usable] / k.MEDIAN_CHI2
    order = np.argsort(volume[usable])
    parts = np.array_split(order, min(k.POOL_CLASSES, len(order) // k.NOISE_LEAVES + 1))
    centre = np.array([np.median(volume[usable][part]) for part in parts])
    middle = np.array([max(np.median(square[part]), 1e-12) for part in parts])
    # Each class counts alike: its error is relative to its own height.
    from scipy import optimize  # noqa: PLC0415  a quarter of a second, only where forecasts come without a dispersion

    line, _ = optimize.nnls(np.stack([np.ones_like(centre), centre], axis=1) / middle[:, None], np.ones_like(middle))
    counted = bool((observed == np.rint(observed)).all())
    noise = max(float(line[0]), 1.0 if counted else k.LEAST_NOISE * float(middle.max()))
    return Cells(codes, observed, expected, float(line[1]) / noise, noise)


def dispersion_by_volume(volume: Floats, alpha: Floats, wanted: Floats) -> Floats:
    """Dispersion [S] of leaves of `wanted` volume, from slices whose volume and alpha are known.

    Medians over classes of volume, interpolated in its logarithm.
    """
    usable = volume > 0
    if not usable.any():
        return np.full(len(wanted), k.COLD_ALPHA)
    order = np.argsort(volume[usable], kind="stable")
    parts = np.array_split(order, min(k.POOL_CLASSES, max(1, len(order) // 10)))
    centre = np.array([np.log(np.median(volume[usable][part])) for part in parts])
    middle = np.array([np.median(alpha[usable][part]) for part in parts])
    return np.asarray(np.interp(np.log(np.maximum(wanted, 1e-9)), centre, middle))
