"""The grid of buckets, against the clock arithmetic of Python's own datetime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.buckets import DAY, Grid, to_datetime, to_epoch

ZONES = ("UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata")
zones = st.sampled_from(ZONES)
moments = st.integers(to_epoch(datetime(1999, 1, 1, tzinfo=UTC)), to_epoch(datetime(2037, 1, 1, tzinfo=UTC)))
spans = st.sampled_from([300, 900, 1800, 3600, 6 * 3600])


def on_clock(epoch: int, zone: str) -> datetime:
    """What a clock on the wall says, naive."""
    return datetime.fromtimestamp(epoch, ZoneInfo(zone)).replace(tzinfo=None)


def local_midnight(day: datetime, zone: str) -> int:
    """The first moment of a local day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


@given(moments)
def test_epoch_and_datetime_are_inverse(epoch):
    """Seconds to UTC datetime and back."""
    assert to_epoch(to_datetime(epoch)) == epoch
    assert to_datetime(epoch).tzinfo is UTC


@given(moments, spans, zones)
def test_short_buckets_are_aligned_to_utc(epoch, seconds, zone):
    """Whatever the zone, an hour bucket starts on the UTC hour, holds its moment, and ends a bucket later."""
    grid = Grid(seconds, zone)
    start = grid.floor(epoch)
    assert start % seconds == 0
    assert start <= epoch < grid.end(start) == start + seconds
    assert grid.shift(start, -3) == start - 3 * seconds


@given(moments, zones)
def test_day_buckets_are_local_days(epoch, zone):
    """A day bucket starts at the local midnight before its moment and ends at the next one."""
    grid, day = Grid(DAY, zone), on_clock(epoch, zone)
    start = grid.floor(epoch)
    assert start == local_midnight(day, zone)
    assert grid.end(start) == local_midnight(day + timedelta(days=1), zone)
    assert start <= epoch < grid.end(start)
    assert grid.midnight(epoch) == start


@given(moments, zones, st.integers(-40, 40))
def test_day_buckets_shift_by_calendar_days(epoch, zone, days):
    """Forty days on is forty local midnights on, whatever the clock change between."""
    grid = Grid(DAY, zone)
    start = grid.floor(epoch)
    assert grid.shift(start, days) == local_midnight(on_clock(start, zone) + timedelta(days=days), zone)
    assert grid.shift(grid.shift(start, days), -days) == start


@given(moments, zones, st.one_of(spans, st.just(DAY)), st.integers(0, 60))
def test_starts_are_the_shifts_of_the_first(epoch, zone, seconds, count):
    """All starts in [first, stop): consecutive, ascending, none left out."""
    grid = Grid(seconds, zone)
    first = grid.floor(epoch)
    starts = grid.starts(first, grid.shift(first, count))
    assert starts.tolist() == [grid.shift(first, n) for n in range(count)]


@given(moments, zones, st.sampled_from([900, 1800, 3600]))
def test_position_is_the_place_of_the_local_week(epoch, zone, seconds):
    """Monday's first bucket is 0, by the clock on the wall at the bucket's start."""
    grid = Grid(seconds, zone)
    start = grid.floor(epoch)
    clock = on_clock(start, zone)
    since_monday = clock.weekday() * DAY + clock.hour * 3600 + clock.minute * 60
    assert grid.position(np.array([start])).tolist() == [since_monday // seconds]
    assert 0 <= since_monday // seconds < grid.positions


@given(moments, zones)
def test_position_of_a_day_is_its_weekday(epoch, zone):
    """Seven places, Monday first."""
    grid = Grid(DAY, zone)
    start = grid.floor(epoch)
    assert grid.position(np.array([start])).tolist() == [on_clock(start, zone).weekday()]
    assert grid.positions == 7


@given(st.lists(moments, min_size=1, max_size=20), zones)
def test_local_is_the_clock_on_the_wall(epochs, zone):
    """Seconds on the local clock, for many moments at once, in any order."""
    grid = Grid(3600, zone)
    starts = np.array([grid.floor(e) for e in epochs])
    expected = [int(on_clock(int(s), zone).replace(tzinfo=UTC).timestamp()) for s in starts]
    assert grid.local(starts).tolist() == expected


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Oslo", "2026-03-29", 23),
        ("Europe/Oslo", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Asia/Kolkata", "2026-03-29", 24),
        ("UTC", "2026-10-25", 24),
    ],
)
def test_days_of_a_clock_change_have_their_length(zone, day, hours):
    """23 and 25 hours, and the days around them 24."""
    grid = Grid(DAY, zone)
    start = local_midnight(datetime.fromisoformat(day), zone)
    assert grid.end(start) - start == hours * 3600
    assert start - grid.shift(start, -1) == DAY
    assert grid.shift(start, 2) - grid.shift(start, 1) == DAY


def test_a_day_whose_midnight_does_not_exist_starts_an_hour_late():
    """Cairo puts the clock on at midnight: the day is 23 hours long and starts at one."""
    grid = Grid(DAY, "Africa/Cairo")
    noon = to_epoch(datetime(2024, 4, 26, 12, tzinfo=ZoneInfo("Africa/Cairo")))
    start = grid.floor(noon)
    assert on_clock(start, "Africa/Cairo") == datetime(2024, 4, 26, 1)
    assert grid.end(start) - start == 23 * 3600
    assert grid.position(np.array([start])).tolist() == [4]


def test_the_repeated_hour_has_one_place_of_the_week():
    """At the end of summer time two buckets share a place, and no place is left out of the weeks around."""
    grid = Grid(3600, "Europe/Oslo")
    first = to_epoch(datetime(2026, 10, 25, 0, tzinfo=UTC))
    assert grid.position(np.array([first, first + 3600])).tolist() == [6 * 24 + 2, 6 * 24 + 2]


def test_grid_of_a_rule():
    """Seconds and zone as the rule says; how many buckets a day and a week have."""
    grid = Grid.of(timedelta(minutes=15), "Europe/Oslo")
    assert grid == Grid(900, "Europe/Oslo")
    assert (grid.per_day, grid.positions, grid.daily) == (96, 672, False)
    assert Grid.of(timedelta(days=1), "UTC").daily
