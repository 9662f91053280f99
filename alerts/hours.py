"""Hours of the week in which a receiver is to be told: `Mon-Fri 09:00-18:00`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?(\d{2}:\d{2})-(\d{2}:\d{2})", re.IGNORECASE)
ACCEPTED = "write Mon-Fri 09:00-18:00, several with commas; without days it is every day"


@dataclass(frozen=True)
class Span:
    """On these days of the week (0 is Monday) from one time to another, the end not included."""

    days: tuple[int, ...]
    start: time
    end: time
    """00:00 is midnight at the end of the day."""


@dataclass(frozen=True)
class Hours:
    """Stretches of the week by the clock of a time zone."""

    text: str
    spans: tuple[Span, ...]
    timezone: str = "UTC"

    @classmethod
    def parse(cls, text: str, timezone: str = "UTC") -> Hours:
        """`Mon-Fri 09:00-18:00, Sat 10:00-14:00`. ValueError says what is accepted."""
        return cls(text, tuple(_span(part.strip()) for part in text.split(",")), timezone)

    def hold(self, now: datetime) -> bool:
        """Whether a moment lies within them."""
        return any(start <= now < end for start, end in self._around(now))

    def next_start(self, now: datetime) -> datetime:
        """When they begin next, after a moment outside of them, UTC."""
        return min(start for start, _ in self._around(now) if start > now)

    def _around(self, now: datetime) -> list[tuple[datetime, datetime]]:
        """The stretches of the days around a moment, UTC: yesterday's to those of a week ahead."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        days = [today + timedelta(days=ahead) for ahead in range(-1, 9)]
        return [
            (
                datetime.combine(day, span.start, zone).astimezone(UTC),
                datetime.combine(day + timedelta(days=span.end == time(0)), span.end, zone).astimezone(UTC),
            )
            for day in days
            for span in self.spans
            if day.weekday() in span.days
        ]


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    times = _times(found[3], found[4]) if found is not None else None
    days = _days(found[1], found[2]) if found is not None else ()
    if times is None or not days:
        raise ValueError(f"'{text}' are no hours: {ACCEPTED}")
    return Span(days, *times)


def _times(first: str, last: str) -> tuple[time, time] | None:
    try:
        start, end = time.fromisoformat(first), time.fromisoformat("00:00" if last == "24:00" else last)
    except ValueError:
        return None
    return (start, end) if end == time(0) or start < end else None


def _days(first: str | None, last: str | None) -> tuple[int, ...]:
    """Days from one to another, over the weekend too: `Sat-Mon` are three; () where one is no day."""
    if first is None:
        return tuple(range(7))
    names = (first.capitalize(), (last or first).capitalize())
    if not set(names) <= set(DAYS):
        return ()
    begin, end = map(DAYS.index, names)
    return tuple((begin + ahead) % 7 for ahead in range((end - begin) % 7 + 1))
