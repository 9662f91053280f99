"""Probabilities made honest: the fitted tail and what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.statistics.calibration import NOMINAL, Tail, fit_tail
from monitor.statistics.constants import CALIBRATION_MIN_CELLS, TAIL_SHAPE

tails = st.builds(
    Tail,
    start=st.floats(0.0, 30.0),
    rate=st.floats(0.0, 1.0),
    scale=st.floats(0.1, 20.0),
    shape=st.one_of(st.just(0.0), st.floats(0.0, TAIL_SHAPE[1])),
)
surprises = st.lists(st.floats(0.0, 700.0), min_size=2, max_size=40)


@given(tails, surprises)
def test_survival_never_rises(tail, xs):
    """A more surprising count never gets a larger probability."""
    x = np.sort(np.array(xs))
    assert (np.diff(tail.survival(x)) <= 1e-15).all()


@given(tails, surprises)
def test_survival_is_never_below_nominal(tail, xs):
    """Calibration may only make a test more careful, and gives a probability above zero."""
    x = np.array(xs)
    found = tail.survival(x)
    assert (found >= np.exp(-np.minimum(x, 690.0)) * (1 - 1e-12)).all()
    assert (found <= 1.0).all()
    assert (found > 0.0).all()


@given(surprises)
def test_nominal_takes_p_at_its_word(xs):
    """Without calibration the probability is exp(-x)."""
    x = np.array(xs)
    np.testing.assert_allclose(NOMINAL.survival(x), np.exp(-np.minimum(x, 690.0)))


def pareto(shape: float, scale: float, n: int, seed: int = 0) -> np.ndarray:
    """Generalized Pareto excesses."""
    u = np.random.default_rng(seed).random(n)
    return scale * ((u**-shape - 1) / shape if shape else -np.log(u))


@pytest.mark.parametrize("shape", [0.0, 0.1, 0.2])
def test_recovers_a_pareto_tail(shape):
    """99 % of cells calm, one in a hundred beyond 6 nats with a known tail: rate, scale and far tail are found."""
    n = 400_000
    calm = np.random.default_rng(1).uniform(0, 6, n)
    calm[: n // 100] = 6 + pareto(shape, 3.0, n // 100)
    tail = fit_tail(calm)
    assert tail.start == pytest.approx(6.0, abs=0.1)
    assert tail.rate == pytest.approx(0.01, rel=0.02)
    assert tail.scale == pytest.approx(3.0, rel=0.15)
    assert tail.shape == pytest.approx(shape, abs=0.07)
    true = 0.01 * ((1 + shape * 12 / 3) ** (-1 / shape) if shape else np.exp(-4))
    assert tail.survival(np.array([18.0]))[0] == pytest.approx(true, rel=0.35)


def test_calibrated_probabilities_hold_on_fresh_cells():
    """Surprises that scatter twice as wide as nominal: of a hundred thousand fresh ones about 20 pass 1 in 5,000."""
    rng = np.random.default_rng(2)
    tail = fit_tail(rng.exponential(2.0, 100_000))
    fresh = tail.survival(rng.exponential(2.0, 100_000))
    assert 8 <= (fresh < 1 / 5_000).sum() <= 40


def test_an_honest_test_stays_as_it_is():
    """Where nominal probabilities are right, the calibrated ones are near them."""
    tail = fit_tail(np.random.default_rng(3).exponential(1.0, 200_000))
    x = np.array([6.0, 9.0, 12.0])
    assert (np.abs(np.log(tail.survival(x)) + x) < 1.5).all()


def test_a_heavier_past_makes_the_test_more_careful():
    """The wilder the history, the larger the probability of the same surprise."""
    rng = np.random.default_rng(4)
    x = np.array([20.0])
    found = [fit_tail(rng.exponential(scale, 50_000)).survival(x)[0] for scale in (1.0, 2.0, 4.0)]
    assert found == sorted(found)


def test_too_little_history_is_not_calibrated():
    """A few hundred cells, or one value repeated, teach nothing about a tail."""
    assert fit_tail(np.random.default_rng(5).exponential(1.0, CALIBRATION_MIN_CELLS - 1)) == NOMINAL
    assert fit_tail(np.full(5_000, 0.3)) == NOMINAL


def test_unknown_surprises_are_left_out():
    """NaN and infinite cells are no part of the sample."""
    x = np.random.default_rng(6).exponential(1.0, 20_000)
    assert fit_tail(np.concatenate([x, np.full(5_000, np.nan), [np.inf]])) == fit_tail(x)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 6.0))
def test_fitted_tails_stay_within_bounds(seed, scale):
    """Whatever the sample: a finite scale of at least one nat and a shape within the clip."""
    tail = fit_tail(np.random.default_rng(seed).gamma(0.7, scale, 1_500) ** 1.5)
    assert TAIL_SHAPE[0] <= tail.shape <= TAIL_SHAPE[1]
    assert 1.0 <= tail.scale < np.inf
    assert 0.0 < tail.rate <= 0.011


@given(tails, st.floats(3.0, 40.0))
def test_the_surprise_needed_is_the_inverse_of_the_tail(tail, wanted):
    """From `needed` on the calibrated surprise reaches what is wanted, and below it does not."""
    x = tail.needed(wanted)
    below, beyond = -np.log(tail.survival(np.array([0.999 * x, 1.001 * x])))
    assert below < wanted + 1e-9
    assert beyond >= wanted
