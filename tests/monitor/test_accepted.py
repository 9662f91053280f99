"""A change that lasts becomes history, and nobody is told again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Change, State
from monitor import store
from monitor.accepted import Accepted, with_accepted
from monitor.buckets import DAY, Grid
from monitor.detectors.model import LeafSeries
from monitor.lattice import Leaves
from rules.slices import Slice
from tests.monitor.ticks import Ticks
from tests.monitor.world import cause, world

DAILY = Grid(DAY)
BREAK = 56


@pytest.fixture
def state(tmp_path):
    opened = store.Store.open(f"sqlite:///{tmp_path}/state.db")
    yield opened
    opened.close()


def days_of(left: float, state: store.Store) -> Ticks:
    """A daily rule over five countries and two devices; a country keeps a share `left` from day BREAK on, for good."""
    dimensions = {"country": ("NO", "SE", "DK", "DE", "FI"), "device": ("web", "app")}
    made = world(dimensions, days=BREAK + 30, volume=100_000, grid=DAILY, spread=0.2)
    broken = made.scaled(left, BREAK, country="DE")
    return Ticks.over(broken, state, time_bucket=timedelta(days=1)).learn(BREAK)


@pytest.mark.parametrize("left", [0.0, 0.4])
def test_a_lasting_change_is_told_once_accepted_once_and_never_again(state, left):
    """Fired on the first day, accepted after 14, and silent for the fortnight after, whatever is left of it."""
    ticks = days_of(left, state).run(range(BREAK, BREAK + 29))
    (incident,) = ticks.incidents
    assert (incident.cause, incident.state) == (cause(country="DE"), State.RESOLVED)
    assert ticks.column(incident.since) == BREAK
    told = [t.change for t in ticks.transitions if t.change not in {Change.CONFIRMED, Change.REPEATED}]
    assert told == [Change.OPENED, Change.ACCEPTED]
    assert incident.raised_at is not None
    assert incident.raised_at <= ticks.at(BREAK + 1)
    assert incident.accepted_at == incident.raised_at + timedelta(days=14)


def test_what_returns_after_it_was_accepted_and_is_lost_again_is_told_again(state):
    """Accepting a loss does not blind the slice: what is left of it is watched at its new volume."""
    ticks = days_of(0.4, state)
    ticks.run(range(BREAK, BREAK + 22))
    worse = ticks.world.scaled(0.0, BREAK + 22, country="DE")
    ticks.source.world = worse
    ticks.run(range(BREAK + 22, BREAK + 24))
    again = ticks.incidents[-1]
    assert (again.cause, again.state) == (cause(country="DE"), State.FIRING)
    assert ticks.column(again.since) == BREAK + 22


def test_a_restart_after_acceptance_changes_nothing(state):
    """What was accepted is read from the store."""
    ticks = days_of(0.0, state).run(range(BREAK, BREAK + 15))
    ticks.restart()
    ticks.run(range(BREAK + 15, BREAK + 19))
    assert len(ticks.incidents) == 1


LEAVES = Leaves.of(("country", "device"), [("NO", "web"), ("NO", "app"), ("SE", "web")])
counts = st.lists(st.lists(st.integers(0, 1000), min_size=6, max_size=6), min_size=3, max_size=3)


@given(counts, st.integers(0, 6), st.integers(0, 6), st.floats(0, 50))
def test_only_the_slice_before_the_change_is_scaled(rows, since, lasts, ratio):
    """Other leaves, and everything from the change on, stay as they are; flags go within the change only."""
    series = LeafSeries(np.arange(6) * DAY, np.array(rows, dtype=float), np.ones((3, 6), dtype=bool))
    item = Accepted("count", cause(country="NO"), None, since * DAY, (since + lasts) * DAY, ratio)
    found = with_accepted(series, "count", LEAVES, [item])
    np.testing.assert_allclose(found.values[:2, :since], series.values[:2, :since] * ratio)
    np.testing.assert_array_equal(found.values[:2, since:], series.values[:2, since:])
    np.testing.assert_array_equal(found.values[2], series.values[2])
    inside = np.zeros((3, 6), dtype=bool)
    inside[:2, since : since + lasts] = True
    np.testing.assert_array_equal(found.flagged, ~inside)
    other = with_accepted(series, "sum(visits)", LEAVES, [replace(item, slice=Slice())])
    np.testing.assert_array_equal(other.values, series.values)
