"""When a rule is evaluated: by its schedule, a duration or a cron expression. Pure; all times are UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.buckets import to_datetime, to_epoch
from monitor.watched import Watched
from rules.cron import Cron

SECOND = timedelta(seconds=1)


def latest_tick(watched: Watched, now: datetime) -> datetime:
    """The newest scheduled evaluation time that is not after `now`.

    A cron expression says its times itself. A duration follows the detection delay, so that a bucket is judged as soon
    as it is due.
    """
    schedule = watched.rule.schedule
    if isinstance(schedule, Cron):
        return schedule.latest(now, ZoneInfo(watched.rule.timezone))
    if schedule == watched.rule.time_bucket:
        return to_datetime(watched.schedule.due(watched.schedule.newest(to_epoch(now))))
    step = int(schedule.total_seconds())
    phase = watched.schedule.delay % step
    return to_datetime((to_epoch(now) - phase) // step * step + phase)


def next_tick(watched: Watched, after: datetime) -> datetime:
    """The first scheduled evaluation time after a moment."""
    schedule = watched.rule.schedule
    if isinstance(schedule, Cron):
        return schedule.next_after(after, ZoneInfo(watched.rule.timezone))
    newest = latest_tick(watched, after)
    if schedule == watched.rule.time_bucket:
        bucket = watched.schedule.newest(int(newest.timestamp()))
        return to_datetime(watched.schedule.due(watched.grid.shift(bucket, 1)))
    return newest + schedule


def due_ticks(watched: Watched, newest_run: int | None, now: datetime) -> list[datetime]:
    """Scheduled evaluation times after the newest run, in order; only the latest one for a rule that never ran."""
    if newest_run is None:
        return [latest_tick(watched, now)]
    return ticks_between(watched, to_datetime(newest_run) + SECOND, now)


def ticks_between(watched: Watched, start: datetime, end: datetime) -> list[datetime]:
    """Scheduled evaluation times in [start, end], in order."""
    schedule = watched.rule.schedule
    if isinstance(schedule, Cron):
        return list(schedule.between(start, end + SECOND, ZoneInfo(watched.rule.timezone)))
    ticks = []
    last = latest_tick(watched, end)
    while last >= start:
        ticks.append(last)
        last = latest_tick(watched, last - SECOND)
    return ticks[::-1]


def judging_ticks(watched: Watched, first: int, last: int) -> list[datetime]:
    """Scheduled evaluation times that judge a bucket, from when the first one is due until the last one is.

    `first` and `last` are starts of buckets, in epoch seconds. What lies between two such times changes nothing: no
    bucket is due.
    """
    ticks, judged = [], watched.grid.shift(first, -1)
    due = (to_datetime(watched.schedule.due(bucket)) for bucket in (first, last))
    for tick in ticks_between(watched, *due):
        newest = watched.schedule.newest(to_epoch(tick))
        if newest > judged:
            ticks.append(tick)
            judged = newest
    return ticks
