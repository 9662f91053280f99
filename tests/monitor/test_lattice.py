"""Leaves to slices: sums, names, order."""
# ruff: noqa: PD011  these values are arrays of ours, not of pandas

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lattice import ANY, Lattice, Leaves, group, match
from rules.slices import FOLDED, Slice

DIMS = ("device", "os", "country")
values = st.sampled_from(["a", "b", "c", "", "(other)", "NULL", None, FOLDED])
leaf_sets = st.lists(st.tuples(values, values, values), min_size=1, max_size=25, unique=True)


def lattice_of(terms, depth=2, dims=DIMS) -> Lattice:
    return Lattice.of(Leaves.of(dims, terms), depth)


def all_names(lattice: Lattice) -> dict[Slice, int]:
    """Row of every name, the other names of the same cells included."""
    own = {lattice.slice_of(n): n for n in range(len(lattice))}
    return own | {name: n for n in range(len(lattice)) for name in lattice.names_of(n)}


@given(leaf_sets, st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_rollup_is_a_groupby(terms, seed, depth):
    """Every slice's sums are those of pandas over its leaves, for every combination of up to `depth` dimensions."""
    counts = np.random.default_rng(seed).integers(0, 1000, (len(terms), 4)).astype(float)
    lattice = lattice_of(terms, depth)
    sums, rows = lattice.rollup(counts), all_names(lattice)
    # pandas groups by text: a tag keeps NULL, FOLDED and strings apart.
    frame = pd.DataFrame([[repr(v) for v in t] for t in terms], columns=list(DIMS))
    value_of = [{repr(t[d]): t[d] for t in terms} for d in range(3)]
    named = 0
    for size in range(depth + 1):
        for chosen in combinations(range(3), size):
            key = [frame[DIMS[d]] for d in chosen] or [pd.Series(0, index=frame.index)]
            for label, part in pd.DataFrame(counts).groupby(key, sort=False):
                parts = label if isinstance(label, tuple) else (label,)
                item = Slice(tuple((DIMS[d], value_of[d][p]) for d, p in zip(chosen, parts, strict=False)))
                np.testing.assert_allclose(sums[rows[item]], part.sum().to_numpy())
                named += 1
    assert named == len(rows)


@given(leaf_sets)
def test_each_set_of_leaves_stands_once(terms):
    """No two rows hold the same leaves, and all names of a row hold exactly its leaves."""
    lattice = lattice_of(terms, 3)
    rows = lattice.incidence.toarray() > 0
    assert len({row.tobytes() for row in rows}) == len(lattice)
    for n in range(len(lattice)):
        for name in (lattice.slice_of(n), *lattice.names_of(n)):
            assert (lattice.leaves.members(name) == rows[n]).all()


@given(leaf_sets)
def test_a_row_bears_the_shortest_name(terms):
    """Fewest dimensions, and among those the rule's first ones."""
    lattice = lattice_of(terms, 3)
    for n in range(len(lattice)):
        mine = lattice.slice_of(n)
        for other in lattice.names_of(n):
            places = [tuple(DIMS.index(d) for d in s.dimensions) for s in (mine, other)]
            assert (len(places[0]), places[0]) < (len(places[1]), places[1])


def test_same_cells_are_named_by_the_first_dimension():
    """device=tv and os=tvos are the same events: one slice, device=tv, also known as os=tvos and as the pair."""
    lattice = lattice_of(
        [("phone", "ios", "NO"), ("phone", "android", "SE"), ("tv", "tvos", "NO"), ("tv", "tvos", "SE")]
    )
    rows = all_names(lattice)
    row = rows[Slice.of({"device": "tv"})]
    assert lattice.slice_of(row) == Slice.of({"device": "tv"})
    assert set(lattice.names_of(row)) == {Slice.of({"os": "tvos"}), Slice.of({"device": "tv", "os": "tvos"})}


@given(leaf_sets, st.integers(0, 3))
def test_the_total_comes_first(terms, depth):
    """Row 0 names no dimension and covers every leaf."""
    lattice = lattice_of(terms, depth)
    assert lattice.slice_of(0) == Slice()
    assert lattice.size[0] == 0
    assert lattice.cuboid[0] == 0
    assert lattice.rollup(np.ones(len(terms)))[0] == len(terms)
    assert (lattice.size[1:] > 0).all()


def test_a_rule_of_one_leaf_has_one_slice():
    """Everything is the total; its other names are kept."""
    lattice = lattice_of([("tv", "tvos", None)], 3)
    assert len(lattice) == 1
    assert len(lattice.names_of(0)) == 7


def test_an_unknown_leaf_makes_its_slices_unknown():
    """NaN is not zero: every slice that covers the leaf is NaN in that column, and only those."""
    lattice = lattice_of([("a", "x", "1"), ("a", "y", "1"), ("b", "x", "2")])
    sums = lattice.rollup(np.array([[1.0, np.nan], [2.0, 2.0], [4.0, 4.0]]))
    assert not np.isnan(sums[:, 0]).any()
    for n in range(len(lattice)):
        covers = bool(lattice.leaves.members(lattice.slice_of(n))[0])
        assert np.isnan(sums[n, 1]) == covers


@given(leaf_sets, st.integers(1, 3))
def test_size_and_cuboid_are_those_of_the_codes(terms, depth):
    """How many dimensions a slice names and which, as a bit mask."""
    lattice = lattice_of(terms, depth)
    for n in range(len(lattice)):
        named = [d for d in range(3) if lattice.codes[n, d] != ANY]
        assert lattice.size[n] == len(named) <= depth
        assert lattice.cuboid[n] == sum(1 << d for d in named)


@given(leaf_sets)
def test_group_parts_the_leaves(terms):
    """Two leaves share an element exactly where they share the chosen values; `first` is a leaf of its element."""
    codes = Leaves.of(DIMS, terms).codes
    element, first = group(codes, (0, 2))
    for i in range(len(terms)):
        for j in range(i):
            same = terms[i][0] == terms[j][0] and terms[i][2] == terms[j][2]
            assert (element[i] == element[j]) == same
    assert (element[first] == np.arange(len(first))).all()


def test_null_the_empty_string_and_the_folded_rest_are_different_values():
    """None, "", "(other)" and FOLDED are four devices."""
    leaves = Leaves.of(("device",), [(None,), ("",), ("(other)",), (FOLDED,)])
    assert leaves.values == ((None, "", "(other)", FOLDED),)
    for i, value in enumerate((None, "", "(other)", FOLDED)):
        assert leaves.members(Slice.of({"device": value})).tolist() == [j == i for j in range(4)]


def test_a_value_never_seen_covers_no_leaf():
    """An open incident may name a value that the lattice does not know."""
    assert not Leaves.of(("device",), [("ios",)]).members(Slice.of({"device": "tv"})).any()


@pytest.mark.parametrize("depth", [1, 5])
def test_depth_is_at_most_the_number_of_dimensions(depth):
    """A depth beyond the dimensions is all of them."""
    lattice = lattice_of([("a", "x", "1"), ("b", "y", "2"), ("a", "y", "2")], depth)
    assert int(lattice.size.max()) <= min(depth, 3)


@given(leaf_sets, st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_a_part_of_the_slices_is_summed_like_all(terms, seed, depth):
    """Sums of some rows, of a stretch of rows and of one row are those of all; unknown leaves hide the same cells."""
    rng = np.random.default_rng(seed)
    lattice = lattice_of(terms, depth)
    counts = rng.integers(0, 1000, (len(terms), 200)).astype(float)
    rows = np.flatnonzero(rng.random(len(lattice)) < 0.5)
    np.testing.assert_array_equal(lattice.sums(counts, slice(1, 5)), lattice.rollup(counts)[1:5])
    counts[rng.random(counts.shape) < 0.1] = np.nan
    every = lattice.rollup(counts)
    np.testing.assert_array_equal(lattice.rollup(counts, rows), every[rows])
    np.testing.assert_array_equal(lattice.rollup(counts, 0), every[0])
    np.testing.assert_array_equal(lattice.rollup(counts[:, 3]), every[:, 3])


@given(leaf_sets, leaf_sets)
def test_leaves_and_slices_are_found_by_their_codes(terms, others):
    """Every leaf has its own place and every name its row; what is not there is -1."""
    lattice = lattice_of(terms, 3)
    everything = lattice_of(list(dict.fromkeys([*terms, *others])), 3)
    found = lattice.leaves.find(everything.leaves.codes)
    assert found.tolist() == [*range(len(terms)), *[-1] * (len(everything.leaves) - len(terms))]
    place = all_names(lattice)
    for n, row in enumerate(lattice.rows_of(everything.codes).tolist()):
        assert row == place.get(everything.slice_of(n), -1)


def test_codes_of_many_wide_dimensions_do_not_collide():
    """Six dimensions of ten thousand values each do not fit 64 bits, and are told apart all the same."""
    codes = np.random.default_rng(0).integers(0, 10_000, (500, 6)).astype(np.int32)
    np.testing.assert_array_equal(match(codes, codes[::-1]), np.arange(500)[::-1])


@given(leaf_sets)
def test_what_a_slice_covers_is_marked(terms):
    """`covered_by` marks the slices that name what a slice names, and no other."""
    lattice = lattice_of(terms, 2)
    item = Slice((("device", terms[0][0]), ("country", terms[0][2])))
    wanted = [item.covers(lattice.slice_of(n)) for n in range(len(lattice))]
    assert lattice.covered_by(item).tolist() == wanted
