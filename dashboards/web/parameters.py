"""Parameters that several pages share, read from the query string."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import Query

from dashboards.web.errors import MissingError
from rules.slices import Slice, slice_from_json

LONGEST_SLICE = 40_000
"""Characters: values may be long, and a query string is not."""

Item = Annotated[
    str,
    Query(
        alias="slice",
        max_length=LONGEST_SLICE,
        description='A slice as JSON, {"device": "ios"}; null is NULL, and without any it is the total.',
    ),
]


def read_slice(text: str) -> Slice:
    """The slice that a parameter names. Raises `MissingError` for what names none."""
    if not text:
        return Slice()
    try:
        raw = json.loads(text)
    except ValueError:
        raw = None
    if not isinstance(raw, dict) or not all(_is_value(value) for value in raw.values()):
        raise MissingError('a slice is an object of dimension to value, {"device": "ios"}')
    return slice_from_json(raw)


def _is_value(raw: object) -> bool:
    return raw is None or isinstance(raw, str) or (isinstance(raw, dict) and raw.get("folded") is True)
