"""Time arithmetic that every engine shares: whole numbers since the epoch, and offsets that change now and then.

An engine only ever adds, subtracts and divides integers. Time zones are resolved here, once per query, so all
engines agree and none of them needs a time-zone table of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from monitor.query import Arrivals, QueryRefusedError
from rules.model import Interval

DAY = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1)
_PROBE = 6 * 3600  # no zone changes its offset twice within six hours
_MARGIN = timedelta(days=1)  # more than any zone's offset from UTC


class Clock(Enum):
    """What a time column's values mean."""

    AWARE = "aware"
    """An instant."""
    NAIVE = "naive"
    """A wall clock, read in the rule's `timestamp.timezone`."""
    DATE = "date"
    """A day: midnight by the same wall clock."""


@dataclass(frozen=True)
class Offsets:
    """A step function in seconds: for x below `steps[0][0]` it is `steps[0][1]`, ..., and `last` at the end."""

    last: int
    steps: tuple[tuple[int, int], ...] = ()

    def at(self, x: int) -> int:
        """The offset for x."""
        return next((offset for before, offset in self.steps if x < before), self.last)

    @property
    def zero(self) -> bool:
        """Whether there is nothing to add anywhere."""
        return not self.last and not self.steps


NO_OFFSET = Offsets(0)


