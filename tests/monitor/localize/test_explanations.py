"""What explains a change of all leaves: losses and growths, counts and ratios, one element and sets of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.lattice import ANY
from monitor.localize.cells import Cells, measured_noise, ratio_cells
from monitor.localize.cube import Cube
from monitor.localize.explanations import localize

SIZES = (5, 6, 7, 4)
CODES = np.array(list(product(*(range(n) for n in SIZES))), dtype=np.int32)


def inside(codes) -> np.ndarray:
    """Leaves of an element."""
    named = np.array(codes)
    return ((named == ANY) | (named == CODES)).all(axis=1)


def planted(seed: int, depth: int) -> tuple[int, ...]:
    """An element of so many dimensions."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(SIZES), depth, replace=False)
    return tuple(int(rng.integers(SIZES[d])) if d in chosen else ANY for d in range(len(SIZES)))


def counts(changes, seed: int, volume: float = 1_000.0) -> Cells:
    """Counts of all leaves where each of `changes` (element, ratio) has happened."""
    rng = np.random.default_rng(seed)
    expected = volume * rng.lognormal(0.0, 0.7, len(CODES))
    mean = expected.copy()
    for codes, ratio in changes:
        mean[inside(codes)] *= ratio
    return Cells(CODES, rng.poisson(mean).astype(float), expected, 0.001)


def told(found) -> list[set[tuple[int, ...]]]:
    """The elements of each explanation."""
    return [{element.codes for element in item.elements} for item in found]


@given(seed=st.integers(0, 10_000), depth=st.integers(1, 4), ratio=st.sampled_from([0.0, 0.5, 2.0]))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_one_cause_of_any_depth_and_way_is_the_only_explanation(seed, depth, ratio):
    """A planted element that lost all or half or doubled is named exactly, and nothing is told beside it."""
    codes = planted(seed, depth)
    found = localize(counts([(codes, ratio)], seed))
    assert told(found) == [{codes}]
    (element,) = found[0].elements
    assert element.ratio == pytest.approx(ratio, abs=0.15)
    assert (element.members == inside(codes)).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_what_came_and_what_was_expected_may_change_places(seed):
    """A growth is a loss seen from the other side: the same elements, with nearly the same scores."""
    cells = counts([(planted(seed, 2), 0.3), (planted(seed + 1, 3), 3.0)], seed)
    there = localize(cells)
    back = localize(Cells(cells.codes, cells.expected, cells.observed, cells.alpha))
    assert told(there) == told(back)
    assert [item.score for item in there] == pytest.approx([item.score for item in back], rel=0.05)


def test_the_order_of_leaves_does_not_matter():
    """Leaves shuffled: the same answer."""
    cells = counts([((1, ANY, ANY, ANY), 0.4), ((ANY, 2, 3, ANY), 0.0)], 3)
    order = np.random.default_rng(0).permutation(len(CODES))
    mixed = Cells(CODES[order], cells.observed[order], cells.expected[order], cells.alpha)
    assert told(localize(mixed)) == told(localize(cells)) == [{(1, ANY, ANY, ANY)}, {(ANY, 2, 3, ANY)}]


def test_only_the_way_that_is_asked_about():
    """A loss and a growth: both, or the one asked about."""
    loss, growth = (2, ANY, ANY, ANY), (ANY, 4, ANY, 1)
    cells = counts([(loss, 0.3), (growth, 4.0)], 4)
    assert {loss} in told(localize(cells))
    assert {growth} in told(localize(cells))
    assert told(localize(cells, down=True)) == [{loss}]
    assert told(localize(cells, down=False)) == [{growth}]


def test_elements_of_one_cuboid_that_fell_alike_are_one_explanation():
    """Three of seven countries gone: one explanation of three elements, not three and not the total."""
    gone = {(ANY, ANY, c, ANY) for c in (0, 3, 5)}
    found = localize(counts([(codes, 0.1) for codes in gone], 5))
    assert told(found) == [gone]
    assert found[0].score > max(element.score for element in found[0].elements)


