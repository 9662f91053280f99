"""A time zone as the value of a key."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from rules.explain import described, refusal
from rules.vocabulary import nearest


def read_timezone(raw: object) -> str:
    """For a validator: the name of a time zone; anything else is refused with code `bad-timezone`."""
    if not isinstance(raw, str):
        raise refusal("bad-timezone", f"{described(raw)} is no time zone", "write a name such as Europe/Oslo")
    try:
        ZoneInfo(raw)
    except (ValueError, OSError, LookupError):
        raise refusal("bad-timezone", f"'{raw}' is no time zone", _like_zone(raw)) from None
    return raw


def _like_zone(raw: str) -> str:
    from zoneinfo import available_timezones  # noqa: PLC0415  reads a directory: only for a mistake

    match = nearest(raw, sorted(available_timezones())) if "/" in raw else None
    return f"did you mean '{match}'?" if match else "write a name such as Europe/Oslo"
