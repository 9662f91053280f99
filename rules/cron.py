"""Cron expressions of five fields, `0 2 * * SUN`: which moments they mean in a time zone. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_DAY = timedelta(days=1)
SEARCHED_DAYS = 366 * 41
"""Within so many days comes even a 29 February that must be a Sunday."""


@dataclass(frozen=True)
class _Field:
    """One of the five: its name in messages, its least and greatest number, and words for some numbers."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True)
class Cron:
    """Which minutes of a local calendar are meant; weekday 0 is Sunday.

    Where the day of the month and the weekday are both given, a day that fits either is meant, as cron has it.
    A local time that the clocks skip is the moment at which they are put forward, so none is lost. One that comes twice
    counts the first time; where any hour is meant (`*`), both times, so that the rhythm stays.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    """Whether the day of the month or the weekday begins with `*`: then a day must fit both."""
    any_hour: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """`minute hour day month weekday`. ValueError says which field is wrong and what it takes."""
        fields = text.split()
        if len(fields) != len(_FIELDS):
            raise ValueError(f"'{text}' has {len(fields)} field{'s' * (len(fields) != 1)}, cron has five")
        minutes, hours, days, months, weekdays = map(_numbers, _FIELDS, fields)
        any_day = fields[2].startswith("*") or fields[4].startswith("*")
        cron = cls(
            text=" ".join(fields),
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=days,
            months=months,
            weekdays=weekdays,
            any_day=any_day,
            any_hour=fields[1].startswith("*"),
        )
        if any_day and min(days) > max(_MOST_DAYS[month - 1] for month in months):
            raise ValueError(f"'{text}' never comes: the calendar has no such day")
        return cron

    def falls_on(self, day: date) -> bool:
        """Whether some minute of the local day is meant."""
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (by_month and by_week if self.any_day else by_month or by_week)

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first time after an aware moment, UTC."""
        first = moment.astimezone(UTC).date()
        for days in range(SEARCHED_DAYS):
            times = _times(self, first + days * _DAY, zone)
            at = bisect_right(times, moment)
            if at < len(times):
                return times[at]
        raise OverflowError(f"'{self.text}' does not come after {moment}")

    def latest(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The last time that is not after an aware moment, UTC."""
        last = moment.astimezone(UTC).date()
        for days in range(SEARCHED_DAYS):
            times = _times(self, last - days * _DAY, zone)
            at = bisect_right(times, moment)
            if at:
                return times[at - 1]
        raise OverflowError(f"'{self.text}' does not come before {moment}")

    def between(self, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """The times in [start, end), UTC, in their order."""
        first, last = start.astimezone(UTC).date(), end.astimezone(UTC).date()
        for days in range((last - first).days + 1):
            times = _times(self, first + days * _DAY, zone)
            yield from times[bisect_left(times, start) : bisect_left(times, end)]

    def covering(self, moment: datetime, duration: timedelta, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """Start and end (not included) of the window of `duration` in which a moment lies, UTC; None outside all.

        A window begins at each of the times and lasts `duration` by a clock that is never put forward or back. Of
        several around one moment it is the last begun, which also ends last.
        """
        start = self.latest(moment, zone)
        return (start, start + duration) if moment < start + duration else None

    def shortest_gap(self) -> timedelta:
        """The shortest time between two neighbours where no clock is put forward or back; at most a day."""
        daily = [hour * 60 + minute for hour in self.hours for minute in self.minutes]
        gaps = [after - before for before, after in zip(daily, [*daily[1:], daily[0] + 1440], strict=True)]
        return timedelta(minutes=min(gaps))


@lru_cache(maxsize=4096)
def _times(cron: Cron, day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The times within a day of UTC, in their order; no zone is a whole day away from UTC."""
    near = (moment for step in (-1, 0, 1) for moment in _local_times(cron, day + step * _DAY, zone))
    return tuple(sorted({moment for moment in near if moment.date() == day}))


@lru_cache(maxsize=4096)
def _local_times(cron: Cron, day: date, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The times of a local day, UTC."""
    if not cron.falls_on(day):
        return ()
    walls = [datetime.combine(day, time(hour, minute)) for hour in cron.hours for minute in cron.minutes]
    folds = (0, 1) if cron.any_hour else (0,)
    return tuple(_moment(wall, fold, zone) for wall in walls for fold in folds)


def _moment(wall: datetime, fold: int, zone: ZoneInfo) -> datetime:
    """When a clock on the wall shows this, UTC; of a time that is skipped, when the clocks are put forward."""
    moment = wall.replace(fold=fold, tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    before, after = sorted(wall.replace(fold=fold, tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    return before + timedelta(seconds=_seconds_to_jump(before, after, zone))


def _seconds_to_jump(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    """Seconds from `start` to the one change of the zone's offset before `end`."""
    offset = start.astimezone(zone).utcoffset()
    seconds = range(int((end - start).total_seconds()) + 1)
    return bisect_left(
        seconds, True, key=lambda n: (start + timedelta(seconds=n)).astimezone(zone).utcoffset() != offset
    )


def _numbers(field: _Field, text: str) -> frozenset[int]:
    """`*`, `5`, `1-5`, `MON-FRI`, any of them with a step (`*/15`), and lists of these."""
    found = {number for part in text.split(",") for number in _part(field, part)}
    return frozenset(number % 7 for number in found) if field.words is _WEEKDAYS else frozenset(found)


def _part(field: _Field, text: str) -> range:
    span, slash, step = text.partition("/")
    if slash and not re.fullmatch(r"[1-9][0-9]?", step):
        raise ValueError(f"'{text}' is no {field.name} of cron: a step is a number from 1 to 99")
    if span == "*":
        first, last = field.low, field.high
    else:
        begin, dash, end = span.partition("-")
        first = _number(field, begin, text)
        last = _last(field, end, text) if dash else (field.high if slash else first)
    if last < first:
        raise ValueError(f"'{text}' is no {field.name} of cron: it ends before it begins")
    return range(first, last + 1, int(step or 1))


def _last(field: _Field, word: str, text: str) -> int:
    """The end of a span; a week that is written `FRI-SUN` ends on its seventh day."""
    number = _number(field, word, text)
    return 7 if field.words is _WEEKDAYS and number == 0 else number


def _number(field: _Field, word: str, text: str) -> int:
    if word.upper() in field.words:
        return field.low + field.words.index(word.upper())
    high = 7 if field.words is _WEEKDAYS else field.high
    if not re.fullmatch(r"[0-9]{1,2}", word) or not field.low <= int(word) <= high:
        words = f", or {field.words[0]} to {field.words[-1]}" if field.words else ""
        raise ValueError(f"'{text}' is no {field.name} of cron: write {field.low} to {field.high}{words}")
    return int(word)
