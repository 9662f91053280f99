"""What stands in an address, read: slices, durations, moments. What says nothing is a clear error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

from dashboards.web.errors import UnreadableError
from rules.slices import Slice, slice_from_json

LONGEST = 20_000
"""Characters of a slice in an address: values may be long, requests are not without end."""

SliceText = Annotated[
    str,
    Query(
        alias="slice", max_length=LONGEST, description='A slice as JSON, such as {"device":"ios"}; "" is every event.'
    ),
]

BLANK = BeforeValidator(lambda value: value or None)
"""A form sends "" for what is left open."""


def slice_asked(text: str) -> Slice:
    """The slice that an address names."""
    if not text:
        return Slice()
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict) or not all(_is_value(value) for value in raw.values()):
        raise UnreadableError('slice: write it as JSON, such as {"device":"ios"}')
    return slice_from_json(raw)


def _is_value(value: object) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, dict) and value.get("folded") is True)


def moment(text: str | None, name: str) -> datetime | None:
    """A moment in ISO 8601, UTC where it names no zone; a date is its first moment."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableError(f"{name}: write a date or a time, such as 2026-01-31 or 2026-01-31T14:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
