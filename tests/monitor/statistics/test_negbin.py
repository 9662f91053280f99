"""Tails of the negative binomial, against scipy's and statsmodels' own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.distributions.discrete import truncatednegbin

from monitor.statistics.negbin import (
    log_likelihood,
    lower_tail,
    most_surprise,
    quantile_band,
    silence,
    upper_tail,
)

counts = st.integers(0, 5_000)
means = st.floats(0.01, 5_000.0)
alphas = st.floats(1e-4, 4.0)


def one(function, y, mu, alpha):
    """A function of arrays, asked for one value."""
    return float(function(np.array([float(y)]), np.array([float(mu)]), np.array([float(alpha)]))[0])


def reference(mu: float, alpha: float):
    """The negative binomial of scipy with this mean and variance mu + alpha mu^2."""
    return stats.nbinom(1.0 / alpha, 1.0 / (1.0 + alpha * mu))


@given(counts, means, alphas)
def test_lower_tail_agrees_with_scipy(y, mu, alpha):
    """P(Y <= y) is scipy's distribution function."""
    assert one(lower_tail, y, mu, alpha) == pytest.approx(reference(mu, alpha).cdf(y), rel=1e-6, abs=1e-290)


@given(counts, means, alphas)
def test_upper_tail_agrees_with_scipy(y, mu, alpha):
    """P(Y >= y) is scipy's survival function one count below."""
    assert one(upper_tail, y, mu, alpha) == pytest.approx(reference(mu, alpha).sf(y - 1), rel=1e-5, abs=1e-290)


@pytest.mark.parametrize(("mu", "alpha"), [(0.3, 0.5), (7.0, 0.05), (49.0, 0.2), (400.0, 1.5)])
def test_lower_tail_sums_what_statsmodels_says_of_each_count(mu, alpha):
    """The tail is the sum of statsmodels' NB2 probabilities, untruncated (its form conditions on Y > 0)."""
    y = np.arange(1, 60)
    above_zero = truncatednegbin.pmf(y, mu, alpha, 2, 0)
    zero = (1.0 + alpha * mu) ** (-1.0 / alpha)
    expected = zero + (1.0 - zero) * np.cumsum(above_zero)
    np.testing.assert_allclose(lower_tail(y.astype(float), np.full(59, mu), np.full(59, alpha)), expected, rtol=1e-6)


@given(counts, means, st.sampled_from([0.0, 1e-9, 1e-7, 1.1e-6]))
def test_no_dispersion_is_the_poisson_limit(y, mu, alpha):
    """Where alpha vanishes, both tails are the Poisson's, with no jump where the formula changes."""
    poisson = stats.poisson(mu)
    low, high = poisson.cdf(y), poisson.sf(y - 1)
    # At alpha = 1.1e-6 the spread differs by alpha mu / 2 of itself: that much may a far tail move.
    z2 = (y - mu) ** 2 / mu
    slack = 1e-6 + (0.0 if alpha < 1e-6 else 3e-6 * (1.0 + mu) * (1.0 + z2))
    if low > 1e-250:
        assert np.log(one(lower_tail, y, mu, alpha)) == pytest.approx(np.log(low), abs=slack, rel=1e-9)
    if high > 1e-250:
        assert np.log(one(upper_tail, y, mu, alpha)) == pytest.approx(np.log(high), abs=slack, rel=1e-9)


@given(means, st.floats(0.0, 4.0))
def test_tails_are_monotone_in_the_count(mu, alpha):
    """More events are never more surprising as a drop, nor less as a spike; both are probabilities."""
    y = np.arange(0, 400, dtype=float)
    low = lower_tail(y, np.full(400, mu), np.full(400, alpha))
    high = upper_tail(y, np.full(400, mu), np.full(400, alpha))
    assert (np.diff(low) >= -1e-12).all()
    assert (np.diff(high) <= 1e-12).all()
    assert (low > 0).all()
    assert (high > 0).all()
    assert (low <= 1 + 1e-12).all()
    assert (high <= 1 + 1e-12).all()
    assert high[0] == 1.0


@given(means, st.floats(0.0, 4.0))
def test_both_tails_count_every_outcome_once(mu, alpha):
    """P(Y <= y) + P(Y >= y + 1) = 1."""
    y = np.arange(0, 60, dtype=float)
    both = lower_tail(y, np.full(60, mu), np.full(60, alpha)) + upper_tail(y + 1, np.full(60, mu), np.full(60, alpha))
    np.testing.assert_allclose(both, 1.0, atol=1e-8)


def test_unknown_counts_have_unknown_tails():
    """NaN in, NaN out: unknown is never taken for zero."""
    nan = np.array([np.nan])
    assert np.isnan(lower_tail(nan, np.array([5.0]), np.array([0.1]))).all()
    assert np.isnan(upper_tail(nan, np.array([5.0]), np.array([0.1]))).all()
    assert np.isnan(upper_tail(nan, np.array([5.0]), np.array([0.0]))).all()


