"""Holidays and planned events: which cells they touch, and what is expected of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.buckets import DAY, Grid, to_epoch
from monitor.calendars import Calendar, holiday, rest_day
from monitor.detectors.occasions import Occasion, Occasions, uncertainty
from monitor.lattice import Lattice, Leaves
from monitor.statistics import constants as k
from rules.model import Holidays, Interval, PlannedEvent
from rules.slices import Slice
from tests.monitor.world import cause

LEAVES = Leaves.of(
    ("country", "device"), [("NO", "web"), ("NO", "app"), ("SE", "web"), ("Atlantis", "web"), (None, "web")]
)
HOURS = Grid(3600, "Europe/Oslo")


def hours(first: datetime, count: int) -> np.ndarray:
    begin = to_epoch(first)
    return np.arange(begin, begin + count * 3600, 3600)


def test_a_list_of_countries_holds_for_every_slice():
    """Norway's constitution day, on the local clock: from 22:00 UTC of the day before."""
    starts = hours(datetime(2026, 5, 16, tzinfo=UTC), 48)
    (item,) = Calendar(Holidays(("NO", "SE"))).over(HOURS, LEAVES, starts).items
    assert item.name == "Constitution Day (NO)"
    assert item.inside.all()
    assert item.columns.tolist() == list(range(22, 46))
    assert item.weekday == 6


def test_a_country_dimension_carries_its_own_calendar():
    """Sweden's national day is one for Sweden only; what is no country has no holidays."""
    starts = hours(datetime(2026, 6, 5, 22, tzinfo=UTC), 24)
    (item,) = Calendar(Holidays(by="country")).over(HOURS, LEAVES, starts).items
    assert item.name.endswith("(SE)")
    assert item.inside.tolist() == [False, False, True, False, False]


def test_an_ordinary_day_has_no_occasions():
    """Nothing to compute on most days; a rule without calendars never has any."""
    starts = hours(datetime(2026, 6, 9, tzinfo=UTC), 24)
    assert not Calendar(Holidays(("NO",))).over(HOURS, LEAVES, starts)
    assert not Calendar().over(HOURS, LEAVES, starts)


@pytest.mark.parametrize(("country", "day", "name"), [
    ("NO", date(2026, 12, 25), "Christmas Day"),
    ("US", date(2023, 11, 23), "Thanksgiving Day"),
    ("US-CA", date(2026, 3, 31), "Cesar Chavez Day"),
    ("NO", date(2026, 12, 23), ""),
    ("XX", date(2026, 12, 25), ""),
])  # fmt: skip
def test_the_tables_know_days_by_name(country, day, name):
    """Countries and subdivisions; one without a table has no holidays."""
    assert holiday(country, day).startswith(name)
    assert bool(holiday(country, day)) == bool(name)


def test_a_week_may_end_on_another_day():
    """A holiday follows the last day of the country's weekend."""
    assert (rest_day("NO"), rest_day("IL"), rest_day("XX")) == (6, 5, None)


def test_an_event_fills_its_share_of_a_bucket():
    """Six hours of a day are a quarter of it; leaves are those of the slice."""
    begin = datetime(2026, 11, 27, 12, tzinfo=UTC)
    event = PlannedEvent("sale", Interval(begin, begin + timedelta(hours=6)), cause(country="NO"), 3.0)
    starts = np.arange(3) * DAY + to_epoch(datetime(2026, 11, 26, tzinfo=UTC))
    (item,) = Calendar(events=(event,)).over(Grid(DAY), LEAVES, starts).items
    np.testing.assert_allclose(item.share, [0.0, 0.25, 0.0])
    assert item.inside.tolist() == [True, True, False, False, False]
    found = Occasions((item,)).seasonal(np.full((5, 7), 100.0), Grid(DAY).position(starts), 1)
    np.testing.assert_allclose(found[:, 1], [150.0, 150.0, 100.0, 100.0, 100.0])


def test_a_holiday_expects_the_rest_day_at_the_same_hour():
    """Hour by hour; other days and leaves stay as they are."""
    profile = np.arange(168.0)[None, :].repeat(2, axis=0)
    position = np.arange(24, 72)
    share = np.array([0.0] * 24 + [1.0] * 24)
    found = Occasions((Occasion("day", np.array([True, False]), share, weekday=6),)).seasonal(profile, position, 24)
    np.testing.assert_array_equal(found[0], [*range(24, 48), *range(144, 168)])
    np.testing.assert_array_equal(found[1], position)


def test_an_unknown_event_covers_cells_that_nobody_judges():
    """The others are judged by what is expected."""
    known = Occasion("sale", np.array([True, False]), np.array([1.0, 0.0]), factor=2.0)
    unknown = Occasion("launch", np.array([False, True]), np.array([0.0, 1.0]), known=False)
    both = Occasions((known, unknown))
    assert both.touched(2, 2).tolist() == [[True, False], [False, True]]
    assert both.unknown(2, 2).tolist() == [[False, False], [False, True]]
    assert both.names(np.array([True, True]), 0) == ("sale", "launch")
    assert both.names(np.array([True, False]), 0) == ("sale",)
    assert both.names(np.array([True, True]), 1) == ("launch",)


weights = st.lists(st.floats(0.1, 1000), min_size=5, max_size=5)


@given(weights, st.lists(st.booleans(), min_size=5, max_size=5), st.integers(0, 9), st.integers(1, 4))
def test_uncertainty_is_that_of_the_share(weight, inside, column, width):
    """None without occasions in sight, all of it where a whole window is one, never more than window and level together."""
    lattice = Lattice.of(LEAVES, 1)
    expected = np.array(weight)[:, None] * np.ones((5, 10))
    share = np.zeros(10)
    share[column] = 1.0
    touched = Occasions((Occasion("day", np.array(inside), share),)).touched(5, 10)
    found = uncertainty(touched, expected, lattice, (1, width), 4)
    assert (found >= 0).all()
    assert (found <= 2 * k.OCCASION_ALPHA + 1e-12).all()
    if column == 9:
        part = np.array(weight)[np.array(inside)].sum() / sum(weight)
        np.testing.assert_allclose(found[0, 0], k.OCCASION_ALPHA * part**2)
    if column < 10 - width - 4 or not any(inside):
        np.testing.assert_array_equal(found[:, 1], 0.0)


def test_the_whole_is_a_slice_as_well():
    """An event without a slice concerns everything."""
    begin = datetime(2026, 11, 27, tzinfo=UTC)
    event = PlannedEvent("freeze", Interval(begin, begin + timedelta(hours=2)), Slice(), None)
    (item,) = Calendar(events=(event,)).over(HOURS, LEAVES, hours(begin, 4)).items
    assert item.inside.all()
    assert (item.columns.tolist(), item.known) == ([0, 1], False)
