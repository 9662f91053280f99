"""When a change began, and whether it is over."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.statistics.onset import onset, standing

ALPHA = 0.02


def over(alpha: float):
    """Dispersion of sums that shrinks slowly with their length."""
    return lambda n: alpha / max(n, 1) ** 0.5


def series(*stretches: tuple[int, float], mu: float = 200.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(y, mu) of stretches (buckets, ratio), with negative binomial noise."""
    rng = np.random.default_rng(seed)
    ratio = np.concatenate([np.full(n, r) for n, r in stretches])
    mean = mu * (1.0 + 0.5 * np.sin(np.arange(len(ratio)) / 24 * 2 * np.pi))
    return rng.poisson(rng.gamma(1 / ALPHA, ALPHA * mean * ratio)).astype(float), mean


@given(st.integers(1, 30), st.integers(0, 10_000))
@settings(derandomize=True)
def test_finds_where_a_loss_began(length, seed):
    """A planted outage of any length at the end is found to the bucket."""
    y, mu = series((48 - length, 1.0), (length, 0.0), seed=seed)
    assert onset(y, mu, ALPHA, 0.02) == 48 - length


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_finds_where_a_half_or_a_double_began(ratio):
    """A partial loss or a spike is found within a bucket."""
    y, mu = series((38, 1.0), (10, ratio))
    assert abs(onset(y, mu, ALPHA, ratio) - 38) <= 1


def test_an_older_change_that_is_over_is_not_the_onset():
    """Only the stretch that reaches the end counts."""
    y, mu = series((10, 1.0), (8, 0.0), (20, 1.0), (5, 0.0))
    assert onset(y, mu, ALPHA, 0.02) == 38


def test_unknown_buckets_say_nothing_about_the_onset():
    """NaN before and within the stretch: the first known bad bucket or the unknown ones just before it."""
    y, mu = series((30, 1.0), (10, 0.0))
    y[[27, 33, 34]] = np.nan
    assert onset(y, mu, ALPHA, 0.02) == 30
    y[:] = np.nan
    assert 0 <= onset(y, mu, ALPHA, 0.02) < len(y)


def test_no_change_is_at_most_the_last_bucket():
    """Where nothing is bad the answer is an index of the series all the same."""
    y, mu = series((48, 1.0))
    assert onset(y, mu, ALPHA, 0.1) == 47
    assert onset(np.zeros(0), np.zeros(0), ALPHA, 0.1) == 0


def test_bad_to_the_end_is_still_bad():
    """An outage that goes on reaches the newest bucket and is not cleared."""
    y, mu = series((12, 0.0))
    found = standing(y, mu, over(ALPHA), 0.02)
    assert found.still_bad(12)
    assert not found.cleared


def test_a_full_return_clears():
    """Normal again for six buckets: the bad stretch is bounded to the bucket, and it is cleared."""
    y, mu = series((12, 0.0), (6, 1.0))
    found = standing(y, mu, over(ALPHA), 0.02)
    assert found.bad_until == 12
    assert found.cleared
    assert not found.still_bad(len(y))


@given(st.integers(1, 24), st.integers(0, 10_000))
@settings(derandomize=True)
def test_a_return_by_a_third_is_not_back(length, seed):
    """However deep the loss was, less than half of normal is bad."""
    y, mu = series((12, 0.0), (length, 1 / 3), seed=seed)
    found = standing(y, mu, over(ALPHA), 0.02)
    assert found.still_bad(len(y))
    assert not found.cleared


def test_small_slices_need_more_buckets_to_clear():
    """Two events an hour: one normal bucket is not evidence enough that half is not still missing; a day is."""
    mu = np.full(12 + 48, 2.0)
    y = np.concatenate([np.zeros(12), np.full(48, 2.0)])
    cleared = [standing(y[: 12 + n], mu[: 12 + n], over(0.0), 0.02).cleared for n in (1, 3, 48)]
    assert cleared == [False, False, True]


def test_unknown_buckets_never_clear():
    """After an outage only unknown buckets came: nobody knows, so nothing is over."""
    y, mu = series((12, 0.0))
    found = standing(np.append(y, [np.nan] * 5), np.append(mu, np.full(5, 200.0)), over(ALPHA), 0.02)
    assert not found.cleared


def test_a_partial_loss_is_over_only_near_normal():
    """A loss of 30 % that goes on at 72 % of normal is not cleared; a day at normal is."""
    y, mu = series((12, 0.7), (12, 0.72), mu=5_000.0)
    assert not standing(y, mu, over(0.001), 0.7).cleared
    y, mu = series((12, 0.7), (24, 1.0), mu=5_000.0)
    assert standing(y, mu, over(0.01), 0.7).cleared


def test_a_spike_ends():
    """Twice as many for half a day, then normal: bounded and cleared; while it lasts it stands."""
    y, mu = series((12, 2.0), (8, 1.0))
    found = standing(y, mu, over(ALPHA), 2.0)
    assert abs(found.bad_until - 12) <= 1
    assert found.cleared
    assert standing(y[:12], mu[:12], over(ALPHA), 2.0).still_bad(12)
