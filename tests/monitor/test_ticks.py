"""When a rule is evaluated, by a duration or by a cron expression."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.buckets import to_datetime, to_epoch
from monitor.ticks import due_ticks, judging_ticks, latest_tick, ticks_between
from monitor.wakes import LONGEST_WAKE, MOST_OFFSET, SPREAD, Wakes
from monitor.watched import Watched
from rules.cron import Cron
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place

HOUR = timedelta(hours=1)
RULE = Rule("r", SourceRef("lake", ("t",)), Timestamp("at"), ("device",), Place("r.yaml"), timezone="Europe/Oslo")

schedules = st.sampled_from(
    [timedelta(minutes=15), HOUR, 6 * HOUR, *map(Cron.parse, ("*/20 * * * *", "0 6 * * *", "30 8-18/2 * * MON-FRI"))]
)
rules = st.builds(
    lambda schedule, bucket, delay: replace(RULE, schedule=schedule, time_bucket=bucket, detection_delay=delay),
    schedules,
    st.sampled_from([timedelta(minutes=5), HOUR, 24 * HOUR]),
    st.integers(0, 180).map(lambda minutes: timedelta(minutes=minutes)),
)
moments = st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 5), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


def hours_of(ticks, zone="Europe/Oslo"):
    return [f"{tick.astimezone(ZoneInfo(zone)):%d %H:%M}" for tick in ticks]


@given(rules, moments, st.integers(0, 3 * 86_400))
def test_what_is_due_after_a_run_is_all_that_was_scheduled_since(rule, now, ago):
    """A daemon that slept evaluates each scheduled time once, in order, the newest one last."""
    watched, last = Watched.of(rule), now - timedelta(seconds=ago)
    ticks = due_ticks(watched, to_epoch(last), now)
    assert ticks == sorted(set(ticks)) == ticks_between(watched, last + timedelta(seconds=1), now)
    newest = latest_tick(watched, now)
    assert newest <= now
    assert ticks == [] if newest <= last else ticks[-1] == newest


def test_cron_is_read_by_the_clock_of_the_rules_zone():
    """Six in the morning in Oslo, also in the week in which the clocks are put forward."""
    watched = Watched.of(replace(RULE, schedule=Cron.parse("0 6 * * *")))
    ticks = ticks_between(watched, datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC))
    assert hours_of(ticks) == ["28 06:00", "29 06:00", "30 06:00"]
    assert [tick.hour for tick in ticks] == [5, 4, 4]


@given(rules, moments, st.integers(1, 80))
def test_a_replay_judges_each_bucket_at_the_scheduled_time_after_it_is_due(rule, start, length):
    """Every tick has a bucket that is due by then and was not before; none is left that live would have judged."""
    watched = Watched.of(rule)
    first = watched.grid.floor(to_epoch(start))
    last = watched.grid.shift(first, length)
    ticks = judging_ticks(watched, first, last)
    newest = [watched.schedule.newest(to_epoch(tick)) for tick in ticks]
    assert newest == sorted(set(newest))
    due = to_datetime(watched.schedule.due(last))
    assert set(ticks) <= set(ticks_between(watched, to_datetime(watched.schedule.due(first)), due))
    live = latest_tick(watched, due)
    assert not ticks or newest[-1] == watched.schedule.newest(to_epoch(live))


def test_the_bucket_as_schedule_is_one_evaluation_for_each_bucket():
    """So has a rule that says nothing."""
    watched = Watched.of(replace(RULE, detection_delay=timedelta(minutes=20)))
    ticks = judging_ticks(
        watched, to_epoch(datetime(2026, 3, 1, tzinfo=UTC)), to_epoch(datetime(2026, 3, 1, 2, tzinfo=UTC))
    )
    assert hours_of(ticks, "UTC") == ["01 01:20", "01 02:20", "01 03:20"]


@pytest.mark.parametrize("schedule", [HOUR, timedelta(minutes=1), Cron.parse("7 3 * * *"), Cron.parse("* * * * *")])
def test_a_rule_wakes_soon_after_each_of_its_times(schedule):
    """At most half a minute after a tick, and no longer than a quarter of an hour apart."""
    rule = replace(RULE, schedule=schedule, timezone="UTC")
    wakes, now = Wakes(rule), datetime(2026, 3, 1, 2, 50, tzinfo=UTC)
    seen = [now]
    while seen[-1] < datetime(2026, 3, 1, 3, 30, tzinfo=UTC):
        seen.append(wakes.get_next_fire_time(None, seen[-1]))
        assert timedelta(0) < seen[-1] - seen[-2] <= LONGEST_WAKE
    tick = latest_tick(Watched.of(rule), datetime(2026, 3, 1, 3, 20, tzinfo=UTC))
    assert any(timedelta(0) <= wake - tick <= timedelta(seconds=MOST_OFFSET) for wake in seen)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=5), timedelta(hours=-1)])
def test_a_rule_wakes_by_the_right_time_on_a_machine_whose_clock_is_off(ahead):
    """What the library is told is by the machine's clock, and comes to the same moments."""
    rule = replace(RULE, schedule=timedelta(minutes=1), timezone="UTC")
    true = datetime(2026, 3, 1, 2, 50, tzinfo=UTC)
    right, off = Wakes(rule, lambda: true), Wakes(rule, lambda: true, "")
    assert off.get_next_fire_time(None, true + ahead) - ahead == right.get_next_fire_time(None, true)


def test_a_wake_that_comes_a_little_early_by_the_stores_clock_comes_once():
    """A few milliseconds between clocks make no second wake at once."""
    rule = replace(RULE, schedule=timedelta(minutes=1), timezone="UTC")
    time = datetime(2026, 3, 1, 2, 50, tzinfo=UTC)
    wakes = Wakes(rule, lambda: time - timedelta(milliseconds=20))
    seen = [time]
    for _ in range(5):
        time = wakes.get_next_fire_time(None, time)
        seen.append(time)
    gaps = [after - before for before, after in pairwise(seen[1:])]
    assert all(timedelta(seconds=50) < gap for gap in gaps)


def test_daemons_on_one_store_come_first_for_their_share_of_the_rules():
    """Each is a little later than the other for half of them, by no more than seconds, and alone nobody is."""
    now = datetime(2026, 3, 1, 2, 50, tzinfo=UTC)

    def wake(number, own):
        rule = replace(RULE, name=f"rule_{number}", schedule=HOUR, timezone="UTC")
        return Wakes(rule, lambda: now, own).get_next_fire_time(None, now)

    first = 0
    for number in range(200):
        one, two, alone = (wake(number, own) for own in ("host/1", "host/2", ""))
        assert alone <= min(one, two)
        assert max(one, two) - alone <= SPREAD
        assert one != two
        first += one < two
    assert 60 < first < 140
