"""A `where` tells events apart."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.where_meaning import compared_with_null, moves_with_time, selects


def where_decides(rule: Rule) -> Iterator[Problem]:
    """A condition that is the same for all events, compares with NULL, or depends on when it is asked."""
    if rule.where is None:
        return
    span = rule.span("where")
    if same := selects(rule.where):
        message, hint = f"'where' holds for {same}", "compare a column with what events hold, or remove it"
        yield span.problem("constant-where", message, hint, "warning")
    elif compared := compared_with_null(rule.where):
        message, hint = f"'{compared}' holds for no event: NULL equals nothing", "write IS NULL or IS NOT NULL"
        yield span.problem("null-comparison", message, hint, "warning")
    if moment := moves_with_time(rule.where):
        message = f"what '{moment}' selects depends on when it is asked, so history seems to lose events"
        yield span.problem("moving-where", message, "leave time to baseline.lookback", "warning")
