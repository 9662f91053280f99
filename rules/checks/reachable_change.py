"""`min_change` can be reached in the direction that is sent."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Direction, Rule
from rules.problem import Problem


def reachable_change(rule: Rule) -> Iterator[Problem]:
    """Nothing drops by more than all of it."""
    if rule.direction is not Direction.SPIKE and rule.min_change > 1:
        message = f"nothing drops by {rule.min_change:.0%}"
        yield rule.span("min_change").problem("impossible", message, "write at most 100%, or direction: spike")
