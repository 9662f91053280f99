"""Counts that a source holds back where they are small."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.statistics.cutoff import cutoff, cutoffs, uncertain


def steady(mean: float, spread: float, seed: int = 0, leaves: int = 60, buckets: int = 60) -> np.ndarray:
    """Over-dispersed counts of leaves whose sizes scatter around `mean`."""
    rng = np.random.default_rng(seed)
    size = mean * np.exp(rng.normal(0.0, spread, (leaves, 1)))
    return rng.poisson(size * rng.gamma(20.0, 1 / 20.0, (leaves, buckets))).astype(float)


def suppressed(values: np.ndarray, least: float) -> np.ndarray:
    return np.where(values < least, 0.0, values)


def test_a_suppression_threshold_is_found():
    """Rows below 101 never appear, rows just above it do: up to 100 is held back."""
    assert cutoff(suppressed(steady(300.0, 1.2), 101.0)) in {100.0, 101.0, 102.0}


@given(st.integers(0, 1000), st.floats(0.5, 5_000.0), st.floats(0.0, 2.0))
def test_ordinary_counts_have_no_cutoff(seed, mean, spread):
    """Poisson-like counts of any size, with outages in them, are not taken for suppressed ones."""
    values = steady(mean, spread, seed)
    values[:20, 10:20] = 0
    assert cutoff(values) == 0.0


def test_a_few_smaller_counts_do_not_hide_it():
    """Half of one small leaf's rows lost leaves counts below the threshold: it is still the threshold."""
    values = suppressed(steady(300.0, 1.2), 101.0)
    small = int(np.argmin(np.where(values.sum(axis=1) > 0, values.sum(axis=1), np.inf)))
    values[small, -3:] = 60.0
    assert cutoff(values) in {100.0, 101.0, 102.0}


def test_counts_of_one_size_have_no_cutoff():
    """Leaves of five thousand each, some of them silent for a while, are simply large."""
    values = np.random.default_rng(0).poisson(5_000.0, (60, 60)).astype(float)
    values[:10, 10:20] = 0
    assert cutoff(values) == 0.0


@given(st.integers(0, 1000), st.floats(20.0, 2_000.0), st.floats(0.0, 2.0))
def test_young_and_dead_leaves_are_not_held_back(seed, mean, spread):
    """Leaves that begin late, history that is unknown, and outages of the whole are no suppression."""
    values = steady(mean, spread, seed)
    values[:40, :30] = 0
    values[:, :10] = np.nan
    values[:, 45:48] = 0
    values[50:, 40:] = 0
    assert cutoff(values) == 0.0


def test_few_cells_say_nothing():
    """A handful of counts above 100 is no evidence of a threshold."""
    assert cutoff(np.full((4, 50), 101.0) * np.array([[1.0], [0.0], [1.0], [1.0]])) == 0.0


def test_each_tenant_has_its_own_cutoff():
    """Leaves of the value that suppresses get its cutoff, the others none."""
    values = np.concatenate([suppressed(steady(300.0, 1.2), 101.0), steady(300.0, 1.2, 1)])
    codes = np.stack([np.repeat([0, 1], 60), np.tile(np.arange(60), 2)], axis=1).astype(np.int32)
    found = cutoffs(codes, values)
    assert (found[:60] >= 100.0).all()
    assert (found[60:] == 0.0).all()


def test_silence_is_taken_at_the_most_it_may_be():
    """A silent leaf counts what it usually has, up to the cutoff; what came, and plain silence, stay."""
    values = np.array([[0.0, 150.0], [0.0, 0.0], [0.0, 7.0]])
    mean = np.array([[130.0, 130.0], [30.0, 30.0], [9.0, 9.0]])
    found = uncertain(values, mean, np.array([100.0, 100.0, 0.0]))
    assert found.tolist() == [[100.0, 150.0], [30.0, 30.0], [0.0, 7.0]]
