"""stl and ets: what they foretell, and what they refuse."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Kind
from monitor import store
from monitor.buckets import DAY, Grid
from monitor.detectors import open_detector
from monitor.detectors.forecasts import ets_forecast, even, stl_forecast, uneven
from rules.model import DetectorChoice
from tests.monitor.ticks import Ticks
from tests.monitor.world import cause, world

FORECASTS = [stl_forecast, ets_forecast]


@given(st.integers(1, 10**7))
def test_the_scale_of_even_variance_is_undone(count):
    """To within the half event that its bias correction is."""
    assert float(uneven(even(np.array([float(count)])))[0]) == pytest.approx(count + 0.25)


@given(st.floats(-50, 50))
def test_nothing_is_foretold_below_zero(scaled):
    """However low a forecast falls."""
    assert float(uneven(np.array([scaled]))[0]) >= 0


@pytest.mark.parametrize("forecast", FORECASTS)
def test_a_week_that_repeats_is_foretold(forecast):
    """Four noisy weeks of known means: the fifth is foretold better than by the week before."""
    rng = np.random.default_rng(3)
    hours = np.arange(168)
    mean = 300 * (1 + 0.5 * np.sin(hours / 24 * 2 * np.pi)) * np.where(hours >= 120, 0.7, 1.0)
    seen = rng.poisson(np.tile(mean, 4)).astype(float)
    foretold = uneven(forecast(even(seen), 168))
    assert foretold.shape == (168,)
    assert np.sqrt(np.mean((foretold - mean) ** 2)) < 0.8 * np.sqrt(np.mean((seen[-168:] - mean) ** 2))


@pytest.mark.parametrize("forecast", FORECASTS)
def test_a_level_that_rose_is_foretold_where_it_is(forecast):
    """A step two weeks ago: the next week is nearer to the new level than to the old."""
    rng = np.random.default_rng(4)
    level = np.where(np.arange(56) < 42, 1_000.0, 1_400.0)
    foretold = uneven(forecast(even(rng.poisson(level).astype(float)), 7))
    assert abs(foretold.mean() - 1_400) < abs(foretold.mean() - 1_000)


@pytest.mark.parametrize("name", ["stl", "ets"])
def test_small_slices_keep_their_seasonal_mean(name):
    """A slice of a few events an hour is counted, not measured: it borrows shape as the default does."""
    made = world({"device": ("big", "small")}, days=29, volume=400, only=None, spread=0.0)
    thin = made.scaled(0.01, 0, None, device="small")
    lattice, as_of = thin.lattice(), int(thin.starts[28 * 24])
    context = thin.context(lattice)
    series = thin.series(28 * 24)
    usual = open_detector(DetectorChoice(), "count").fit(lattice, series, as_of, context)
    found = open_detector(DetectorChoice(name), "count").fit(lattice, series, as_of, context)
    rows = {lattice.slice_of(n): n for n in range(len(lattice))}
    np.testing.assert_array_equal(found.mean[rows[cause(device="small")]], usual.mean[rows[cause(device="small")]])
    assert not np.array_equal(found.mean[rows[cause(device="big")]], usual.mean[rows[cause(device="big")]])


def test_a_young_rule_is_judged_by_the_default():
    """Less than four weeks of history: nothing to decompose."""
    made = world({"device": ("web", "app")}, days=22, volume=4_000)
    lattice, as_of = made.lattice(), int(made.starts[20 * 24])
    context, series = made.context(lattice), made.series(20 * 24)
    usual = open_detector(DetectorChoice(), "count").fit(lattice, series, as_of, context)
    assert (
        open_detector(DetectorChoice("ets"), "count").fit(lattice, series, as_of, context).to_bytes()
        == usual.to_bytes()
    )


def test_too_many_slices_are_refused_aloud(tmp_path: Path):
    """Above the limit nothing is judged, and one incident says what to do; nothing of it looks like a loss."""
    state = store.Store.open(f"sqlite:///{tmp_path}/state.db")
    dimensions = {"city": [str(n) for n in range(25)], "app": [str(n) for n in range(8)]}
    made = world(dimensions, days=32, volume=100_000, grid=Grid(DAY)).scaled(0.0, 30, None, app="3")
    ticks = Ticks.over(made, state, time_bucket=timedelta(days=1), detector=DetectorChoice("stl")).learn(30)
    ticks.run(range(30, 32))
    (incident,) = ticks.incidents
    assert incident.kind is Kind.BLIND
    assert incident.detail == (
        "detector stl judges at most 200 slices, and there are 234: name fewer dimensions, a smaller depth, or detector: default"
    )
    state.close()
