"""When a bucket is judged first, and when it is read again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.buckets import DAY, Grid, to_epoch
from monitor.ripeness import LAG_SECONDS, Schedule, lag_class

HOUR = 3600
MONDAY = to_epoch(datetime(2026, 1, 5, tzinfo=UTC))
schedules = st.builds(
    Schedule,
    st.builds(Grid, st.sampled_from([300, HOUR, DAY]), st.sampled_from(["UTC", "Europe/Oslo"])),
    st.sampled_from([0, 60, 1800, 5 * HOUR]),
)
moments = st.integers(MONDAY, MONDAY + 300 * DAY)


@pytest.mark.parametrize(
    ("hours", "expected"), [(-1, -1), (0, 0), (2, 0), (3, 1), (23, 1), (24, 2), (71, 2), (72, 3), (9999, 3)]
)
def test_lag_classes_are_ages(hours, expected):
    """At the delay, three hours, a day and three days after it; not due is none."""
    assert lag_class(hours * HOUR) == expected


@given(schedules, moments)
def test_the_newest_bucket_is_the_last_one_due(schedule, tick):
    """It is due, and the next one is not."""
    newest = schedule.newest(tick)
    assert newest == schedule.grid.floor(newest)
    assert schedule.due(newest) <= tick < schedule.due(schedule.grid.end(newest))


@given(schedules, moments, st.integers(0, 3 * DAY))
def test_each_bucket_is_judged_at_one_tick(schedule, after, later):
    """Between two ticks exactly those become due that were not due before, in order."""
    tick = after + later
    due = schedule.newly_due(after, tick)
    assert due == sorted(set(due))
    assert all(after < schedule.due(bucket) <= tick for bucket in due)
    middle = after + later // 2
    assert due == schedule.newly_due(after, middle) + schedule.newly_due(middle, tick)


def test_the_first_tick_judges_the_newest_bucket_only():
    """Where nothing was judged before, history is not judged in hindsight."""
    assert Schedule(Grid(HOUR), 0).newly_due(None, MONDAY + 10 * HOUR + 5) == [MONDAY + 9 * HOUR]


def test_a_tick_between_buckets_judges_nothing():
    """A schedule finer than the bucket has ticks with nothing newly due."""
    schedule = Schedule(Grid(HOUR), 1800)
    tick = MONDAY + 10 * HOUR + 1800
    assert schedule.newly_due(tick - 900, tick) == [MONDAY + 9 * HOUR]
    assert schedule.newly_due(tick, tick + 900) == []


@given(st.sampled_from([0, 1800]), st.integers(90, 200))
def test_every_bucket_is_read_at_each_class_once(delay, hours):
    """Hourly ticks that store what they read: each bucket is read at 0, 1, 2 and 3, each at the first chance."""
    schedule, known, read = Schedule(Grid(HOUR), delay), {}, {}
    for n in range(hours):
        tick = MONDAY + n * HOUR + delay
        for bucket, lag in schedule.to_read(tick, known, MONDAY).items():
            assert tick - schedule.due(bucket) == LAG_SECONDS[lag]
            read.setdefault(bucket, []).append(lag)
            known[bucket] = lag
    assert all(lags == [0, 1, 2, 3][: len(lags)] for lags in read.values())
    oldest = [read[MONDAY + n * HOUR] for n in range(hours - 74)]
    assert all(lags == [0, 1, 2, 3] for lags in oldest)


def test_nothing_is_read_twice_at_one_age():
    """The same tick with everything stored asks for nothing."""
    schedule = Schedule(Grid(HOUR), 0)
    tick = MONDAY + 100 * HOUR
    known = schedule.to_read(tick, {}, MONDAY)
    assert schedule.to_read(tick, known, MONDAY) == {}
    assert min(known) >= schedule.newest(tick) - LAG_SECONDS[-1]


def test_history_before_the_lookback_is_not_read():
    """`first` bounds it."""
    schedule = Schedule(Grid(HOUR), 0)
    tick = MONDAY + 100 * HOUR
    assert min(schedule.to_read(tick, {}, MONDAY + 95 * HOUR)) == MONDAY + 95 * HOUR


def test_day_buckets_ripen_over_days():
    """A day is read when it ends, a day later and three days later."""
    schedule = Schedule(Grid(DAY, "Europe/Oslo"), 0)
    first = schedule.grid.floor(MONDAY)
    known, lags = {}, []
    for days in range(1, 6):
        wanted = schedule.to_read(schedule.grid.shift(first, days), known, first)
        known |= wanted
        lags.append(wanted.get(first))
    assert lags == [0, 2, None, 3, None]
