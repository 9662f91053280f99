"""Durations as people write them: `15m`, `1h30m`, `28d`, `0`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")


def parse_duration(text: str) -> timedelta:
    """`1h30m` as a timedelta; units w, d, h, m, s, largest first. ValueError says what is accepted."""
    found = _WRITTEN.fullmatch(text) if text.isascii() else None
    if text != "0" and (found is None or not text):
        raise ValueError(f"'{text}' is no duration")
    counts = found.groups() if found else ()
    return timedelta(
        seconds=sum(int(count) * unit for count, unit in zip(counts, _UNITS.values(), strict=False) if count)
    )


def format_duration(value: timedelta) -> str:
    """The inverse of `parse_duration`: `1d`, `1h30m`, `0`; weeks are shown as days."""
    rest, parts = int(value.total_seconds()), []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"