@dataclass(frozen=True)
class BucketPlan:
    """How seconds since the epoch become bucket numbers, and those become times again.

    `naive` turns a wall clock into UTC (subtract it), `local` turns UTC into the wall clock of day buckets (add
    it). The number of a bucket is (seconds + local - origin) // size, never negative inside the windows.
    `low` and `high` bound the raw column; they are `exact` where no further condition on time is needed.
    """

    clock: Clock
    windows: tuple[tuple[int, int], ...]
    size: int
    origin: int
    naive: Offsets
    local: Offsets
    low: datetime
    high: datetime
    exact: bool
    zone: ZoneInfo | None
    """Of day buckets; None for buckets aligned to the epoch."""

    def starts(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
        """UTC starts (datetime64[us]) of bucket numbers, same length."""
        if self.zone is None:
            return ((numbers * self.size + self.origin) * 1_000_000).view("datetime64[us]")
        found, where = np.unique(numbers, return_inverse=True)
        begins = [_local_midnight((self.origin + int(n) * self.size) // DAY, self.zone) for n in found]
        return np.asarray(begins, dtype="int64").view("datetime64[us]")[where]


@dataclass(frozen=True)
class ArrivalPlan:
    """How times of arrival become classes of lateness; all in whole seconds since the epoch.

    `naive` turns an arrival's wall clock into UTC, `ends` the wall clock at which a bucket ends (subtract both). An
    event is of the class of the first of `lags` that is at least its arrival minus its bucket's end, else of the last.
    """

    clock: Clock
    naive: Offsets
    ends: Offsets
    lags: tuple[int, ...]
    until: int
    """Arrivals after it are not there yet."""


def plan_arrivals(clock: Clock, arrivals: Arrivals, plan: BucketPlan) -> ArrivalPlan:
    """The arithmetic of arrivals beside that of buckets; a day is no time of arrival."""
    if clock is Clock.DATE:
        name = arrivals.column.column
        raise QueryRefusedError(f"{name!r} holds days: arrived_at needs the time of day", subject=name)
    start, end = plan.windows[0][0], plan.windows[-1][1]
    until = _seconds(arrivals.seen_until)
    naive = NO_OFFSET
    if clock is Clock.NAIVE:
        naive = local_to_utc(find_zone(arrivals.column.timezone), start, max(until, end))
    ends = NO_OFFSET if plan.zone is None else local_to_utc(plan.zone, start, end + DAY)
    return ArrivalPlan(clock, naive, ends, tuple(round(lag.total_seconds()) for lag in arrivals.lags), until)


def plan_buckets(
    clock: Clock, timestamp_zone: str, bucket: timedelta, bucket_zone: str, windows: Sequence[Interval]
) -> BucketPlan:
    """The arithmetic of one query; refused where the bucket fits neither the clock nor the column."""
    size = _bucket_seconds(bucket, clock)
    spans = merge_windows(windows)
    start, end = spans[0][0], spans[-1][1]
    zone, naive_zone = find_zone(bucket_zone), find_zone(timestamp_zone)
    by_day = size >= DAY
    local = utc_to_local(zone, start, end) if by_day else NO_OFFSET
    naive = local_to_utc(naive_zone, start, end) if clock is not Clock.AWARE else NO_OFFSET
    low, high, exact = _raw_bounds(clock, naive, start, end)
    return BucketPlan(
        clock=clock,
        windows=spans,
        size=size,
        origin=(start + local.at(start)) // size * size,
        naive=naive,
        local=local,
        low=low,
        high=high,
        exact=exact and len(spans) == 1,
        zone=zone if by_day else None,
    )


def find_zone(name: str) -> ZoneInfo:
    """The zone of that name, or refused."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise QueryRefusedError(f"{name!r} is no time zone", subject=name) from error


def merge_windows(windows: Sequence[Interval]) -> tuple[tuple[int, int], ...]:
    """Windows as [start, end) in seconds since the epoch, sorted, those that touch joined."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((_seconds(window.start), _seconds(window.end)) for window in windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return tuple(merged)


def utc_to_local(zone: ZoneInfo, start: int, end: int) -> Offsets:
    """Offsets of a zone by UTC seconds, right for [start, end)."""
    return Offsets(_offset(zone, end), tuple((at, before) for at, before, _ in _changes(zone, start, end)))


def local_to_utc(zone: ZoneInfo, start: int, end: int) -> Offsets:
    """Offsets of a zone by its wall clock, right for every wall clock of [start, end).

    As Python's fold=0: a wall clock that comes twice means its first coming, one that is skipped keeps the
    offset before the change. So where clocks go back, naive times put two hours of events into one.
    """
    margin = 2 * DAY
    changes = _changes(zone, start - margin, end + margin)
    return Offsets(_offset(zone, end + margin), tuple((at + max(old, new), old) for at, old, new in changes))


def instant(clock: Clock, micros: int, zone: ZoneInfo) -> datetime:
    """The UTC time of a raw value given in microseconds since the epoch (of a wall clock where not aware)."""
    moment = EPOCH + timedelta(microseconds=micros)
    return moment if clock is Clock.AWARE else moment.replace(tzinfo=zone).astimezone(UTC)


def _bucket_seconds(bucket: timedelta, clock: Clock) -> int:
    size = round(bucket.total_seconds())
    if size < 1 or timedelta(seconds=size) != bucket:
        raise QueryRefusedError(f"a bucket is whole seconds, not {bucket}", subject="time_bucket")
    if size > DAY and size % DAY:
        raise QueryRefusedError(f"a bucket of more than a day is whole days, not {bucket}", subject="time_bucket")
    if clock is Clock.DATE and size < DAY:
        raise QueryRefusedError(f"a date column has no time of day for buckets of {bucket}", subject="time_bucket")
    return size


def _raw_bounds(clock: Clock, naive: Offsets, start: int, end: int) -> tuple[datetime, datetime, bool]:
    """Bounds on the raw column: exact for instants and UTC wall clocks, else a day wider on both sides."""
    low, high = EPOCH + timedelta(seconds=start), EPOCH + timedelta(seconds=end)
    if clock is Clock.AWARE:
        return low, high, True
    low, high = low.replace(tzinfo=None), high.replace(tzinfo=None)
    if clock is Clock.NAIVE and naive.zero:
        return low, high, True
    return low - _MARGIN, high + _MARGIN, False


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = (EPOCH + timedelta(seconds=at)).astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


def _changes(zone: ZoneInfo, start: int, end: int) -> list[tuple[int, int, int]]:
    """(UTC second of the change, offset before, offset after) within (start, end]."""
    found = []
    before = _offset(zone, start)
    for left in range(start, end, _PROBE):
        right = min(left + _PROBE, end)
        after = _offset(zone, right)
        if after != before:
            found.append((_first_second(zone, left, right, after), before, after))
            before = after
    return found


def _first_second(zone: ZoneInfo, left: int, right: int, after: int) -> int:
    """The first second in (left, right] whose offset is `after`."""
    while right - left > 1:
        middle = (left + right) // 2
        left, right = (left, middle) if _offset(zone, middle) == after else (middle, right)
    return right


def _local_midnight(day: int, zone: ZoneInfo) -> int:
    """Microseconds since the epoch of the first instant of a local day (its number since 1970-01-01)."""
    first = EPOCH_DAY + timedelta(days=day)
    begin = datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC)
    return (begin - EPOCH) // timedelta(microseconds=1)
