"""A line of a benchmark's table, the same in all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table; `against` says what the value is to be held against, or nothing."""

    figure: str
    value: float
    unit: str
    against: str = ""
