"""Until when a snooze holds, from what a person says. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from rules.duration import parse_duration

MORNING = time(9)
UNTIL_OVER, WORKING_MORNING = "resolved", "morning"
LONGEST = timedelta(days=92)
ACCEPTED = "write 30m or 2h, `morning` (the next working one), `resolved`, or a time such as 2026-01-31T14:00Z"


def snooze_end(text: str, now: datetime, timezone: str) -> datetime | None:
    """When a snooze of this text ends, UTC; None for one until it is over.

    `30m`, `2h`; `morning`: nine o'clock on the next working day (Monday to Friday) of the time zone; `resolved`; or an
    instant in ISO 8601, by that time zone where it names none. ValueError says what is accepted.
    """
    if text == UNTIL_OVER:
        return None
    end = next_working_morning(now, timezone) if text == WORKING_MORNING else _lasting(text, now)
    end = end or _instant(text, timezone)
    if end is None or not now < end <= now + LONGEST:
        raise ValueError(f"'{text}' is no time to snooze until: {ACCEPTED}; at most {LONGEST.days} days")
    return end


def next_working_morning(now: datetime, timezone: str) -> datetime:
    """Nine o'clock on the next day that is no Saturday or Sunday; the same day's where it is earlier than that."""
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    days = (local.date() + timedelta(days=ahead) for ahead in range(8))
    mornings = (datetime.combine(day, MORNING, zone).astimezone(UTC) for day in days if day.weekday() < 5)
    return next(morning for morning in mornings if morning > now)


def _lasting(text: str, now: datetime) -> datetime | None:
    try:
        return now + parse_duration(text)
    except (ValueError, OverflowError):
        return None


def _instant(text: str, timezone: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
