"""What others do per slice, by their documented formulas and defaults: arrays in, alarms out.

Each takes counts [N, T] of slices by bucket, the column from which on it judges, and the buckets a week, and returns
bool[N, judged]: the slices called too low. A slice without a row is given to all of them as zero, which is kinder than
what most see.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Peer = Callable[[Floats, int, int], Bools]

WEEKS = 4


def _weeks_before(values: Floats, begin: int, week: int, around: int = 0) -> Floats:
    """The same place of the last four weeks, and `around` buckets on either side; [K, N, judged]."""
    stop = values.shape[1]
    shifts = [w * week + a for w in range(1, WEEKS + 1) for a in range(-around, around + 1)]
    return np.stack([values[:, begin - s : stop - s] for s in shifts if begin - s >= 0])


def three_sigma(values: Floats, begin: int, week: int) -> Bools:
    """Mean minus three standard deviations of the same place of the last four weeks."""
    past = _weeks_before(values, begin, week)
    return np.asarray(values[:, begin:] < past.mean(axis=0) - 3.0 * past.std(axis=0, ddof=1))


def median_mad(values: Floats, begin: int, week: int) -> Bools:
    """Median minus five times the median absolute deviation, for slices of at least ten events."""
    past = _weeks_before(values, begin, week, around=1 if week > 7 else 0)
    middle = np.median(past, axis=0)
    spread = np.median(np.abs(past - middle), axis=0)
    return np.asarray((middle >= 10) & (values[:, begin:] < middle - 5.0 * np.maximum(spread, 1.0)))


def week_over_week(values: Floats, begin: int, week: int) -> Bools:
    """Below half of last week, for slices of at least fifty events."""
    last = values[:, begin - week : values.shape[1] - week]
    return np.asarray((last >= 50) & (values[:, begin:] < 0.5 * last))


def _trailing(values: Floats, begin: int, span: int) -> tuple[Floats, Floats]:
    """(mean, standard deviation) of the `span` buckets before each judged one."""
    padded = np.pad(np.cumsum(np.stack([values, values**2]), axis=2), ((0, 0), (0, 0), (1, 0)))
    at = np.arange(begin, values.shape[1])
    low = np.maximum(at - span, 0)
    first, second = (padded[:, :, at] - padded[:, :, low]) / (at - low)
    return first, np.sqrt(np.maximum(second - first**2, 0.0))


def elementary(values: Floats, begin: int, week: int) -> Bools:
    """Elementary's volume anomalies: z below -3 against the last 14 days, no seasonality by default."""
    mean, sd = _trailing(values, begin, 2 * week)
    return np.asarray(values[:, begin:] < mean - 3.0 * sd)


def thirdeye(values: Floats, begin: int, week: int) -> Bools:
    """ThirdEye's mean-variance rule at its default sensitivity 5: one standard deviation around the weekly mean."""
    past = _weeks_before(values, begin, week)
    return np.asarray(values[:, begin:] < past.mean(axis=0) - (0.5 + 0.1 * (10 - 5)) * past.std(axis=0, ddof=1))


def deequ(values: Floats, begin: int, week: int) -> Bools:
    """Deequ's OnlineNormalStrategy: three standard deviations of all that came before."""
    assert week > 0
    mean, sd = _trailing(values, begin, values.shape[1])
    return np.asarray(values[:, begin:] < mean - 3.0 * sd)


def re_data(values: Floats, begin: int, week: int) -> Bools:
    """re_data's modified z-score, (y - median) / (1.486 MAD) below -3, over the last 30 days; quantiles once a day."""
    day = max(week // 7, 1)
    found = np.zeros((len(values), values.shape[1] - begin), dtype=bool)
    for at in range(begin, values.shape[1], day):
        past = values[:, max(0, at - 30 * day) : at]
        middle = np.median(past, axis=1, keepdims=True)
        spread = 1.486 * np.median(np.abs(past - middle), axis=1, keepdims=True)
        now = values[:, at : at + day]
        found[:, at - begin : at - begin + now.shape[1]] = (spread > 0) & (now - middle < -3.0 * spread)
    return found


def holt_winters(values: Floats, begin: int, week: int) -> Bools:
    """Additive Holt-Winters on square roots (level .1, season .3, no trend), z below -5.

    By smoothed residuals, and at least the quarter that is the variance of a Poisson count's root.
    """
    roots = np.sqrt(values)
    level, season = roots[:, :week].mean(axis=1), roots[:, :week] - roots[:, :week].mean(axis=1, keepdims=True)
    variance = np.full(len(values), 0.25)
    found = np.zeros((len(values), values.shape[1] - begin), dtype=bool)
    for t in range(week, values.shape[1]):
        place = t % week
        error = roots[:, t] - (level + season[:, place])
        if t >= begin:
            found[:, t - begin] = error < -5.0 * np.sqrt(np.maximum(variance, 0.25))
        held = np.clip(error, -3.0 * np.sqrt(variance), 3.0 * np.sqrt(variance))
        level += 0.1 * held
        season[:, place] += 0.3 * held
        variance += 0.02 * (held**2 - variance)
    return found


PEERS: dict[str, Peer] = {
    "three sigma": three_sigma,
    "median - 5 MAD": median_mad,
    "week over week": week_over_week,
    "Elementary": elementary,
    "ThirdEye": thirdeye,
    "Deequ": deequ,
    "re_data": re_data,
    "Holt-Winters": holt_winters,
}


def stl(values: Floats, begin: int, week: int) -> Bools:
    """STL (statsmodels) of log counts over four weeks, once a day; z of the next day below -5. For a few slices."""
    from statsmodels.tsa.seasonal import STL

    day = max(week // 7, 1)
    found = np.zeros((len(values), values.shape[1] - begin), dtype=bool)
    for row, line in enumerate(np.log1p(values)):
        for at in range(begin, len(line), day):
            parts = STL(line[at - WEEKS * week : at], period=week).fit()
            now = line[at : at + day]
            next_season = parts.seasonal[-week : -week + day][: len(now)] if day < week else parts.seasonal[-week:]
            error = now - (parts.trend[-1] + next_season)
            found[row, at - begin : at - begin + len(now)] = error < -5.0 * parts.resid.std()
    return found
