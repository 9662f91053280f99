"""Amounts of data as people write them: `500MB`, `1.5 TB`; a kilobyte is 1,000 bytes."""

from __future__ import annotations

import re

_UNITS = {"b": 0, "kb": 1, "mb": 2, "gb": 3, "tb": 4, "pb": 5}
_WRITTEN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?([a-z]{1,2})", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes. ValueError says what is wrong."""
    found = _WRITTEN.fullmatch(text) if text.isascii() else None
    power = None if found is None else _UNITS.get(found[2].lower())
    if found is None or power is None:
        raise ValueError(f"'{text}' is no amount of data")
    whole, _, fraction = found[1].partition(".")
    scaled: int = int(whole + fraction) * int(1000**power)
    return scaled // int(10 ** len(fraction))
