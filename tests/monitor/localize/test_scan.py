"""The scan: which slice explains a change best."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.lattice import ANY, Leaves
from monitor.localize.cells import Cells
from monitor.localize.cube import Cube
from monitor.localize.explanations import best

SIZES = (5, 6, 7)
LEAVES = Leaves.of(("a", "b", "c"), [tuple(str(v) for v in place) for place in product(*(range(n) for n in SIZES))])
ALPHA = 0.001


def expectation(seed: int, volume: float = 1_000.0) -> np.ndarray:
    """Expected events per leaf, lognormal around `volume`."""
    return volume * np.random.default_rng(seed).lognormal(0.0, 0.7, len(LEAVES))


def members(codes) -> np.ndarray:
    """Leaves that a row of codes covers."""
    return np.logical_and.reduce(
        [LEAVES.codes[:, d] == c for d, c in enumerate(codes) if c != ANY] or [True]
    ) & np.ones(len(LEAVES), dtype=bool)


def observe(expected: np.ndarray, changes, seed: int) -> Cells:
    """Counts with noise where each of `changes` (codes, ratio) has happened."""
    mean = expected.copy()
    for codes, ratio in changes:
        mean[members(codes)] *= ratio
    rng = np.random.default_rng(seed + 1)
    y = rng.poisson(mean * rng.gamma(1 / ALPHA, ALPHA, len(mean))).astype(float)
    return Cells(LEAVES.codes, y, expected, np.full(len(mean), ALPHA))


def find(cells: Cells, *, down: bool = True, free=None, within=None, least: float = 0.0):
    """`best` over all leaves."""
    every = np.ones(len(cells.observed), dtype=bool)
    free, within = (every if part is None else part for part in (free, within))
    return best(Cube.of(cells.codes), cells, free, within, down=down, least=least)


def planted(seed: int, depth: int) -> tuple[int, ...]:
    """A slice of so many dimensions."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(3, depth, replace=False)
    return tuple(int(rng.integers(SIZES[d])) if d in chosen else ANY for d in range(3))


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, derandomize=True)
def test_finds_a_single_cause_at_every_depth(depth, ratio, seed):
    """One planted slice that lost all or half is named exactly, with its leaves and its ratio."""
    codes = planted(seed, depth)
    found = find(observe(expectation(seed), [(codes, ratio)], seed))
    assert found is not None
    assert found.codes == codes
    assert (found.members == members(codes)).all()
    assert found.ratio == pytest.approx(ratio, abs=0.1)


@given(seed=st.integers(0, 10_000), depth=st.integers(1, 3))
@settings(max_examples=25, derandomize=True)
def test_finds_growth_when_asked_for_growth(seed, depth):
    """The same upwards; and nothing is found in the direction that did not happen."""
    codes = planted(seed, depth)
    cells = observe(expectation(seed), [(codes, 2.0)], seed)
    found = find(cells, down=False)
    assert found is not None
    assert found.codes == codes
    fallen = find(cells, down=True)
    assert fallen is None or not (fallen.members & found.members).any()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, derandomize=True)
def test_noise_has_no_cause(seed):
    """Where nothing happened nothing stands out, and nothing has changed by a fifth."""
    cells = observe(expectation(seed), [], seed)
    every = np.ones(len(LEAVES), dtype=bool)
    assert best(Cube.of(cells.codes), cells, every, every, down=True, least=0.2) is None


def test_a_small_cause_gets_its_widest_name():
    """Too few events for the scan to stand clear of chance: the alarm's own leaves, and what else is lost with them."""
    expected = expectation(5, volume=1.0)
    cells = observe(expected, [((0, ANY, ANY), 0.0)], 5)
    found = find(cells, within=members((0, 1, ANY)))
    assert found is not None
    assert found.codes == (0, ANY, ANY)


def test_two_causes_one_after_the_other():
    """The larger first; with its leaves taken out, the other."""
    one, two = (2, ANY, ANY), (ANY, 3, 1)
    cells = observe(expectation(3), [(one, 0.0), (two, 0.4)], 3)
    first = find(cells)
    assert first is not None
    assert first.codes == one
    second = find(cells, free=~first.members)
    assert second is not None
    assert second.codes == two
    assert find(cells, free=~first.members & ~members(two)) is None


def test_a_loss_that_siblings_make_up_for_is_still_the_loss():
    """Masked: the siblings grew by what was lost; the cause of the drop is the slice that lost, the total's ratio 1."""
    expected = expectation(4)
    lost = members((1, ANY, ANY))
    keep = 1 + expected[lost].sum() / expected[~lost].sum()
    cells = observe(expected, [((v, ANY, ANY), 0.0 if v == 1 else keep) for v in range(SIZES[0])], 4)
    assert cells.observed.sum() == pytest.approx(expected.sum(), rel=0.02)
    found = find(cells)
    assert found is not None
    assert found.codes == (1, ANY, ANY)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.8])
