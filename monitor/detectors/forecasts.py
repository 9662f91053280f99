"""`stl` and `ets`: one series at a time is decomposed by statsmodels, and the coming week is foretold.

What is expected comes from the forecast; how it scatters, the threshold, and all that follows are the default's. For
rules of few slices: a series takes hundredths of a second with `stl`, tenths with `ets`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.default import Default
from monitor.detectors.fit import FULL_STAGE, Fit, from_begin
from monitor.detectors.model import Context, LeafSeries
from monitor.lattice import Lattice
from monitor.statistics import constants as k
from rules.model import DetectorChoice

Floats = NDArray[np.float64]

Forecast = Callable[[Floats, int], Floats]
"""(y [T] on a scale of even variance, buckets a week) to what the next week [buckets a week] will hold."""


@dataclass(frozen=True)
class Forecasting(Default):
    """The default detector with expected values that a forecast gives, from four weeks of history on."""

    forecast: Forecast

    @property
    def most_slices(self) -> int | None:
        """What fits into a refit."""
        return k.FORECAST_SLICES

    def fit(self, lattice: Lattice, history: LeafSeries, as_of: int, context: Context) -> Fit:
        """As the default learns, with the means of slices large enough to be foretold taken from the forecast."""
        found = super().fit(lattice, history, as_of, context)
        if found.stage < FULL_STAGE:
            return found
        values = _filled(lattice, from_begin(history, found.begin), found, context)
        week = context.grid.positions
        ahead = context.grid.position(_next_week(as_of, context))
        mean = found.mean.copy()
        for row in np.flatnonzero(found.eligible & (found.mean.mean(axis=1) >= k.COUNTABLE)):
            mean[row, ahead] = uneven(self.forecast(even(values[row]), week))[: len(ahead)]
        return replace(found, mean=mean)


def open_stl(choice: DetectorChoice, metric: str) -> Forecasting:  # noqa: ARG001  every detector is opened alike
    """Trend and season by robust local regression."""
    return Forecasting(forecast=stl_forecast)


def open_ets(choice: DetectorChoice, metric: str) -> Forecasting:  # noqa: ARG001  as above
    """Exponential smoothing with a damped trend and a season."""
    return Forecasting(forecast=ets_forecast)


def stl_forecast(y: Floats, week: int) -> Floats:
    """The last trend and the last week of the season (Cleveland et al. 1990, statsmodels' STL)."""
    from statsmodels.tsa.seasonal import STL  # noqa: PLC0415  a second to load

    # Interpolating what is smooth anyway takes a fifteenth of the time, and changes the forecast by a thousandth.
    # A line through four points of a season would be led by the last one: degree 0 is their weighted mean.
    jump = max(1, week // 7)
    found = STL(
        y, period=week, seasonal=k.STL_WEEKS, seasonal_deg=0, robust=True, trend_jump=jump, low_pass_jump=jump
    ).fit()
    return np.asarray(found.trend[-1] + found.seasonal[-week:])


def ets_forecast(y: Floats, week: int) -> Floats:
    """Holt-Winters with an additive season and a damped trend (Gardner 1985, statsmodels' ExponentialSmoothing)."""
    from statsmodels.tools.sm_exceptions import ConvergenceWarning  # noqa: PLC0415
    from statsmodels.tsa.holtwinters import ExponentialSmoothing  # noqa: PLC0415

    model = ExponentialSmoothing(
        y, trend="add", damped_trend=True, seasonal="add", seasonal_periods=week, initialization_method="heuristic"
    )
    with warnings.catch_warnings():
        # A search that stopped early is a little worse, not wrong: the level follows what comes anyway.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit(optimized=True, use_brute=False).forecast(week))


def even(counts: Floats) -> Floats:
    """Counts on a scale where their variance is alike (Anscombe 1948)."""
    return np.asarray(2.0 * np.sqrt(counts + 0.375))


def uneven(scaled: Floats) -> Floats:
    """The asymptotically unbiased inverse of `even`; never negative."""
    return np.asarray(np.maximum((np.maximum(scaled, 0.0) / 2.0) ** 2 - 0.125, 0.0))


def _next_week(as_of: int, context: Context) -> NDArray[np.int64]:
    """Starts of the week of buckets from `as_of` on."""
    grid = context.grid
    return grid.starts(as_of, grid.shift(as_of, grid.positions))


def _filled(lattice: Lattice, history: LeafSeries, found: Fit, context: Context) -> Floats:
    """[N, T] without gaps: what is unknown or flagged is what the seasonal mean says."""
    usual = found.leaf_mean[:, context.grid.position(history.starts)]
    gone = history.flagged | np.isnan(history.values)
    return lattice.rollup(np.where(gone, usual, history.values))
