"""Rules that hold one another back: each is known, and none holds back itself by a detour."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rules.model import Rule
from rules.problem import Problem
from rules.vocabulary import did_you_mean


def inhibitions(rules: Sequence[Rule], names: Collection[str]) -> Iterator[tuple[Rule, str, Problem]]:
    """Each rule, the name under its `inhibited_by` that is to be left out, and why.

    `names` are those of all rules as they are written, the ones that cannot run included.
    """
    graph = {rule.name: rule.inhibited_by for rule in rules}
    for rule in rules:
        for index, name in enumerate(rule.inhibited_by):
            span = rule.span(f"inhibited_by.{index}")
            if name not in names:
                yield rule, name, span.problem("unknown-rule", f"no rule is called '{name}'", did_you_mean(name, names))
            elif (way := _way_back(graph, name, rule.name)) is not None:
                chain = f"{rule.name} is held back by {', that by '.join(way)}"
                hint = "leave one of them out; until then none of them holds back another"
                yield rule, name, span.problem("inhibition-cycle", f"a rule would hold back itself: {chain}", hint)


def _way_back(graph: Mapping[str, tuple[str, ...]], start: str, goal: str) -> tuple[str, ...] | None:
    """Names from `start` to `goal` along what inhibits them, both included; None where there is no way."""
    came: dict[str, str | None] = {start: None}
    queue = [start]
    for name in queue:
        if name == goal:
            return _steps(came, goal)
        for following in graph.get(name, ()):
            if following not in came:
                came[following] = name
                queue.append(following)
    return None


def _steps(came: Mapping[str, str | None], goal: str) -> tuple[str, ...]:
    steps: list[str] = []
    at: str | None = goal
    while at is not None:
        steps.append(at)
        at = came[at]
    return tuple(reversed(steps))
