"""Numbers, times and names as a message shows them. What comes from outside is made harmless here."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.model import SliceFact
from rules.slices import Folded, Slice, label_of

VALUE_LENGTH = 60
LISTED = 10
"""Slices a list names before it says "and N more"."""
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
UNITS = (("", 1.0), ("k", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12))
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that break lines, turn the reading direction, or show nothing."""


def number(value: float) -> str:
    """`812k`, `1.2M`, `37`, `3.4`: two digits or three, never more."""
    if not math.isfinite(value):
        return "unknown"
    size, text, unit = abs(value), "", ""
    for unit, scale in UNITS:  # noqa: B007  # the unit that fits is the one the loop ends with
        scaled = size / scale
        text = f"{scaled:.1f}".removesuffix(".0") if scaled < 9.95 else f"{scaled:.0f}"
        if float(text) < 1000:
            break
    return f"{'-' if value < 0 and text != '0' else ''}{text}{unit}"


def counted(count: int, word: str) -> str:
    """`1 bucket`, `3 buckets`: a whole number of things whose plural ends in s."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def lasting(time: timedelta) -> str:
    """`3 days`, `30 hours`, `45 minutes`."""
    if time >= 2 * DAY:
        return f"{time.days} days"
    if time >= 2 * HOUR:
        return f"{time.total_seconds() / 3600:.0f} hours"
    return f"{time.total_seconds() / 60:.0f} minutes"


def instant(at: datetime) -> str:
    """`23 Nov 14:05 UTC`: a moment on the clock, whatever a rule's buckets are."""
    return f"{at.astimezone(UTC):%-d %b %H:%M} UTC"


def stretch(start: datetime, end: datetime) -> str:
    """`23 Nov 09:00 to 23:30 UTC`, with the second date where it is another day."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    return (
        f"{first:%-d %b %H:%M} to {last:%H:%M} UTC"
        if first.date() == last.date()
        else f"{first:%-d %b %H:%M} to {instant(end)}"
    )


def signed(value: float) -> str:
    """As `number`, with its sign."""
    return f"+{number(value)}" if value >= 0 else number(value)


def percent(part: float, whole: float) -> str:
    """`42 %`; never 0 or 100 for what is not exactly that."""
    if whole <= 0:
        return "unknown"
    share = 100 * part / whole
    if 0 < share < 1:
        return "under 1 %"
    if 99 < share < 100:
        return "over 99 %"
    return f"{share:.0f} %"


def clean(text: str, limit: int = VALUE_LENGTH) -> str:
    """Text from outside on one line: invisible characters as escapes, cut to `limit` characters."""
    head = "".join(_visible(character) for character in text[: limit + 1])
    return shorten(head, limit)


def sentence(text: str, limit: int) -> str:
    """An error's text from outside as the end of a sentence: one line, with one full stop at most."""
    one = clean(" ".join(text[: 4 * limit].split()), limit)
    return one if one.endswith((".", "?", "!", "…")) else f"{one}."


def shorten(text: str, limit: int) -> str:
    """Cut to `limit` characters, the last of which says so."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _visible(character: str) -> str:
    if unicodedata.category(character) not in INVISIBLE:
        return character
    code = ord(character)
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return named.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def name_of(item: Slice) -> str:
    """`device=ios, country=NO`; the total is `every event`. Values are made harmless."""
    if not item.terms:
        return "every event"
    return ", ".join(f"{clean(name)}={_value(value)}" for name, value in item.terms)


def _value(value: object) -> str:
    if value is None or isinstance(value, Folded):
        return label_of(value)
    return clean(label_of(str(value)))


def noun(metric: str, amount: float = 2) -> str:
    """What a metric counts: `events`, or the column of a sum."""
    if metric == "count":
        return "event" if amount == 1 else "events"
    inner = metric.removeprefix("sum(").removesuffix(")") if metric.startswith("sum(") else metric
    return clean(inner, 24)


def listing(facts: Sequence[SliceFact], count: int | None = None, *, change: bool) -> str:
    """At most ten slices, each with what it lost or gained, then how many more there are."""
    shown = facts[:LISTED]
    items = [name_of(f.slice) + (f" ({signed(f.observed - f.expected)})" if change else "") for f in shown]
    more = max(count or 0, len(facts)) - len(shown)
    return "; ".join(items) + (f"; and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Clock:
    """How a rule's times are written: UTC times, or for buckets of days the dates of the rule's time zone."""

    bucket: timedelta
    timezone: str
    today: datetime
    """The evaluation time: what happened on its date needs no date."""

    @property
    def daily(self) -> bool:
        return self.bucket >= DAY

    def moment(self, at: datetime) -> str:
        """`14:00 UTC`, with the date where it is another day."""
        if self.daily:
            return self._date(at.astimezone(ZoneInfo(self.timezone)))
        utc = at.astimezone(UTC)
        return f"{self._when(utc)} UTC"

    def full(self, at: datetime) -> str:
        """`23 Nov 2026 14:00 UTC`; a date alone for buckets of days."""
        if self.daily:
            return f"{at.astimezone(ZoneInfo(self.timezone)):%-d %b %Y}"
        return f"{at.astimezone(UTC):%-d %b %Y %H:%M} UTC"

    def span(self, start: datetime, end: datetime) -> str:
        """`from 14:00 to 18:00 UTC`; `on 21 Nov`; `from 21 Nov to 23 Nov`, both included."""
        if self.daily:
            first, last = self.moment(start), self.moment(end - self.bucket / 2)
            return f"on {first}" if first == last else f"from {first} to {last}"
        return f"from {self._when(start.astimezone(UTC))} to {self._when(end.astimezone(UTC))} UTC"

    def iso(self, start: datetime, end: datetime) -> str:
        """A time range to paste: ISO 8601, UTC, the end excluded."""
        first, last = (f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}" for at in (start, end))
        return f"{first} to {last}"

    def _when(self, utc: datetime) -> str:
        same = utc.date() == self.today.astimezone(UTC).date()
        return f"{utc:%H:%M}" if same else f"{self._date(utc)} {utc:%H:%M}"

    def _date(self, at: datetime) -> str:
        return f"{at:%-d %b}" if at.year == self.today.year else f"{at:%-d %b %Y}"
