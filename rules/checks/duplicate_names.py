"""A rule's name is its identity over all files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.model import Rule
from rules.problem import Problem


def duplicate_names(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Problem]]:
    """Each rule whose name an earlier one has, with the problem; the first one stands."""
    first: dict[str, Rule] = {}
    names: set[str] = set()
    for rule in rules:
        kept = first.setdefault(rule.family, rule)
        taken = rule.name in names or kept.place != rule.place  # the tables of one rule share its name and place
        names.add(rule.name)
        if taken:
            message = f"the name '{rule.family}' is taken by {kept.span('name').place}"
            yield rule, rule.span("name").problem("duplicate-name", message, "choose another name")
