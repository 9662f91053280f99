"""Over-dispersion by moments, and its shrinking to slices of like volume."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.statistics.constants import ALPHA_MAX
from monitor.statistics.dispersion import raw_alpha, shrink

DAYS = np.repeat(np.arange(28), 24)


def draws(alpha: float, mu: float, slices: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(counts, means) [slices, 28 days of hours] of a negative binomial."""
    size = (slices, len(DAYS))
    rng = np.random.default_rng(seed)
    lam = rng.gamma(1 / alpha, alpha * mu, size) if alpha else np.full(size, mu)
    return rng.poisson(lam).astype(float), np.full(size, mu)


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.5, 1.5])
def test_recovers_a_known_dispersion(alpha):
    """28 days of hours: the median estimate lies within a sixth of the truth (the worst day is dropped)."""
    found = raw_alpha(*draws(alpha, 100.0), DAYS)
    assert np.median(found) == pytest.approx(alpha, rel=1 / 6)


def test_poisson_counts_have_none():
    """Counts that scatter no more than chance get a dispersion near zero, never below."""
    found = raw_alpha(*draws(0.0, 100.0), DAYS)
    assert (found >= 0).all()
    assert np.median(found) < 0.002


def test_one_day_of_outage_is_dropped():
    """A day at zero in the past does not make a slice look wild."""
    y, mu = draws(0.02, 100.0)
    clean = raw_alpha(y, mu, DAYS)
    y[:, DAYS == 11] = 0.0
    assert np.median(raw_alpha(y, mu, DAYS)) == pytest.approx(np.median(clean), rel=0.2)


def test_unknown_cells_say_nothing():
    """Half of the cells unknown: the estimate stays where it was."""
    y, mu = draws(0.1, 100.0)
    y[:, ::2] = np.nan
    assert np.median(raw_alpha(y, mu, DAYS)) == pytest.approx(0.1, rel=0.2)


def test_dispersion_is_bounded():
    """Whatever the history, between zero and the cap; a slice without events gets none."""
    y = np.zeros((2, len(DAYS)))
    y[0, ::48] = 1e6
    found = raw_alpha(y, np.full(y.shape, 1.0) * np.array([[1.0], [0.0]]), DAYS)
    assert found[0] == ALPHA_MAX
    assert found[1] == 0.0


def test_shrinking_pulls_towards_slices_of_like_volume():
    """Small slices are pooled with small ones, large with large: each class ends near its own median."""
    rng = np.random.default_rng(1)
    volume = np.concatenate([rng.uniform(1, 2, 100), rng.uniform(1_000, 2_000, 100)])
    truth = np.where(volume < 10, 0.5, 0.05)
    alpha = truth * rng.lognormal(0, 0.8, 200)
    found = shrink(alpha, volume, independent=28.0)
    assert np.abs(np.log(found / truth)).mean() < 0.7 * np.abs(np.log(alpha / truth)).mean()
    assert found[:100].min() > found[100:].max() * 0.5


def test_shrinking_trusts_what_was_seen_often():
    """With many windows a slice keeps its own value, with none it takes its class's median."""
    alpha, volume = np.array([0.1] * 9 + [2.0]), np.ones(10)
    assert shrink(alpha, volume, independent=1e9)[-1] == pytest.approx(2.0)
    assert shrink(alpha, volume, independent=0.0)[-1] == pytest.approx(0.1)
    doubled = shrink(alpha, volume, independent=28.0, weight=2.0)[-1]
    assert doubled == pytest.approx((28 * 2.0 + 56 * 0.1) / 84)


def test_shrinking_one_slice_leaves_it_alone():
    """A rule of a single slice has nothing to borrow from."""
    assert shrink(np.array([0.3]), np.array([5.0]), 10.0)[0] == pytest.approx(0.3)