def test_every_element_of_a_dimension_is_the_total():
    """All values of a dimension fell, each in its own way: that is everything, not a set of names."""
    cells = counts([((value, ANY, ANY, ANY), 0.25 + 0.02 * value) for value in range(5)], 6)
    assert told(localize(cells))[0] == {(ANY,) * 4}


def test_events_where_none_were_expected_are_found():
    """An element whose forecast was nothing at all: its leaves weigh, though their ratio is infinite."""
    rng = np.random.default_rng(7)
    expected = 100.0 * rng.weibull(0.7, len(CODES))
    observed = expected * (1 + rng.normal(0, 0.05, len(CODES)))
    codes = (ANY, 2, 4, ANY)
    expected[inside(codes)] = 0.0
    assert told(localize(measured_noise(CODES, observed, expected))) == [{codes}]


def test_leaves_without_any_events_are_no_evidence():
    """A quarter of the leaves show nothing and should not: the cause among the others is found the same."""
    cells = counts([((ANY, 1, ANY, 2), 0.2)], 8)
    alive = np.random.default_rng(8).uniform(size=len(CODES)) > 0.25
    cells = Cells(CODES, cells.observed * alive, cells.expected * alive, cells.alpha)
    assert told(localize(cells)) == [{(ANY, 1, ANY, 2)}]


@given(seed=st.integers(0, 10_000), depth=st.integers(1, 3))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_a_ratio_that_rose_in_one_element(seed, depth):
    """Stalled of viewers, 2 % as a rule and 20 % in the element: found by the same function."""
    codes = planted(seed, depth)
    rng = np.random.default_rng(seed)
    viewers = rng.integers(50, 2_000, len(CODES)).astype(float)
    rate = rng.uniform(0.01, 0.03, len(CODES))
    stalled = rng.binomial(viewers.astype(int), np.where(inside(codes), 10 * rate, rate)).astype(float)
    assert told(localize(ratio_cells(CODES, stalled, viewers, rate, 0.0001), down=False)) == [{codes}]


def test_the_first_is_given_however_weak_and_says_what_else_it_might_be():
    """A few events too many: an answer, its alternatives in order, each with leaves of its own."""
    rng = np.random.default_rng(9)
    expected = np.full(len(CODES), 2.0)
    found = localize(Cells(CODES, rng.poisson(expected).astype(float), expected, 0.0), instead=4)
    assert len(found) == 1
    scores = [other.score for other in found[0].instead]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4
    leaves = [element.members.tobytes() for element in (*found[0].elements, *found[0].instead)]
    assert len(set(leaves)) == 5


def test_other_names_of_the_same_leaves_are_told():
    """Every tv runs tvos: the shorter and first name, the others beside it."""
    codes = CODES.copy()
    codes[codes[:, 0] == 4, 1] = 9
    codes = np.unique(codes, axis=0)
    expected = np.full(len(codes), 500.0)
    observed = np.where(codes[:, 0] == 4, 50.0, expected)
    found = localize(Cells(codes, observed, expected, 0.001))
    (element,) = found[0].elements
    assert element.codes == (4, ANY, ANY, ANY)
    assert set(element.also) == {(ANY, 9, ANY, ANY), (4, 9, ANY, ANY)}


def test_nothing_moved_nothing_is_told():
    """Counts exactly as expected have no explanation."""
    expected = np.full(len(CODES), 10.0)
    assert localize(Cells(CODES, expected, expected, 0.1)) == ()


def test_no_more_explanations_than_asked_for():
    """Ten independent losses, three asked for: the strongest three."""
    changes = [((a, b, ANY, ANY), 0.0) for a, b in product(range(5), range(2))]
    cells = counts(changes, 10)
    cube = Cube.of(CODES)
    every = [item.score for item in localize(cells, cube)]
    assert [item.score for item in localize(cells, cube, most=1)] == every[:1]
