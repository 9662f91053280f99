"""A rule reads a table of its source, or a query."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem


def source_names_table(rule: Rule) -> Iterator[Problem]:
    """`source: lake` needs a table or a query; beside a query the table would be read by nobody."""
    name = rule.source.source
    if rule.source.query is None and not rule.source.table:
        yield rule.span("source").problem(
            "bad-source", f"'{name}' names no table of a source", f"write {name}.TABLE, or add 'query'"
        )
    if rule.source.query is not None and rule.source.table:
        yield rule.span("source").problem(
            "bad-source", "'query' stands for the table, so 'source' names none", f"write {name}"
        )
