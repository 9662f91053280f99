"""A rule's `query` is one SELECT and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.where import check_query


def one_select(rule: Rule) -> Iterator[Problem]:
    """Sources wrap the query as a subquery, so it may neither end it nor write."""
    if rule.source.query is not None and (reason := check_query(rule.source.query)):
        yield rule.span("query").problem("bad-query", f"'query' is not one SELECT: {reason}", "keep one SELECT")
