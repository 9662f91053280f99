"""Lost, moved or renamed: where the events went, cell by cell."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from monitor.lattice import ANY, Leaves
from monitor.localize.kinds import Destination, Stretch, destination

DEVICES, COUNTRIES, VERSIONS = ("ios", "android", "web", "new"), tuple("abcdef"), ("1", "2", "3")
LEAVES = Leaves.of(("device", "country", "version"), list(product(DEVICES, COUNTRIES, VERSIONS)))
IOS = (0, ANY, ANY)


def inside(d: int, code: int) -> np.ndarray:
    return LEAVES.codes[:, d] == code


def stretch(change, *, seed: int = 0, busy: float = 1.0, known=None) -> Stretch:
    """Six hours of expectations (`new` has none), noise, and then `change(observed)` in place."""
    rng = np.random.default_rng(seed)
    expected = 600.0 * rng.lognormal(0, 0.5, len(LEAVES))
    expected[inside(0, 3)] = 0.0
    observed = rng.poisson(busy * expected).astype(float)
    change(observed)
    before = expected > 0 if known is None else known
    return Stretch(observed, expected, observed / 6, expected / 6, before, np.full(len(LEAVES), 0.001))


def pour(observed: np.ndarray, into: int, share: float = 1.0) -> None:
    """What ios had goes to another device, cell by cell."""
    gone = np.round(share * observed[inside(0, 0)])
    observed[inside(0, into)] += gone
    observed[inside(0, 0)] -= gone


def where(found: Stretch, codes=IOS) -> Destination | None:
    members = np.logical_and.reduce([inside(d, c) for d, c in enumerate(codes) if c != ANY])
    return destination(LEAVES, codes, members, found)


def test_a_move_to_a_sibling_is_found():
    """Each cell's loss is one sibling's gain, all else equal: moved to android."""
    found = where(stretch(lambda y: pour(y, 1)))
    assert found is not None
    assert (found.dimension, found.code) == (0, 1)
    assert not found.unseen
    assert found.share > 0.95
    assert (found.members == inside(0, 1)).all()


def test_a_move_to_a_value_never_seen_is_a_rename():
    """The gainer had no event in the history."""
    found = where(stretch(lambda y: pour(y, 3)))
    assert found is not None
    assert found.code == 3
    assert found.unseen


def test_a_move_of_a_pair_keeps_its_other_values():
    """device=ios in country a moves to android in country a."""
    codes = (0, 2, ANY)
    cells = inside(0, 0) & inside(1, 2)

    def move(y):
        y[inside(0, 1) & inside(1, 2)] += y[cells]
        y[cells] = 0

    found = destination(LEAVES, codes, cells, stretch(move))
    assert found is not None
    assert (found.dimension, found.code) == (0, 1)
    assert (found.members == (inside(0, 1) & inside(1, 2))).all()


def test_a_partial_move_is_a_move():
    """Half of ios is reported as android."""
    found = where(stretch(lambda y: pour(y, 1, 0.5)))
    assert found is not None
    assert found.code == 1


def test_a_loss_without_a_gain_is_lost():
    """A device dies and nobody grows."""
    assert where(stretch(lambda y: np.putmask(y, inside(0, 0), 0.0))) is None


def test_a_masked_loss_is_not_moved():
    """The total is kept by all siblings together: no single one gained it cell by cell."""

    def mask(y):
        lost = y[inside(0, 0)].sum()
        others = inside(0, 1) | inside(0, 2)
        y[others] *= 1 + lost / y[others].sum()
        y[inside(0, 0)] = 0

    assert where(stretch(mask)) is None


def test_a_sibling_that_gains_in_other_cells_did_not_take_it():
    """A sibling grows by as much in all, but only in two countries, while ios was lost everywhere: not moved."""

    def elsewhere(y):
        lost = y[inside(0, 0)].sum()
        some = inside(0, 1) & (LEAVES.codes[:, 1] < 2)
        y[some] += lost * y[some] / y[some].sum()
        y[inside(0, 0)] = 0

    assert where(stretch(elsewhere)) is None


def test_a_gain_that_came_later_is_not_where_it_went():
    """The events appear only after the first bad bucket: another thing happened."""
    made = stretch(lambda y: pour(y, 1))
    late = Stretch(
        made.observed,
        made.expected,
        np.where(inside(0, 1), made.first_expected, made.first_observed),
        made.first_expected,
        made.known_before,
        made.alpha,
    )
    assert where(late) is None


@pytest.mark.parametrize("busy", [0.7, 1.5])
def test_a_busy_or_quiet_day_is_no_gain(busy):
    """Everything else at 1.5 of normal: the move is seen beside that, and a loss stays a loss."""
    moved = where(stretch(lambda y: pour(y, 1), busy=busy))
    assert moved is not None
    assert moved.code == 1
    assert where(stretch(lambda y: np.putmask(y, inside(0, 0), 0.0), busy=busy)) is None


def test_no_loss_goes_nowhere():
    """A slice that lost nothing has no destination."""
    assert where(stretch(np.copy)) is None
