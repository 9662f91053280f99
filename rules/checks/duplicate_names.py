"""A rule's name is its identity over all files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.model import Rule
from rules.problem import Problem


def duplicate_names(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Problem]]:
    """Each rule whose name an earlier one has, with the problem; the first one stands."""
    first: dict[str, Rule] = {}
    for rule in rules:
        kept = first.setdefault(rule.name, rule)
        if kept is not rule:
            message = f"the name '{rule.name}' is taken by {kept.span('name').place}"
            yield rule, rule.span("name").problem("duplicate-name", message, "choose another name")
