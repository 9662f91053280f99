"""What can be known: the losses that one would notice who knows how the counts were drawn.

He knows every leaf's mean with its waves and drifts, what everything has in common, and the size of all other noise;
he sees the slice that lost something at every width of window, and asks for the same surprise as the detector. He knows
no noise itself and no spike. Nobody who learns from history does better at that many false alarms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring import Found
from benchmarks.simulator import NOISE, RHO, Loss, Truth, World
from monitor.statistics.negbin import lower_tail

Floats = NDArray[np.float64]

WINDOWS = (1, 3, 6, 24)


def knowable(world: World, threshold: float) -> tuple[Found, ...]:
    """The losses of a simulated world, with the delay after which their surprise reaches `threshold` nats."""
    assert world.truth is not None
    return tuple(Found(loss, _delay(world, world.truth, loss, threshold)) for loss in world.losses)


def _delay(world: World, truth: Truth, loss: Loss, threshold: float) -> int | None:
    mean, alpha = truth.mean[loss.members], truth.alpha[loss.members]
    observed = world.counts[loss.members].sum(axis=0)
    codes = world.leaves.codes[loss.members]
    for column in range(loss.start, min(loss.stop, len(observed))):
        for width in WINDOWS:
            stretch = slice(column - width + 1, column + 1)
            if _surprise(observed[stretch], mean[:, stretch], alpha, codes) >= threshold:
                return column - loss.start + 1
    return None


def _surprise(observed: NDArray[np.int64], mean: Floats, alpha: Floats, codes: NDArray[np.int64]) -> float:
    """Nats of so few events in a window; `mean` [leaves, width]."""
    expected = float(mean.sum())
    variance = float((alpha[:, None] * mean**2).sum()) + _shared_variance(mean, codes)
    p = lower_tail(np.array([float(observed.sum())]), np.array([expected]), np.array([variance / expected**2]))
    return float(-np.log(p[0]))


def _shared_variance(mean: Floats, codes: NDArray[np.int64]) -> float:
    """Variance of a window's sum from the noise that slices of a device, system or country share."""
    lasting = _of_mean(mean.shape[1])
    by_leaf = mean.sum(axis=1)
    return sum(
        sd**2 * lasting * float((np.bincount(codes[:, dimension], by_leaf) ** 2).sum())
        for dimension, sd in NOISE.items()
    )


def _of_mean(width: int) -> float:
    """Variance of the mean of `width` hours of autoregressive noise of variance one."""
    apart = np.abs(np.subtract.outer(np.arange(width), np.arange(width)))
    return float((RHO**apart).mean())
