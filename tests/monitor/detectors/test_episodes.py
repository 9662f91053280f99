"""Past exceedances as what a person would have received, and the level that so many a week reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detectors.episodes import TOLD_NATS, Exceedances, level_reached, peaks

CODES = np.array([[-1, -1], [0, -1], [1, -1], [-1, 0], [0, 0], [1, 0]], dtype=np.int32)
APART = 24

exceedances = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 600), st.floats(TOLD_NATS, 50.0)), max_size=30).map(
    lambda found: (
        Exceedances(*(np.array(part) for part in zip(*found, strict=True))) if found else Exceedances.together([])
    )
)


def noted(*found: tuple[int, int, float]) -> Exceedances:
    rows, columns, nats = zip(*found, strict=True)
    return Exceedances(np.array(rows), np.array(columns), np.array(nats))


def test_what_lasts_and_nests_is_one_episode():
    """Hours in a row, a slice and its parent: one peak, the largest."""
    assert peaks(noted((4, 100, 9.0), (4, 101, 12.0), (1, 102, 8.0), (0, 90, 7.0)), CODES, APART).tolist() == [12.0]


def test_what_has_nothing_in_common_is_told_apart():
    """Other values of a dimension, or another day."""
    assert peaks(noted((1, 100, 9.0), (2, 100, 8.0), (1, 200, 7.0)), CODES, APART).tolist() == [9.0, 8.0, 7.0]


@given(exceedances)
def test_no_episode_is_invented_and_the_largest_never_lost(found):
    """Peaks fall, are surprises that were seen, and begin with the largest of all."""
    tops = peaks(found, CODES, APART)
    assert (np.diff(tops) <= 0).all()
    assert set(tops.tolist()) <= set(found.nats.tolist())
    assert (tops[0] == found.nats.max()) if len(found.nats) else not len(tops)


@given(st.integers(20, 200), st.floats(1.0, 15.0))
def test_the_level_is_read_off_where_the_past_has_enough(count, wanted):
    """As many episodes as are wanted lie above it, give or take one."""
    tops = np.sort(np.random.default_rng(count).exponential(1.0, count))[::-1] + TOLD_NATS
    level = level_reached(tops, wanted, TOLD_NATS)
    assert abs(int((tops >= level).sum()) - wanted) <= 1.0


def test_a_tenth_as_many_need_a_tenth_of_the_probability():
    """Beyond the past a calibrated surprise is a probability: ln 10 further for a tenth."""
    tops = np.linspace(12.0, 6.0, 40)
    far, farther = (level_reached(tops, wanted, TOLD_NATS) for wanted in (0.5, 0.05))
    assert farther - far == pytest.approx(np.log(10.0))


def test_a_past_without_episodes_says_little():
    """None seen: two may well be; the level is not lowered to nothing."""
    assert level_reached(np.zeros(0), 0.5, TOLD_NATS) == pytest.approx(TOLD_NATS + np.log(2.0))
