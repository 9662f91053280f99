"""Data classes as JSON text and back, exactly: NULL, folded and strings stay apart, infinities survive."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

from monitor.store.errors import Damage

T = TypeVar("T")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_body(item: object) -> str:
    """Pure ASCII: PostgreSQL refuses NUL, and values may hold anything."""
    return json.dumps(
        _adapter(cast("Any", type(item))).dump_python(item, mode="json"), ensure_ascii=True, separators=(",", ":")
    )


def from_body(kind: type[T], body: str) -> T:
    """The inverse of `to_body`; raises `Damage`."""
    try:
        item: T = _adapter(cast("Any", kind)).validate_python(json.loads(body))
    except ValueError as error:  # of JSON, and of pydantic
        reason = str(error).splitlines()[0]
        raise Damage(f"no {kind.__name__} as it was written: {reason}") from None
    return item
