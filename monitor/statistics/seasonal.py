"""Step 2: the seasonal mean of every slice, for every place of the week.

Robust over weeks (the middle ones), normalised by the week's own volume, and blended with a coarse profile
(hour of day by weekday or weekend) so that small slices borrow shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k
from monitor.statistics.blocks import blocks

Floats = NDArray[np.floating[Any]]
"""float64, or float32 where a long history is looked at: what comes out is of the kind that went in."""


def week_columns(
    weeks_ago: NDArray[np.int64], position: NDArray[np.int64], weeks: int, positions: int
) -> NDArray[np.int64]:
    """int64[weeks, positions]: the column that holds each place of each week, -1 where there is none."""
    table = np.full((weeks, positions), -1, dtype=np.int64)
    inside = (weeks_ago >= 0) & (weeks_ago < weeks)
    table[weeks_ago[inside], position[inside]] = np.flatnonzero(inside)
    return table


def by_week(values: Floats, table: NDArray[np.int64]) -> Floats:
    """History [N, T] as [N, weeks, positions], NaN where nothing is known.

    Whole weeks before a slice's first event are NaN: it did not exist yet.
    """
    cube = np.empty((len(values), *table.shape), dtype=values.dtype)
    nothing = values.dtype.type(np.nan)
    for rows in blocks(len(values)):
        cube[rows] = _born(np.where(table >= 0, values[rows][:, np.maximum(table, 0)], nothing))
    return cube


def _born(cube: Floats) -> Floats:
    sums = np.nansum(cube, axis=2) if unknown(cube) else cube.sum(axis=2)
    # Weeks run from newest (0) to oldest: a week is before birth when it and all older ones are empty.
    older = np.cumsum(sums[:, ::-1], axis=1)[:, ::-1]
    unborn = (older <= 0) & (sums.sum(axis=1, keepdims=True) > 0)
    cube[unborn] = np.nan
    return cube


def seasonal_mean(cube: Floats, per_day: int, *, weekly: bool = True) -> Floats:
    """M [N, positions] from history by week [N, weeks, positions].

    `weekly=False` (a young rule) knows the time of day only. Places never seen come from the coarse profile.
    """
    mean = np.empty((cube.shape[0], cube.shape[2]), dtype=cube.dtype)
    for rows in blocks(len(cube)):
        mean[rows] = _blended(cube[rows], per_day) if weekly else _daily(cube[rows], per_day)
    return mean


def _daily(cube: Floats, per_day: int) -> Floats:
    return np.nan_to_num(_coarse(cube / _week_factors(cube), per_day, weekly=False))


def _blended(cube: Floats, per_day: int) -> Floats:
    normal = cube / _week_factors(cube)
    fine, coarse = _fine(normal), _coarse(normal, per_day, weekly=True)
    if not unknown(cube):
        return coarse + _own(coarse, cube.shape[1]) * (fine - coarse)
    coarse = np.nan_to_num(coarse)
    known_weeks = np.sum(~np.isnan(cube), axis=1).max(axis=1, keepdims=True)
    own = _own(coarse, known_weeks).astype(cube.dtype)
    return np.where(np.isnan(fine), coarse, coarse + own * (np.nan_to_num(fine) - coarse))


def _own(coarse: Floats, weeks: int | NDArray[np.int64]) -> Floats:
    """Weight of a slice's own shape [N, 1] beside the borrowed one."""
    events = weeks * coarse.mean(axis=1, keepdims=True)
    return np.asarray(events / (events + k.BORROW_EVENTS))


def _week_factors(cube: Floats) -> Floats:
    """How large each week was beside the median week, [N, weeks, 1]; weeks not fully known are scaled up."""
    sums = mean_known(cube, axis=2) * cube.shape[2]
    middle = _median_known(sums) if unknown(sums) else np.median(sums, axis=1, keepdims=True)
    factor = (sums + k.WEEK_PSEUDO_EVENTS) / (middle + k.WEEK_PSEUDO_EVENTS)
    return np.asarray(np.clip(factor, *k.WEEK_FACTOR)[:, :, None])


