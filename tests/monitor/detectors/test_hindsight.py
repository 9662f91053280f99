"""What the detector would have said of one slice in the past agrees with what it says when it is asked."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from monitor.buckets import DAY, Grid
from monitor.detectors.hindsight import Hindsight, hindsight, rows_needed
from monitor.detectors.judge import judge
from tests.monitor.world import CROSS, World, cause, world

NEWEST = 28 * 24 + 12
GONE = 24 * 24 + 10
"""Column of an outage of three hours, days before the newest one."""


@cache
def cross() -> World:
    return world(CROSS)


def back(made: World, row: int, **fields) -> Hindsight:
    view = made.view(NEWEST)
    series = made.series(NEWEST + 1)
    rows = rows_needed(view.fit, row)
    came = view.lattice.rollup(series.values, rows)
    return hindsight(view.fit, row, came, came, series.starts, made.context(view.lattice, **fields))


def row_of(made: World, **terms) -> int:
    lattice = made.lattice()
    return next(n for n in range(len(lattice)) if lattice.slice_of(n) == cause(**terms))


def test_the_newest_bucket_is_judged_as_a_tick_judges_it():
    """Expected within the noise of which weeks are known, and a surprise as large, of a slice that is gone since two hours."""
    made = cross().scaled(0.0, NEWEST - 1, device="tv")
    row = row_of(made, device="tv")
    found, view = back(made, row), made.view(NEWEST)
    verdicts = judge(view, np.zeros(len(view.lattice), dtype=bool))
    assert found.expected[-1] == pytest.approx(verdicts.expected[row, 0], rel=0.1)
    assert found.drop[-1] == pytest.approx(verdicts.drop[row].max(), rel=0.15)
    assert found.drop[-1] > view.fit.threshold


def test_what_was_gone_would_have_fired_then_and_nothing_else_would():
    """Three hours of silence in the past fire, and windows that hold them until it is back; calm hours do not."""
    made = cross().scaled(0.0, GONE, GONE + 3, device="tv")
    found = back(made, row_of(made, device="tv"))
    fired = np.flatnonzero(found.drop >= made.view(NEWEST).fit.threshold)
    assert list(fired) == [GONE, GONE + 1, GONE + 2]
    assert found.drop.max() > 50


def test_a_change_that_the_rule_does_not_send_is_none():
    """A loss of a half is none for a rule that wants two thirds, and no spike either."""
    made = cross().scaled(0.5, GONE, GONE + 6, device="tv")
    row = row_of(made, device="tv")
    assert back(made, row).drop[GONE + 2] > 20
    assert back(made, row, min_change=0.66).drop[GONE : GONE + 6].max() == 0
    assert back(made, row).spike[GONE : GONE + 6].max() == 0


def test_nothing_is_expected_of_the_days_before_there_is_a_level():
    """The first day is unknown, not zero, and cannot have fired."""
    found = back(cross(), row_of(cross(), device="tv"))
    assert np.isnan(found.expected[:24]).all()
    assert not np.isnan(found.expected[72:]).any()
    assert found.drop[:24].max() == 0


def test_the_total_is_looked_back_at_as_well():
    """It is the first of the rows that the past rests on, and a slice of its own."""
    made = cross().scaled(0.2, GONE, GONE + 4)
    found = back(made, 0)
    assert (found.drop[GONE + 1 : GONE + 4] > made.view(NEWEST).fit.threshold).all()


def test_buckets_of_days_need_no_second_one_where_it_is_far_off():
    """Three days at a third of the events: each fires, the first one alone, and no day before."""
    made = world(CROSS, days=80, grid=Grid(DAY, "Europe/Oslo")).scaled(0.3, 70, 73, device="tv")
    view, row = made.view(77), row_of(made, device="tv")
    series, rows = made.series(78, 78 - 35), rows_needed(view.fit, row)
    came = view.lattice.rollup(series.values, rows)
    found = hindsight(view.fit, row, came, came, series.starts, made.context(view.lattice))
    fired = np.flatnonzero(found.drop >= view.fit.threshold)
    assert list(fired) == [70 - 43, 71 - 43, 72 - 43]
