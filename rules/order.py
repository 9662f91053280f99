"""In which order rules are evaluated that are due together."""

from __future__ import annotations

from collections.abc import Iterable

from rules.model import Rule


def inhibitors_first(rules: Iterable[Rule]) -> list[Rule]:
    """Each rule after those that may hold it back, so that they have said what they know; else as they stand."""
    by_name = {rule.name: rule for rule in rules}
    placed: dict[str, Rule] = {}
    begun: set[str] = set()

    def place(rule: Rule) -> None:
        if rule.name in begun:
            return
        begun.add(rule.name)
        for name in rule.inhibited_by:
            if name in by_name:
                place(by_name[name])
        placed[rule.name] = rule

    for rule in by_name.values():
        place(rule)
    return list(placed.values())
