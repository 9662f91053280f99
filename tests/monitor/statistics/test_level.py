"""Level and window sums, against loops that anybody can read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.statistics.constants import LEVEL_CLIP
from monitor.statistics.level import (
    before,
    cap_spikes,
    cumulate,
    level,
    newest_sums,
    newest_trailing,
    window_sums,
)

tables = st.integers(0, 2**32 - 1).map(
    lambda seed: np.where(
        (rng := np.random.default_rng(seed)).random((3, 17)) < 0.1, np.nan, rng.poisson(5.0, (3, 17)).astype(float)
    )
)


@given(tables, st.integers(1, 25))
def test_window_sums_are_sums_of_the_last_columns(values, width):
    """Each column's window ends with it; unknown counts as nothing, windows are shorter at the start."""
    found = window_sums(cumulate(values), width)
    for t in range(values.shape[1]):
        np.testing.assert_allclose(found[:, t], np.nansum(values[:, max(0, t + 1 - width) : t + 1], axis=1))


@given(tables, st.integers(1, 25))
def test_sums_before_a_column_leave_it_out(values, span):
    """The level's buckets never overlap the window that begins with the column."""
    found = before(cumulate(values), span)
    for t in range(values.shape[1] + 1):
        np.testing.assert_allclose(found[:, t], np.nansum(values[:, max(0, t - span) : t], axis=1))


@given(tables, st.integers(1, 25), st.integers(1, 25))
def test_the_newest_sums_are_the_last_of_all(values, width, span):
    """Judging a tick takes the last column of what a refit takes whole."""
    cumulated = cumulate(values)
    np.testing.assert_allclose(newest_sums(cumulated, width), window_sums(cumulated, width)[:, -1])
    first = max(0, values.shape[1] - width)
    np.testing.assert_allclose(newest_trailing(cumulated, width, span), before(cumulated, span)[:, first])


def test_level_is_the_ratio_of_busy_sums():
    """Thousands of events speak for themselves."""
    assert level(np.array([15_000.0]), np.array([10_000.0]))[0] == pytest.approx(1.5, rel=0.01)


def test_level_of_few_events_stays_near_the_prior():
    """Three events instead of one say little; the prior is the total's level."""
    assert level(np.array([3.0]), np.array([1.0]))[0] < 1.2
    assert level(np.array([0.0]), np.array([0.0]), 1.3)[0] == pytest.approx(1.3)


@given(st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0.4, 2.5))
def test_level_is_bounded(observed, seasonal, prior):
    """Neither an outage nor an explosion becomes the normal by itself."""
    found = float(level(np.array([observed]), np.array([seasonal]), prior)[0])
    assert LEVEL_CLIP[0] <= found <= LEVEL_CLIP[1]


def test_spikes_are_cut_and_drops_are_not():
    """A value far above its mean is lowered to three deviations and one; all others stay."""
    y, mu = np.array([[100.0, 0.0, 105.0, np.nan]]), np.full((1, 4), 50.0)
    capped = cap_spikes(y, mu, np.zeros((1, 1)))
    limit = 50 + 3 * np.sqrt(50) + 1
    np.testing.assert_allclose(capped, [[limit, 0.0, limit, np.nan]])
    np.testing.assert_allclose(cap_spikes(mu, mu, np.zeros((1, 1))), mu)
