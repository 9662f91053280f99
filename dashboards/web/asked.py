"""What stands in an address, read: slices, durations, moments. What says nothing is a clear error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from dashboards.web.errors import UnreadableError
from rules.duration import parse_duration
from rules.slices import Slice, slice_from_json

LONGEST = 40_000
"""Characters of a slice in an address: values may be long, requests are not without end."""

SliceText = Annotated[
    str,
    Query(
        alias="slice",
        max_length=LONGEST,
        description='A slice as JSON, such as {"device":"ios"}; null is NULL, and "" every event.',
    ),
]

NO_SLICE = 'write it as JSON, such as {"device":"ios"}'
FIRST_YEAR, LAST_YEAR = 1970, 2200
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL takes no text that holds one."""
PRINTED = r"^[ -~]*$"
"""What durations and times are written with."""
NAMED = r"^[A-Za-z0-9_-]+$"
"""What ids are made of."""

BLANK = BeforeValidator(lambda value: value or None)
"""A form sends "" for what is left open."""


def slice_asked(text: str) -> Slice:
    """The slice that an address names."""
    if not text:
        return Slice()
    try:
        return _sliced(json.loads(text))
    except (ValueError, RecursionError):
        raise UnreadableError(f"slice: {NO_SLICE}") from None


def _sliced(raw: object) -> Slice:
    if isinstance(raw, Slice):
        return raw
    if not isinstance(raw, dict) or not all(_is_value(value) for value in raw.values()):
        raise ValueError(NO_SLICE)
    return slice_from_json(raw)


def _is_value(value: object) -> bool:
    """A string that can be written, NULL, or the folded rest."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() == value
    return value is None or (isinstance(value, dict) and value.get("folded") is True)


def _of_our_time(at: datetime) -> datetime:
    """Further off, other time zones reach beyond what a date can be."""
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"write a year from {FIRST_YEAR} to {LAST_YEAR}")
    return at.astimezone(UTC)


SliceBody = Annotated[Slice, BeforeValidator(_sliced)]
"""A slice in the body of a request."""
Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]


def end_of(text: str, now: datetime) -> datetime:
    """When a length of time is over that begins now, written as in rules."""
    try:
        return _of_our_time(now + parse_duration(text))
    except (ValueError, OverflowError):
        raise UnreadableError("how long: write 30m, 2h or 3d") from None


def moment(text: str | None, name: str) -> datetime | None:
    """A moment in ISO 8601, UTC where it names no zone; a date is its first moment."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return _of_our_time(found if found.tzinfo is not None else found.replace(tzinfo=UTC))
    except ValueError:
        raise UnreadableError(f"{name}: write a date or a time, such as 2026-01-31 or 2026-01-31T14:00Z") from None
