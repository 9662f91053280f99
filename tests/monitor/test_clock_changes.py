"""Nights in which the clocks are changed: each tick comes once, each bucket is judged once, and nobody is told of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import store
from monitor.buckets import DAY, Grid, to_datetime, to_epoch
from monitor.ticks import due_ticks, ticks_between
from monitor.watched import Watched
from rules.cron import Cron
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place
from tests.monitor.ticks import Ticks, told
from tests.monitor.world import BEGIN, CROSS, HOUR, World, world

OSLO = "Europe/Oslo"
CHANGES = {"forward": datetime(2026, 3, 29, 1, tzinfo=UTC), "back": datetime(2026, 10, 25, 1, tzinfo=UTC)}
"""When it becomes 03:00 at 02:00, and 02:00 at 03:00."""
RULE = Rule("r", SourceRef("lake", ("t",)), Timestamp("at"), ("device",), Place("r.yaml"), timezone=OSLO)

changes = st.sampled_from(list(CHANGES.values()))
schedules = st.sampled_from(
    [
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(days=1),
        *map(Cron.parse, ("30 2 * * *", "0 3 * * *", "*/20 * * * *", "15,45 1-3 * * *", "30 2 * * SUN")),
    ]
)
buckets = st.sampled_from([timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)])
naps = st.lists(st.integers(1, 20 * 3_600), min_size=1, max_size=40)


@given(changes, schedules, buckets, naps, st.integers(0, 120))
def test_however_a_daemon_wakes_each_tick_comes_once_and_each_bucket_is_judged_once(
    change, schedule, bucket, naps, delay
) -> None:
    """Over both nights, by day and by hour and by cron; what is made up for is what would have been made in time."""
    rule = replace(RULE, schedule=schedule, time_bucket=bucket, detection_delay=timedelta(minutes=delay))
    watched = Watched.of(rule)
    begin = change - timedelta(days=2)
    newest, now = to_epoch(due_ticks(watched, None, begin)[0]), begin
    made: list[datetime] = [to_datetime(newest)]
    judged: list[int] = []
    for seconds in naps:
        now += timedelta(seconds=seconds)
        for tick in due_ticks(watched, newest, now):
            judged += watched.schedule.newly_due(newest, to_epoch(tick))
            newest = to_epoch(tick)
            made.append(tick)
    assert made == ticks_between(watched, made[0], now)
    first = watched.grid.shift(watched.schedule.newest(to_epoch(made[0])), 1)
    assert judged == watched.grid.starts(first, watched.schedule.newest(newest) + 1).tolist()


@pytest.mark.parametrize(
    ("text", "forward", "back"),
    [
        ("30 2 * * *", ["03:00 +02", "02:30 +02"], ["02:30 +02", "02:30 +01"]),
        ("0 3 * * *", ["03:00 +02", "03:00 +02"], ["03:00 +01", "03:00 +01"]),
        ("*/30 2 * * *", ["03:00 +02", "02:00 +02", "02:30 +02"], None),
    ],
)
def test_a_cron_schedule_loses_no_night_and_has_none_twice(text, forward, back) -> None:
    """What falls into the hour that is left out comes at its end, what falls into the one that comes twice the first time."""
    for name, wanted in (("forward", forward), ("back", back)):
        if wanted is None:
            continue
        watched = Watched.of(replace(RULE, schedule=Cron.parse(text)))
        start = CHANGES[name].replace(hour=0) - timedelta(hours=2)
        ticks = ticks_between(watched, start, start + timedelta(hours=47))
        assert [f"{tick.astimezone(ZoneInfo(OSLO)):%H:%M %z}"[:9] for tick in ticks] == wanted


# --- judged -----------------------------------------------------------------------------------------------------


def oslo(change: datetime, seconds: int, **fields) -> tuple[World, int]:
    """A world on Oslo's clock up to four days after a change, and the column two days before it."""
    days = (to_epoch(change) - BEGIN) // DAY + 5
    made = world(CROSS, days=days, grid=Grid(seconds, OSLO), **fields)
    return made, int(np.searchsorted(made.starts, to_epoch(change) - 2 * DAY))


@pytest.fixture
def state() -> Iterator[store.Store]:
    opened = store.Store.open("sqlite://")
    yield opened
    opened.close()


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("seconds", [HOUR, DAY], ids=["hours", "days"])
def test_a_night_of_another_length_is_no_loss(state, name, seconds) -> None:
    """People keep to the clock on the wall: what comes in 23 or 25 hours is expected; each bucket is judged once, in order."""
    made, first = oslo(CHANGES[name], seconds)
    if seconds == DAY:
        made = by_the_hour(made)
    size = timedelta(seconds=seconds)
    delay = timedelta(hours=2)  # the events of a day of 23 hours are there an hour later than those of others
    rule = {"timezone": OSLO, "time_bucket": size, "schedule": size, "detection_delay": delay}
    ticks = Ticks.over(made, state, **rule).learn(first)
    last = min(first + 4 * DAY // seconds, len(made.starts) - 1)
    ticks.run(range(first, last))
    assert told(ticks.transitions) == []
    judged = [to_epoch(start) for outcome in ticks.outcomes for start in outcome.judged]
    assert judged == made.starts[first:last].tolist()
    with state.read() as tx:
        known = store.coverage(tx, ticks.rule.name, int(made.starts[first]), int(made.starts[last]))
    assert sorted(known) == judged


def by_the_hour(made: World) -> World:
    """Days of 23 and of 25 hours have as much less and more."""
    hours = np.diff([*made.starts, made.grid.end(int(made.starts[-1]))]) / HOUR
    return replace(made, values=np.round(made.values * hours / 24).astype(np.int64))


@pytest.mark.parametrize("name", CHANGES)
def test_a_loss_over_the_change_is_one_incident_with_its_true_beginning(state, name) -> None:
    """It begins an hour before the change and ends some hours after it."""
    made, first = oslo(CHANGES[name], HOUR)
    lost = int(np.searchsorted(made.starts, to_epoch(CHANGES[name]) - HOUR))
    made = made.scaled(0.0, lost, lost + 5, device="tv")
    ticks = Ticks.over(made, state, timezone=OSLO).learn(first).run(range(first, lost + 12))
    (incident,) = ticks.incidents
    assert ticks.column(incident.since) == lost
    assert incident.cause.label() == "device=tv"
    assert [change for change, _, _ in told(ticks.transitions)][-1] == "resolved"
    assert ticks.column(incident.until) == lost + 5
