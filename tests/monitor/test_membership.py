"""Slices that fell silent for good, and a cube that is full: who keeps a place of their own, and what is told once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor import store
from monitor.membership import Lookback, retired, retired_text, silent
from rules.model import SlicePolicy
from rules.slices import FOLDED, Slice
from tests.monitor.ticks import Ticks
from tests.monitor.world import BEGIN, DAY, HOUR, Grid, cause, world

DAYS = 3
SMALL = {"device": ("phone", "tv"), "country": ("NO", "SE", "DK")}
MADE = world(SMALL, days=12, volume=600.0)
GONE = 5 * 24
"""The last column with an event of tv; `LEFT` is the first midnight whose lookback holds none of them."""
LEFT = 9 * 24
REST = (FOLDED, FOLDED)


@pytest.fixture
def state():
    opened = store.Store.open("sqlite://")
    yield opened
    opened.close()


def three_days(made, state, **rule) -> Ticks:
    """A rule that looks back three days, which has counted them."""
    from datetime import timedelta

    return Ticks.over(made, state, lookback=timedelta(days=DAYS), **rule).learn(4 * 24)


def stored(ticks: Ticks, first: int, stop: int):
    with ticks.state.read() as tx:
        terms = store.leaves(tx, ticks.rule.name).terms
        starts = ticks.world.starts[first:stop]
        return terms, store.pages(tx, ticks.rule.name, starts, n_leaves=len(terms), measures=1).values[0]


def test_a_slice_silent_for_the_whole_lookback_is_told_once(state):
    """At the first midnight whose lookback holds no event of tv: its broadest name, in one line, never again."""
    made = MADE.scaled(0.0, GONE + 1, device="tv")
    ticks = three_days(made, state).run(range(4 * 24, LEFT + 30))
    noticed = {n: outcome.notices for n, outcome in enumerate(ticks.outcomes, 4 * 24) if outcome.notices}
    assert noticed == {LEFT: ("no longer watched, without an event for 3 days: device=tv",)}
    with ticks.state.read() as tx:
        (run,) = store.notices(tx, ticks.rule.name, 0)
    assert (run.tick, run.detail) == (int(ticks.at(LEFT).timestamp()), noticed[LEFT][0])


def test_a_restart_and_a_repeated_tick_notice_nothing_twice(state):
    """The same tick again leaves the store as it is; a new process says what the old one would have."""
    made = MADE.scaled(0.0, GONE + 1, device="tv")
    ticks = three_days(made, state).run(range(4 * 24, LEFT))
    ticks.restart()
    assert ticks.tick(LEFT).notices
    before = ticks.dump()
    ticks.restart()
    assert (ticks.tick(LEFT).notices, ticks.dump()) == ((), before)


def test_where_everything_is_silent_nobody_is_retired(state):
    """A source that stopped is an incident, and its slices are still expected back."""
    made = replace(MADE, values=np.where(MADE.starts <= MADE.starts[GONE], MADE.values, 0))
    ticks = three_days(made, state).run(range(4 * 24, LEFT + 30))
    assert [outcome.notices for outcome in ticks.outcomes if outcome.notices] == []


def test_retired_slices_make_room(state):
    """A full cube: what is new folds while the old is there, and has a place of its own once that is retired."""
    fresh = ("watch", "NO")
    made = MADE.scaled(0.0, GONE + 1, device="tv").with_leaves([fresh])
    values = made.values.copy()
    values[:, made.inside(device="watch"), LEFT - 5 :] = 40
    ticks = three_days(replace(made, values=values), state, slices=SlicePolicy(max=6)).run(range(4 * 24, LEFT + 3))
    terms, counts = stored(ticks, LEFT - 5, LEFT + 3)
    assert set(terms) == {*MADE.terms, fresh, REST}
    # The hours before the place was free come along.
    assert counts[terms.index(REST)].tolist() == [0] * 8
    assert counts[terms.index(fresh)].tolist() == [40] * 8
    np.testing.assert_array_equal(counts.sum(axis=0), values[0][:, LEFT - 5 : LEFT + 3].sum(axis=0))


def test_a_cube_that_is_full_is_told_when_it_begins(state):
    """Hundreds of new values in one run: one line then, none while it goes on."""
    flood = [("bot", str(n)) for n in range(300)]
    made = MADE.with_leaves(flood)
    values = made.values.copy()
    values[:, made.inside(device="bot"), 5 * 24 + 3 :] = 1
    ticks = three_days(replace(made, values=values), state, slices=SlicePolicy(max=10)).run(range(5 * 24, 7 * 24))
    noticed = {n: outcome.notices for n, outcome in enumerate(ticks.outcomes, 5 * 24) if outcome.notices}
    assert list(noticed) == [5 * 24 + 3]
    (line,) = noticed[5 * 24 + 3]
    assert "slices.max keeps apart (10)" in line


def test_a_cube_too_wide_from_the_start_is_told_at_the_first_tick(state):
    """The backfill has folded before anything was judged."""
    ticks = three_days(MADE, state, slices=SlicePolicy(max=4)).run(range(4 * 24, 4 * 24 + 4))
    assert [bool(outcome.notices) for outcome in ticks.outcomes] == [True, False, False, False]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "America/New_York"])
@pytest.mark.parametrize("seconds", [300, HOUR, DAY])
def test_days_of_a_lookback_cover_it_without_gaps(zone, seconds):
    """Also over the nights that have 23 or 25 hours; what the midnight before still held ends where it begins."""
    grid = Grid(seconds, zone)
    for day in range(60, 320, 7):
        lookback = Lookback("r", grid, 28 * DAY, grid.midnight(BEGIN + day * DAY), 1, 1)
        days = lookback.days()
        assert [end for _, end in days[:-1]] == [start for start, _ in days[1:]]
        assert days[-1][1] == lookback.as_of
        assert all(0 < end - start <= 26 * HOUR for start, end in days)
        left = lookback.left_behind()
        assert left[1] == days[0][0]
        assert 22 * HOUR <= left[1] - left[0] <= 26 * HOUR


def test_unknown_hours_are_no_silence_of_their_own(state):
    """Leaves without an event in the pages there are: those younger than the midnight are not silent."""
    made = MADE.scaled(0.0, 3, device="tv", country="SE")
    ticks = three_days(made, state).run(range(4 * 24, 5 * 24))
    midnight = int(made.starts[5 * 24])
    with ticks.state.read() as tx:
        terms = store.leaves(tx, ticks.rule.name).terms
        lookback = Lookback(ticks.rule.name, ticks.watched.grid, DAYS * DAY, midnight, len(terms), 1)
        assert not silent(tx, lookback).any()
        assert retired(tx, lookback, made.lattice()) == ()


def test_a_long_list_is_cut():
    """Ten names, and how many more."""
    text = retired_text([Slice((("device", str(n)),)) for n in range(1_012)], 28)
    assert text.startswith("no longer watched, without an event for 28 days: device=0; ")
    assert text.endswith("device=9 and 1,002 more")
    assert cause(device="10").label() not in text
