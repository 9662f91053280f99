"""Rows in parts, so that what is worked on stays in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

ROWS = 128


def blocks(rows: int) -> Iterator[slice]:
    """Parts of `rows` rows, in order."""
    for first in range(0, rows, ROWS):
        yield slice(first, min(first + ROWS, rows))