@given(means, st.floats(0.0, 4.0))
def test_silence_is_the_surprise_of_nothing(mu, alpha):
    """-ln P(Y = 0), the same as the lower tail at zero wherever that can be written as a number."""
    nats = float(silence(np.array([mu]), np.array([alpha]))[0])
    assert nats >= 0
    if nats < 600:
        # Just above the limit's border the Poisson's silence is off by alpha mu^2 / 2, below a part in a hundred.
        assert nats == pytest.approx(-np.log(one(lower_tail, 0, mu, alpha)), rel=1e-2 if alpha < 1e-5 else 1e-7)


def test_silence_grows_with_volume_and_shrinks_with_dispersion():
    """A busy slice's silence says more, a scattered one's less."""
    mu = np.array([1.0, 10.0, 100.0, 1000.0])
    assert (np.diff(silence(mu, np.full(4, 0.2))) > 0).all()
    alpha = np.array([0.0, 0.01, 0.1, 1.0])
    assert (np.diff(silence(np.full(4, 50.0), alpha)) < 0).all()


@pytest.mark.parametrize("alpha", [0.0, 1e-5, 0.01, 1.0])
def test_huge_volumes_stay_numbers(alpha):
    """A billion events a bucket give finite, ordered tails; total silence is not impossible, only tiny."""
    mu = np.array([1e9])
    half, full = lower_tail(mu / 2, mu, np.array([alpha])), lower_tail(mu, mu, np.array([alpha]))
    assert np.isfinite(half).all()
    assert 0 < half[0] < full[0]
    assert full[0] == pytest.approx(0.5, abs=0.2)
    assert 0 < lower_tail(np.zeros(1), mu, np.array([alpha]))[0] <= half[0]
    assert upper_tail(2 * mu, mu, np.array([alpha]))[0] < upper_tail(mu, mu, np.array([alpha]))[0]


def test_a_slice_that_expects_nothing_is_not_surprised_by_nothing():
    """Mean zero: no event is certain, any event all but impossible."""
    assert one(lower_tail, 0, 0.0, 0.1) == pytest.approx(1.0)
    assert one(upper_tail, 1, 0.0, 0.1) < 1e-9
    assert float(silence(np.zeros(1), np.array([0.1]))[0]) == 0.0


@given(means, st.floats(0.0, 4.0), st.floats(1e-12, 0.49))
def test_the_band_is_ordered_and_never_negative(mu, alpha, p):
    """0 <= low <= high: a lower bound below zero would hide a total loss."""
    low, high = quantile_band(np.array([mu]), np.array([alpha]), p)
    assert 0 <= low[0] <= high[0]
    assert np.isfinite(high[0])


@given(st.floats(20.0, 5_000.0), st.floats(0.0, 0.3))
def test_the_band_is_about_what_the_distribution_leaves(mu, alpha):
    """At one in a hundred a side the band lies within a tenth and a count of scipy's quantiles."""
    exact = reference(mu, max(alpha, 1e-9)).ppf([0.01, 0.99])
    low, high = quantile_band(np.array([mu]), np.array([alpha]), 0.01)
    assert low[0] == pytest.approx(exact[0], rel=0.1, abs=2.0)
    assert high[0] == pytest.approx(exact[1], rel=0.1, abs=2.0)


@given(counts, st.floats(0.5, 2_000.0), st.floats(0.5, 2_000.0), st.floats(1e-4, 4.0))
def test_log_likelihood_ratio_is_that_of_the_distribution(y, mu, other, alpha):
    """The dropped term does not depend on mu: differences are those of scipy's log-probabilities."""
    mine = one(log_likelihood, y, mu, alpha) - one(log_likelihood, y, other, alpha)
    theirs = reference(mu, alpha).logpmf(y) - reference(other, alpha).logpmf(y)
    assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-5)


@given(
    st.floats(1e-3, 1e7),
    st.one_of(st.just(0.0), st.floats(1e-9, 4.0)),
    st.floats(-6.0, 6.0),
    st.booleans(),
)
def test_the_quick_bound_is_never_below_the_surprise(mu, alpha, z, whole):
    """Whatever the count, -ln of its tail on the side it lies is at most `most_surprise`."""
    y = max(mu + z * np.sqrt(mu + alpha * mu * mu), 0.0)
    count, mean, spread = np.array([np.round(y) if whole else y]), np.array([mu]), np.array([alpha])
    tail = lower_tail if count[0] < mu else upper_tail
    assert -np.log(tail(count, mean, spread))[0] <= most_surprise(count, mean, spread)[0]
