"""An amount of data as the value of a key."""

from __future__ import annotations

from rules.explain import described, refusal
from rules.size import parse_size


def read_size(raw: object, hint: str) -> int:
    """For a validator: bytes, at least one; anything else is refused with code `bad-value`. `hint` shows how it is written."""
    if not isinstance(raw, str):
        raise refusal("bad-value", f"{described(raw)} is no amount of data", hint)
    try:
        value = parse_size(raw)
    except ValueError as error:
        raise refusal("bad-value", str(error), hint) from None
    if not value:
        raise refusal("bad-value", "with no data to read there is nothing to watch", hint)
    return value