def _median_known(values: Floats) -> Floats:
    """Median [N, 1] of what is known of each row of [N, few]; NaN where nothing is. numpy's own goes by masked arrays."""
    ordered = np.sort(values, axis=1)
    known = np.sum(~np.isnan(values), axis=1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(known - 1, 0) // 2, axis=1)
    high = np.take_along_axis(ordered, np.minimum(known // 2, values.shape[1] - 1), axis=1)
    return np.asarray((low + high) / 2)


def _fine(normal: Floats) -> Floats:
    middle = _middle_mean(normal)
    cap = middle + 4.0 * np.sqrt(middle + 1.0) + 0.5 * middle
    capped = mean_known(np.minimum(normal, cap[:, None, :]), axis=1)
    return np.where(middle >= k.COUNTABLE, middle, capped)


def _middle_mean(normal: Floats) -> Floats:
    """Mean of the middle half of the weeks: of two of four, four of eight, one of three."""
    weeks = normal.shape[1]
    if not unknown(normal) and weeks >= 3:
        first = max(weeks // 4, 1)
        return np.asarray(sum(_ordered(normal)[first : weeks - first]) / (weeks - 2 * first))
    ordered = np.sort(normal, axis=1)
    known = np.sum(~np.isnan(normal), axis=1)
    first = np.where(known >= 3, np.maximum(known // 4, 1), 0)
    last = known - first
    rank = np.arange(normal.shape[1])[None, :, None]
    inside = (rank >= first[:, None, :]) & (rank < last[:, None, :])
    return np.asarray(np.where(inside, ordered, 0.0).sum(axis=1) / np.where(known > 0, inside.sum(axis=1), np.nan))


def _ordered(normal: Floats) -> list[Floats]:
    """The weeks [N, positions] of [N, weeks, positions], sorted place by place: few weeks are sorted by exchanges."""
    weeks = [normal[:, week] for week in range(normal.shape[1])]
    for stop in range(len(weeks) - 1, 0, -1):
        for i in range(stop):
            weeks[i], weeks[i + 1] = np.minimum(weeks[i], weeks[i + 1]), np.maximum(weeks[i], weeks[i + 1])
    return weeks


def _coarse(normal: Floats, per_day: int, *, weekly: bool) -> Floats:
    """Time of day by weekday or weekend, smoothed by (.25, .5, .25); [N, positions]."""
    slices, weeks, positions = normal.shape
    mean = mean_known(normal, axis=1)
    cap = mean + 4.0 * np.sqrt(mean + 1.0) + 0.5 * mean
    days = np.minimum(normal, cap[:, None, :]).reshape(slices, weeks, 7, per_day)
    groups = ((0, 1, 2, 3, 4), (5, 6)) if weekly else ((0, 1, 2, 3, 4, 5, 6),)
    profile = np.empty((slices, 7, per_day), dtype=normal.dtype)
    for group in groups:
        part = mean_known(days[:, :, list(group), :], axis=(1, 2))
        profile[:, list(group), :] = smooth(part)[:, None, :]
    return profile.reshape(slices, positions)


def unknown(values: Floats) -> bool:
    """Whether anything is unknown."""
    return bool(values.size) and bool(np.isnan(values.min()))


def mean_known(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Mean of what is known; NaN where nothing is."""
    if not unknown(values):
        return np.asarray(values.mean(axis=axis))
    known = ~np.isnan(values)
    # numpy's nanmean warns where nothing is known, and warnings cannot be silenced in one thread alone.
    count, total = known.sum(axis=axis), np.where(known, values, values.dtype.type(0)).sum(axis=axis)
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def smooth(profile: Floats) -> Floats:
    """Smooth a daily profile [N, per_day] around the clock; a single place a day is left alone."""
    if profile.shape[1] < 3:
        return profile
    return np.asarray(0.25 * np.roll(profile, 1, axis=1) + 0.5 * profile + 0.25 * np.roll(profile, -1, axis=1))
