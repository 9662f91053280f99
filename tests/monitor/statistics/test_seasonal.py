"""The seasonal mean: what it recovers, and what it does not let itself be told."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.statistics import constants as k
from monitor.statistics.seasonal import by_week, mean_known, seasonal_mean, smooth, week_columns

PLACES = 168


def weekly_profile(mean: float) -> np.ndarray:
    """[168] with a day's curve and a quieter weekend, averaging `mean`."""
    hour, day = np.arange(PLACES) % 24, np.arange(PLACES) // 24
    shape = (1.0 + 0.6 * np.sin((hour - 6) / 24 * 2 * np.pi)) * np.where(day >= 5, 0.7, 1.0)
    return mean * shape / shape.mean()


def columns(weeks: int, per_week: int = PLACES) -> np.ndarray:
    """The columns of whole weeks of history, oldest first; week 0 is the newest."""
    column = np.arange(weeks * per_week)
    return week_columns(weeks - 1 - column // per_week, column % per_week, weeks, per_week)


def learn(history: np.ndarray, weeks: int = 4, *, weekly: bool = True) -> np.ndarray:
    """Seasonal mean [N, 168] of history [N, weeks * 168]."""
    return seasonal_mean(by_week(history, columns(weeks)), 24, weekly=weekly)


def test_week_columns_finds_each_place_of_each_week():
    """Newest week first; places without a column are -1."""
    table = week_columns(np.array([1, 1, 0, 5, -1]), np.array([2, 3, 2, 0, 0]), 2, 4)
    assert table.tolist() == [[-1, -1, 2, -1], [-1, -1, 0, 1]]


def test_recovers_a_weekly_profile_from_noise():
    """Four noisy weeks of a busy slice give its profile within a few percent at every hour."""
    profile = weekly_profile(2_000.0)
    rng = np.random.default_rng(1)
    mean = learn(rng.poisson(np.tile(profile, 4))[None, :].astype(float))[0]
    assert np.abs(mean / profile - 1).max() < 0.08
    assert np.abs(mean / profile - 1).mean() < 0.02


def test_every_hour_of_the_week_keeps_its_own_mean():
    """A peak that only Tuesdays at nine have is not smeared over the other days."""
    profile = np.full(PLACES, 500.0)
    profile[24 + 9] = 3_000.0
    mean = learn(np.tile(profile, 4)[None, :])[0]
    own = 4 * profile.mean() / (4 * profile.mean() + k.BORROW_EVENTS)
    borrowed = 750.0  # the weekdays' nine o'clock, smoothed with its neighbours
    assert own > 0.95
    assert mean[24 + 9] == pytest.approx(own * 3_000.0 + (1 - own) * borrowed, rel=0.002)
    assert mean[9] == pytest.approx(500.0, rel=0.06)
    assert mean[2 * 24 + 9] == pytest.approx(500.0, rel=0.06)


@pytest.mark.parametrize("factor", [0.0, 0.1, 10.0])
def test_one_wild_week_changes_little(factor):
    """A week of outage or of a campaign moves no hour's mean by more than a fifth."""
    profile = weekly_profile(300.0)
    history = np.tile(profile, (4, 1))
    history[2] *= factor
    mean = learn(history.reshape(1, -1))[0]
    assert np.abs(mean / profile - 1).max() < 0.2


def test_one_wild_hour_of_a_small_slice_is_capped():
    """A thousand events in one hour of a slice that has one do not become its mean."""
    history = np.ones((1, 4 * PLACES))
    history[0, 50] = 1_000.0
    assert learn(history)[0, 50] < 10.0


def test_weeks_are_compared_after_their_own_volume():
    """A week in which everything was a third larger still counts as an ordinary week of that shape."""
    profile = weekly_profile(300.0)
    history = np.tile(profile, (4, 1)) * np.array([1.0, 1.3, 0.8, 1.0])[:, None]
    mean = learn(history.reshape(1, -1))[0]
    np.testing.assert_allclose(mean, profile * mean.mean() / profile.mean(), rtol=0.03)


def test_small_slices_borrow_the_shape_of_the_day():
    """Two events an hour: the learned mean is nearer to the true curve than the raw means of each place are."""
    profile = weekly_profile(2.0)
    history = np.random.default_rng(2).poisson(np.tile(profile, (30, 4))).astype(float)
    learned = learn(history)
    raw = history.reshape(30, 4, PLACES).mean(axis=1)
    assert np.abs(learned - profile).mean() < 0.6 * np.abs(raw - profile).mean()
    assert learned.mean() == pytest.approx(2.0, rel=0.05)


def test_large_slices_borrow_next_to_nothing():
    """An odd shape that no coarse profile has survives where events are many, and not where they are few."""
    odd = np.where(np.arange(PLACES) // 24 == 2, 3.0, 1.0)
    large, small = (learn(np.tile(scale * odd, 4)[None, :])[0] for scale in (10_000.0, 0.5))
    assert large[60] / large[10] == pytest.approx(3.0, rel=0.02)
    assert small[60] / small[10] < 2.0


def test_weeks_before_birth_are_ignored():
    """A slice born two weeks ago has the mean of its two weeks, not half of it."""
    profile = weekly_profile(400.0)
    history = np.concatenate([np.zeros(2 * PLACES), np.tile(profile, 2)])[None, :]
    np.testing.assert_allclose(learn(history)[0], profile, rtol=0.1)


def test_weeks_of_silence_after_birth_are_remembered():
    """Empty weeks between full ones are history, not absence: they are no reason to expect more."""
    profile = weekly_profile(400.0)
    history = np.stack([profile, profile * 0, profile * 0, profile * 0])[None, :]
    assert learn(history.reshape(1, -1))[0].mean() < 0.3 * 400


def test_a_slice_never_seen_expects_nothing():
    """All zero in, all zero out; it is not taken for unborn and so unknown."""
    assert learn(np.zeros((1, 4 * PLACES))).tolist() == [[0.0] * PLACES]


def test_unknown_buckets_are_not_zeros():
    """A quarter of the history unknown, in any pattern, leaves the mean where it was."""
    profile = weekly_profile(400.0)
    history = np.tile(profile, 4)
    history[np.random.default_rng(3).random(len(history)) < 0.25] = np.nan
    mean = learn(history[None, :])[0]
    assert mean.mean() == pytest.approx(400.0, rel=0.03)
    assert np.abs(mean / profile - 1).max() < 0.25


def test_places_never_seen_come_from_the_coarse_profile():
    """A place of the week without any known bucket is expected as its time of day is."""
    profile = weekly_profile(400.0)
    history = np.tile(profile, (4, 1))
    history[:, 30] = np.nan
    assert learn(history.reshape(1, -1))[0, 30] == pytest.approx(profile[30], rel=0.1)


def test_nothing_known_at_all_is_no_expectation():
    """An all-unknown history gives zeros: nothing is expected and so nothing tested."""
    assert not learn(np.full((2, 4 * PLACES), np.nan)).any()


def test_a_young_rule_knows_the_time_of_day_only():
    """Without `weekly` every day has the same curve."""
    mean = learn(np.tile(weekly_profile(400.0), 4)[None, :], weekly=False)[0].reshape(7, 24)
    assert np.ptp(mean, axis=0).max() == pytest.approx(0.0, abs=1e-9)
    assert mean.max() > 1.5 * mean.min()


def test_day_buckets_keep_each_day_of_the_week():
    """Eight weeks of days: the day of week, in events, with nothing to smooth around the clock."""
    profile = np.array([900.0, 1_000.0, 1_100.0, 1_000.0, 800.0, 300.0, 200.0])
    history = np.random.default_rng(4).poisson(np.tile(profile, 8))[None, :].astype(float)
    mean = seasonal_mean(by_week(history, columns(8, 7)), 1)[0]
    np.testing.assert_allclose(mean, profile, rtol=0.08)


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=48))
def test_smoothing_keeps_the_day_whole(values):
    """The daily sum stays, and nothing becomes larger than the largest or smaller than the smallest."""
    profile = np.array([values], dtype=float)
    smoothed = smooth(profile)
    assert smoothed.sum() == pytest.approx(profile.sum(), rel=1e-9, abs=1e-6)
    assert smoothed.max() <= profile.max() * (1 + 1e-9)
    assert smoothed.min() >= profile.min() * (1 - 1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.6))
def test_the_mean_is_never_negative_nor_unknown(seed, missing):
    """Whatever counts and gaps: expectations are finite and at least zero."""
    rng = np.random.default_rng(seed)
    history = rng.poisson(rng.gamma(0.5, 20.0, size=(4, 1)), size=(4, 4 * 14)).astype(float)
    history[rng.random(history.shape) < missing] = np.nan
    mean = seasonal_mean(by_week(history, columns(4, 14)), 2)
    assert np.isfinite(mean).all()
    assert (mean >= 0).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("axis", [1, 2, (1, 2)])
def test_a_mean_of_what_is_known_is_numpys_without_its_warnings(dtype, axis):
    """To the last bit, NaN where nothing is known; numpy would warn of that in every thread, whatever one of them said."""
    cube = np.random.default_rng(1).normal(50.0, 9.0, (6, 4, 5)).astype(dtype)
    cube[0] = cube[1, 2] = cube[2, :, 3] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmean(cube, axis=axis)
    found = mean_known(cube, axis)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert np.isnan(found).any()
