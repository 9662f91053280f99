"""What a rule `was` is no rule's name now, and the past of one rule only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from rules.model import Rule
from rules.problem import Problem


def former_names(rules: Sequence[Rule], names: Collection[str]) -> Iterator[tuple[Rule, Problem]]:
    """Each rule whose `was` is to be left out, and why. `names` are those of all rules as they are written."""
    heirs: dict[str, Rule] = {}
    for rule in rules:
        if rule.was is None:
            continue
        span, heir = rule.span("was"), heirs.setdefault(rule.was, rule)
        if rule.was == rule.name:
            yield rule, span.problem("contradiction", "a rule was called otherwise before", "remove the key")
        elif rule.was in names:
            message = f"'{rule.was}' is a rule still: a history belongs to one of them"
            yield rule, span.problem("name-taken", message, f"remove the rule '{rule.was}', or this key")
        elif heir is not rule:
            message = f"'{rule.was}' is what {heir.name} was, at {heir.span('was').place}"
            yield rule, span.problem("name-taken", message, "a history belongs to one rule: remove one of the two")
