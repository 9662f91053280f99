"""A rule's `where` is one boolean expression and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.where import check_where


def one_expression(rule: Rule) -> Iterator[Problem]:
    """Sources put the expression into parentheses, so it may not leave them."""
    if rule.where is not None and (reason := check_where(rule.where)):
        message = f"'where' is not one boolean expression: {reason}"
        yield rule.span("where").problem("bad-where", message, "write a condition on one event's columns")
