"""What a scan is given, and how wide it is said to scatter."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.localize.cells import Cells, dispersion_by_volume, measured_noise, ratio_cells, robust_noise
from monitor.statistics.constants import COLD_ALPHA

CODES = np.array(list(product(range(5), range(6), range(7))), dtype=np.int32)
ALPHA = 0.001


def test_effective_counts_scatter_like_poisson_counts():
    """Over-dispersed counts, divided by how much wider they scatter, have a variance equal to their mean."""
    rng = np.random.default_rng(1)
    expected = np.full(20_000, 400.0)
    observed = rng.poisson(expected * rng.gamma(1 / 0.01, 0.01, len(expected))).astype(float)
    v, f = Cells(np.zeros((len(expected), 1), dtype=np.int32), observed, expected, 0.01).effective()
    assert np.mean((v - f) ** 2) == pytest.approx(np.mean(f), rel=0.1)


@given(v=st.floats(0, 1e6), f=st.floats(0, 1e6), alpha=st.floats(0, 4))
def test_loss_and_growth_weigh_alike(v, f, alpha):
    """Observed and expected changed places: so do the effective counts."""
    there = Cells(CODES[:1], np.array([v]), np.array([f]), alpha).effective()
    back = Cells(CODES[:1], np.array([f]), np.array([v]), alpha).effective()
    assert there == back[::-1]


@pytest.mark.parametrize("correlation", [0.0, 0.01])
def test_a_ratio_scatters_like_a_beta_binomial(correlation):
    """The variance of the part, with and without correlation between events of a leaf, as a simulation shows it."""
    whole, rate = np.full(20_000, 300.0), 0.2
    rng = np.random.default_rng(2)
    size = 1.0 / correlation - 1.0 if correlation else 0.0
    p = rng.beta(rate * size, (1 - rate) * size, len(whole)) if correlation else rate
    part = rng.binomial(300, p, len(whole)).astype(float)
    cells = ratio_cells(np.zeros((len(whole), 1), dtype=np.int32), part, whole, np.full(len(whole), rate), correlation)
    said = cells.noise * (1.0 + cells.alpha * cells.expected) * cells.expected
    assert np.mean((part - cells.expected) ** 2) == pytest.approx(np.mean(said), rel=0.1)


@pytest.mark.parametrize("usual", [0.0, 1.0])
def test_a_rate_of_nothing_or_all_is_no_certainty(usual):
    """A leaf that never stalled may stall: its expectation and its noise stay positive."""
    cells = ratio_cells(CODES[:1], np.array([3.0]), np.array([50.0]), np.array([usual]), 0.01)
    v, f = cells.effective()
    assert np.isfinite([*v, *f]).all()
    assert (f > 0).all()


@pytest.mark.parametrize("relative", [0.02, 0.2])
def test_relative_noise_of_a_forecast_is_measured(relative):
    """Amounts that scatter by a share of themselves: alpha is its square, and there is no Poisson part to speak of."""
    rng = np.random.default_rng(3)
    expected = 100.0 * rng.weibull(0.7, 5_000)
    cells = measured_noise(np.zeros((5_000, 1), np.int32), expected * (1 + rng.normal(0, relative, 5_000)), expected)
    assert np.sqrt(cells.alpha * cells.noise) == pytest.approx(relative, rel=0.2)
    assert cells.noise < 0.1


def test_counts_scatter_at_least_like_poisson_counts():
    """Counts that happen to hit their forecast exactly are not told to be exact."""
    expected = np.random.default_rng(4).integers(1, 1_000, 500).astype(float)
    assert measured_noise(np.zeros((500, 1), np.int32), expected, expected).noise == 1.0


def test_few_leaves_are_taken_for_counts():
    """Too few leaves to measure: Poisson noise."""
    cells = measured_noise(CODES[:5], np.array([0, 50, 1, 2, 300.0]), np.full(5, 100.0))
    assert (cells.noise, cells.alpha) == (1.0, 0.0)


def test_noise_is_raised_to_what_the_leaves_show():
    """Where the middle of the leaves scatters three times as wide as alpha says, variances grow; never below 1."""
    expected = 1_000.0 * np.random.default_rng(11).lognormal(0.0, 0.7, len(CODES))
    rng = np.random.default_rng(12)
    wild = expected + 3 * rng.normal(0, np.sqrt(expected + ALPHA * expected**2))
    calm = expected.copy()
    alpha = np.full(len(expected), ALPHA)
    assert robust_noise(CODES, wild, expected, alpha).noise > 2.5
    assert robust_noise(CODES, calm, expected, alpha).noise == 1.0
    assert robust_noise(CODES, 0.5 * calm, expected, alpha).noise == 1.0


def test_dispersion_of_leaves_follows_their_volume():
    """Small slices scatter more: a leaf takes the dispersion of slices of its volume, held at both ends."""
    volume = np.geomspace(1, 10_000, 200)
    found = dispersion_by_volume(volume, 1.0 / volume, np.array([1e-3, 10.0, 1_000.0, 1e9]))
    assert found[1] == pytest.approx(0.1, rel=0.5)
    assert found[2] == pytest.approx(0.001, rel=0.5)
    assert found[0] >= found[1] > found[2] >= found[3]
    assert dispersion_by_volume(np.zeros(3), np.zeros(3), np.ones(2)).tolist() == [COLD_ALPHA] * 2
