"""The lookback shows the weekly pattern often enough to tell it from chance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rules.duration import format_duration
from rules.model import Rule
from rules.problem import Problem

TWO_WEEKS = timedelta(days=14)


def weeks_in_lookback(rule: Rule) -> Iterator[Problem]:
    """A lookback of less than two weeks; one too short for anything is an error of its own."""
    if 7 * rule.time_bucket <= rule.lookback < TWO_WEEKS:
        message = f"a lookback of {format_duration(rule.lookback)} shows not every weekday twice: weekends can look like losses"
        hint = "write 28d, or at least 14d"
        yield rule.span("baseline.lookback").problem("short-lookback", message, hint, "warning")
