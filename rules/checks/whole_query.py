"""A `query` returns all events."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.where_meaning import is_limited


def whole_query(rule: Rule) -> Iterator[Problem]:
    """A query that ends with a LIMIT: which events it drops changes from one reading to the next."""
    if rule.source.query is not None and is_limited(rule.source.query):
        message = "'query' ends with a LIMIT: which events are counted changes from one reading to the next"
        yield rule.span("query:").problem("limited-query", message, "remove the LIMIT", "warning")
