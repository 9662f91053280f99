"""How many events to expect per hour and leaf, and a draw of how many came."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from monitor.demo.fleet import COUNTRIES, DEVICES, Habit, Leaves, adoption

HOUR = timedelta(hours=1)
COMMON_NOISE = (0.90, 0.03)
"""Memory from hour to hour and standard deviation of what moves everything at once."""
GROUP_NOISE = (0.95, 0.015)
"""The same for each device and for each country on its own."""
LEAF_ALPHA = 0.05
"""Over-dispersion of one leaf in one hour: variance is mu + alpha mu^2."""


def expected(leaves: Leaves, start: datetime, hours: int, events: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean events per hour and leaf, [hours, L], summing to `events`."""
    by_country = _rhythm(start, hours) * _noise(rng, hours, len(DEVICES), len(COUNTRIES))
    mean: NDArray[np.float64] = by_country[:, leaves.device, leaves.country] * leaves.share
    mean *= _version_shares(leaves, hours)
    mean *= events / mean.sum()
    return mean


def draw(mean: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Negative binomial counts around `mean`, same shape."""
    return rng.poisson(mean * rng.gamma(1 / LEAF_ALPHA, LEAF_ALPHA, mean.shape))


def _rhythm(start: datetime, hours: int) -> NDArray[np.float64]:
    """Activity by local hour of week, [hours, devices, countries], each device's mean 1."""
    utc = 24 * start.weekday() + start.hour + np.arange(hours)
    local = (utc[:, None] + np.array([offset for _, offset in COUNTRIES])) % 168
    week = np.stack([_week(device.habit) for device in DEVICES])
    return np.moveaxis(week[:, local], 0, 1)


def _week(habit: Habit) -> NDArray[np.float64]:
    """Activity in each of the 168 hours from Monday 00:00 on, mean 1."""
    hour = np.arange(24)
    day = np.full(24, habit.base)
    for center, height, width in habit.bumps:
        distance = np.abs(hour - center)
        day += height * np.exp(-0.5 * (np.minimum(distance, 24 - distance) / width) ** 2)
    week: NDArray[np.float64] = np.outer(habit.weekdays, day).ravel()
    week /= week.mean()
    return week


def _noise(rng: np.random.Generator, hours: int, devices: int, countries: int) -> NDArray[np.float64]:
    """What moves everything, each device and each country, multiplied: [hours, devices, countries]."""
    common = _ar1(rng, hours, 1, *COMMON_NOISE)
    device = _ar1(rng, hours, devices, *GROUP_NOISE)
    country = _ar1(rng, hours, countries, *GROUP_NOISE)
    noise: NDArray[np.float64] = np.exp(common[:, :, None] + device[:, :, None] + country[:, None, :])
    return noise


def _ar1(rng: np.random.Generator, hours: int, series: int, memory: float, sd: float) -> NDArray[np.float64]:
    """Stationary first-order autoregressive series of standard deviation `sd`, [hours, series]."""
    shocks = rng.normal(0, sd * np.sqrt(1 - memory**2), (hours, series))
    state = rng.normal(0, sd, series)
    for row in shocks:
        state = memory * state + row
        row[:] = state
    return shocks


def _version_shares(leaves: Leaves, hours: int) -> NDArray[np.float64]:
    """Share of a leaf's app version among the versions of its device, [hours, L]; 1 where there is no app."""
    day = (np.arange(hours) + 0.5) / 24
    shares = np.ones((hours, len(leaves)))
    for index, device in enumerate(DEVICES):
        if device.line is not None:
            mine = leaves.device == index
            shares[:, mine] = adoption(device.line, day)[:, leaves.release[mine]]
    return shares
