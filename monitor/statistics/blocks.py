"""Rows in parts, so that what is worked on stays in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

ROWS = 128
"""For rows of a month of hours."""
LARGE = 1_024
"""For rows of a few days of hours."""


def blocks(rows: int, size: int = ROWS) -> Iterator[slice]:
    """Parts of `size` rows, in order."""
    for first in range(0, rows, size):
        yield slice(first, min(first + size, rows))
