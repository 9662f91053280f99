"""The data cube: sums from cuboid to cuboid are those over the leaves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.lattice import ANY
from monitor.localize.cube import Cube


@st.composite
def leaves(draw) -> np.ndarray:
    """Distinct codes of some leaves of one to five dimensions, gaps in the codes included."""
    width = draw(st.integers(1, 5))
    rows = draw(st.lists(st.tuples(*[st.integers(0, 4)] * width), min_size=1, max_size=40, unique=True))
    return np.array(rows, dtype=np.int32)


def inside(codes: np.ndarray, named: tuple[int, ...]) -> np.ndarray:
    """Leaves of an element, the slow way."""
    return np.array([all(n in (ANY, c) for n, c in zip(named, row, strict=True)) for row in codes])


@given(codes=leaves(), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_sums_and_members_are_those_of_the_leaves(codes, seed):
    """Every element of every cuboid, each once, the total last; sums of two measures."""
    cube = Cube.of(codes)
    values = np.random.default_rng(seed).normal(size=(2, len(codes)))
    sums = cube.sums(values)
    names = [cube.codes_of(e) for e in range(len(cube))]
    masks = range(2 ** codes.shape[1])
    wanted = {tuple(c if mask >> d & 1 else ANY for d, c in enumerate(row)) for row in codes.tolist() for mask in masks}
    assert set(names) == wanted
    assert len(names) == len(wanted)
    assert names[-1] == (ANY,) * codes.shape[1]
    for element, name in enumerate(names):
        members = inside(codes, name)
        assert (cube.members(element) == members).all()
        assert sums[:, element] == pytest.approx(values[:, members].sum(axis=1), abs=1e-9)
        assert cube.size[element] == sum(code != ANY for code in name)


@given(codes=leaves(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_leaves_taken_out_leave_the_sums_of_the_others(codes, data):
    """Few leaves and many: subtracting equals summing what is left."""
    cube = Cube.of(codes)
    gone = np.array(data.draw(st.lists(st.integers(0, len(codes) - 1), unique=True)), dtype=np.int64)
    values = np.arange(1.0, 1.0 + 2 * len(codes)).reshape(2, -1)
    sums = cube.sums(values)
    cube.subtract(sums, values, gone)
    left = values.copy()
    left[:, gone] = 0.0
    assert sums == pytest.approx(cube.sums(left), abs=1e-9)


@given(codes=leaves())
@settings(max_examples=50, deadline=None)
def test_a_dimension_less(codes):
    """Leaving out a dimension of an element gives the element of the rest."""
    cube = Cube.of(codes)
    for element in range(len(cube)):
        name = cube.codes_of(element)
        for d in (i for i, code in enumerate(name) if code != ANY):
            wider = tuple(ANY if i == d else code for i, code in enumerate(name))
            assert cube.codes_of(cube.without(element, d)) == wider


def test_many_dimensions_are_named_up_to_three():
    """With 2,000 leaves of 15 dimensions not all 32,768 cuboids are made, only those of up to three dimensions."""
    codes = np.random.default_rng(0).integers(0, 3, (2_000, 15)).astype(np.int32)
    cube = Cube.of(codes)
    assert cube.size.max() == 3
    assert len(cube.cuboids) == 1 + 15 + 105 + 455
    sums = cube.sums(np.ones((1, 2_000)))[0]
    assert sums[-1] == 2_000
    assert sums[0] == (codes[:, :3] == cube.codes_of(0)[:3]).all(axis=1).sum()


def test_codes_too_wide_for_one_number_are_told_apart():
    """Codes near the end of their range in five dimensions: 2^155 combinations in theory, few in fact."""
    codes = np.random.default_rng(1).integers(0, 2**31 - 1, (50, 5)).astype(np.int32)
    cube = Cube.of(codes)
    assert cube.sums(np.ones((1, 50)))[0, :50].tolist() == [1.0] * 50
