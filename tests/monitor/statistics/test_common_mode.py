"""What moves everything at once is one factor, and one dead slice is no part of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.statistics.common_mode import References, common_mode, contrastable, reference_rows, weighted_median
from monitor.statistics.constants import COMMON_CLIP

MU = np.linspace(50.0, 4_000.0, 20)[:, None] * np.ones((1, 3))
ALL = np.arange(20)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 9)), min_size=1, max_size=30))
def test_weighted_median_is_the_median_of_repeated_values(pairs):
    """Whole weights are repetitions: the lower median of the list with each value written so many times."""
    values, weights = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    written = sorted(np.repeat(values, weights.astype(int)))
    assert weighted_median(values, weights) == written[(len(written) - 1) // 2]


@given(st.integers(0, 2**32 - 1), st.integers(1_024, 6_000), st.sampled_from([0.0, 0.5, 3.0]))
def test_the_median_of_many_values_is_the_same_by_a_sample(seed, count, ordered):
    """Thousands of values, sorted, half sorted or not, with ties and zero weights: the median of the full sort."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(0, 1, count) + ordered * np.arange(count) / count, 2)
    weights = rng.integers(0, 4, count).astype(float)
    order = np.argsort(values, kind="stable")
    full = values[order][np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())]
    assert weighted_median(values, weights) == full


@given(st.floats(0.32, 2.9))
def test_a_known_factor_is_found(factor):
    """Everything at 0.6 of normal: C is 0.6."""
    assert common_mode(factor * MU, MU, ALL) == pytest.approx(factor, rel=0.02)


@given(seed=st.integers(0, 10_000), dtype=st.sampled_from([np.float32, np.float64]))
def test_all_columns_at_once_are_as_each_alone(seed, dtype):
    """To the last bit, with unknown cells, small references and ties."""
    chance = np.random.default_rng(seed)
    mu = (chance.integers(0, 9, (30, 12)) * 20.0).astype(dtype)
    y = np.round(mu * chance.uniform(0.5, 1.5, (30, 12))).astype(dtype)
    y[chance.random((30, 12)) < 0.2] = np.nan
    found = common_mode(y, mu, np.arange(30))
    for column in range(12):
        usable = (mu[:, column] > 20) & ~np.isnan(y[:, column])
        seen, normal = y[usable, column], mu[usable, column]
        alone = weighted_median((seen + 1.0) / (normal + 1.0), np.sqrt(normal)) if usable.sum() >= 8 else 1.0
        assert found[column] == np.clip(alone, *COMMON_CLIP)


def test_one_dead_slice_does_not_touch_it():
    """The largest slice dies, the rest is as usual: C stays 1."""
    y = MU.copy()
    y[-1] = 0.0
    np.testing.assert_allclose(common_mode(y, MU, ALL), 1.0)


def test_each_column_has_its_own():
    """C follows the bucket."""
    np.testing.assert_allclose(common_mode(MU * [1.0, 0.5, 2.0], MU, ALL), [1.0, 0.5, 2.0], rtol=0.02)


def test_unknown_cells_are_left_out():
    """A NaN is no zero, and a column of too few known slices has no common mode."""
    y = 0.5 * MU
    y[:10, 0] = np.nan
    y[:13, 1] = np.nan
    found = common_mode(y, MU, ALL)
    assert found[0] == pytest.approx(0.5, rel=0.02)
    assert found[1] == 1.0


def test_too_few_or_too_small_references_give_one():
    """Seven slices, or twenty that expect next to nothing, do not say what the whole does."""
    few = np.arange(7)
    assert (common_mode(0.5 * MU, MU, few) == 1.0).all()
    assert (common_mode(np.zeros((20, 3)), np.full((20, 3), 15.0), ALL) == 1.0).all()


def test_it_is_clipped_where_the_whole_is_one_event():
    """Beyond the clip nothing is contrasted with it."""
    down, up = common_mode(0 * MU, MU, ALL), common_mode(10 * MU, MU, ALL)
    assert (down == COMMON_CLIP[0]).all()
    assert (up == COMMON_CLIP[1]).all()
    assert not contrastable(np.concatenate([down, up])).any()
    assert contrastable(np.array([0.5, 1.0, 2.0])).all()


def test_references_are_of_one_cuboid():
    """No reference nests in another: all name the same dimensions, those that carry most weight."""
    cuboid = np.array([0] + [1] * 9 + [2] * 12 + [3] * 30)
    mean = np.concatenate([[1e6], np.full(9, 5_000.0), np.full(12, 9_000.0), np.full(30, 25.0)])
    assert np.flatnonzero(reference_rows(cuboid, mean)).tolist() == list(range(10, 22))


def test_the_total_and_small_slices_are_no_references():
    """None where no cuboid has eight slices of more than twenty events."""
    assert not reference_rows(np.array([0] + [1] * 7), np.full(8, 1e5)).any()
    assert not reference_rows(np.array([1] * 30), np.full(30, 19.0)).any()


TWO = References.of(np.full(20, 3), MU[:, 0], np.repeat([1, 2], 10))
"""Twenty slices of one cuboid, ten in each of two regions."""


def test_each_region_follows_its_own():
    """One region falls to half and the other does not: each slice follows the C of the ten beside it."""
    y = MU.copy()
    y[:10] *= 0.5
    found = TWO.common(y, MU)
    np.testing.assert_allclose(found[1:], [[0.5] * 3, [1.0] * 3], rtol=0.02)
    assert (TWO.spread(found)[:10] == found[1]).all()
    assert (TWO.spread(found)[10:] == found[2]).all()


def test_a_region_of_too_few_follows_the_whole():
    """Seven slices have no C of their own: from the first, or once others are left out."""
    young = References.of(np.full(20, 3), MU[:, 0], np.array([1] * 7 + [2] * 13))
    assert (young.region[:7] == 0).all()
    y = 0.7 * MU
    y[:10] = 0.4 * MU[:10]
    left_out = np.arange(20) < 3
    found = TWO.without(left_out).common(y, MU)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_allclose(TWO.common(y, MU)[1], 0.4, rtol=0.02)


def test_a_region_takes_its_references_from_one_cuboid():
    """Devices and versions of one country nest: only those of one kind say how the country moves."""
    cuboid = np.array([3] * 10 + [5] * 12 + [3] * 10)
    region = np.array([1] * 22 + [2] * 10)
    found = References.of(cuboid, np.full(32, 100.0), region)
    assert np.flatnonzero(found.regional).tolist() == [*range(10, 32)]


def test_what_is_new_follows_the_whole():
    """A slice of the second region that nobody knew is no reference, and follows all."""
    carried = TWO.carried(np.array([19, -1, 0]))
    assert carried.region.tolist() == [2, 0, 1]
    assert carried.whole.tolist() == carried.regional.tolist() == [True, False, True]