def test_everything_lost_is_the_total(ratio):
    """A total outage names no dimension."""
    found = find(observe(expectation(5), [((ANY, ANY, ANY), ratio)], 5))
    assert found is not None
    assert found.codes == (ANY, ANY, ANY)
    assert found.members.all()


@pytest.mark.parametrize("changed", [0, 1])
def test_of_two_halves_the_changed_one_is_the_cause(changed):
    """Arrivals at .46, departures at .92: both halves score alike, the cause is the one whose own ratio is farther from 1."""
    leaves = Leaves.of(("way", "zone"), [(w, str(z)) for w in ("in", "out") for z in range(40)])
    expected = 400.0 * np.random.default_rng(6).lognormal(0, 0.5, 80)
    ratio = np.where(leaves.codes[:, 0] == changed, 0.46, 0.92)
    y = np.random.default_rng(7).poisson(expected * ratio).astype(float)
    found = find(Cells(leaves.codes, y, expected, np.full(80, 0.01)))
    assert found is not None
    assert found.codes == (changed, ANY)


def test_same_cells_are_named_by_fewest_and_first_dimensions():
    """device=tv and os=tvos are the same cells: the cause is device=tv."""
    terms = [(d, o, c) for d, o in (("phone", "ios"), ("phone", "android"), ("tv", "tvos")) for c in "abcdefgh"]
    leaves = Leaves.of(("device", "os", "country"), terms)
    expected = np.full(len(terms), 500.0)
    y = np.where(leaves.codes[:, 0] == 1, 0.0, expected)
    found = find(Cells(leaves.codes, y, expected, np.full(len(terms), 0.01)))
    assert found is not None
    assert leaves.slice_of(found.codes).label() == "device=tv"


def test_the_broader_name_where_nearly_all_of_a_value_runs_on_one_os():
    """99 % of Edge is on Windows: Edge died everywhere, so it is Edge, not Edge on Windows."""
    share = {("edge", "win"): 9_900, ("edge", "mac"): 100, ("chrome", "win"): 8_000, ("chrome", "mac"): 8_000}
    terms = [(*pair, str(site)) for pair in share for site in range(12)]
    leaves = Leaves.of(("browser", "os", "site"), terms)
    expected = np.array([share[t[0], t[1]] / 12 for t in terms])
    y = np.random.default_rng(8).poisson(np.where(leaves.codes[:, 0] == 0, 0.5, 1.0) * expected).astype(float)
    found = find(Cells(leaves.codes, y, expected, np.full(len(terms), 0.002)))
    assert found is not None
    assert leaves.slice_of(found.codes).label() == "browser=edge"


def test_the_narrower_name_where_the_little_beside_it_is_fine():
    """The same browser, but its Macs are as ever: then it is Edge on Windows."""
    share = {("edge", "win"): 9_000, ("edge", "mac"): 1_000, ("chrome", "win"): 8_000, ("chrome", "mac"): 8_000}
    terms = [(*pair, str(site)) for pair in share for site in range(12)]
    leaves = Leaves.of(("browser", "os", "site"), terms)
    expected = np.array([share[t[0], t[1]] / 12 for t in terms])
    bad = (leaves.codes[:, 0] == 0) & (leaves.codes[:, 1] == 0)
    y = np.random.default_rng(8).poisson(np.where(bad, 0.5, 1.0) * expected).astype(float)
    found = find(Cells(leaves.codes, y, expected, np.full(len(terms), 0.002)))
    assert found is not None
    assert leaves.slice_of(found.codes).label() == "browser=edge, os=win"


def test_a_mixture_is_not_one_cause():
    """One of five countries of a device lost all: the device is no homogeneous element, the pair is."""
    codes = (0, 2, ANY)
    found = find(observe(expectation(9, 5_000.0), [(codes, 0.0)], 9))
    assert found is not None
    assert found.codes == codes


def test_a_cause_must_touch_what_was_alarmed():
    """With two losses, the one that holds no leaf of the alarmed slice is not its cause."""
    big, small = (0, ANY, ANY), (ANY, 5, 6)
    cells = observe(expectation(10), [(big, 0.0), (small, 0.0)], 10)
    found = find(cells, within=members((3, 5, ANY)), free=~members(big))
    assert found is not None
    assert found.codes == small


def test_what_did_not_grow_with_the_others_is_no_part_of_a_loss():
    """Everything tripled but one value of `a`, which stayed level, and a pair of it, which is gone: the cause is the pair."""
    expected = expectation(12)
    gone = (0, 2, ANY)
    changes = [((v, ANY, ANY), 3.0) for v in range(1, SIZES[0])] + [(gone, 0.0)]
    found = find(observe(expected, changes, 12), within=members(gone), least=0.2)
    assert found is not None
    assert found.codes == gone
