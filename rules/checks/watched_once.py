"""One loss is one incident: no two rules watch the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.model import Mode, Rule
from rules.problem import Problem


def watched_once(rules: Iterable[Rule]) -> Iterator[Problem]:
    """Each live rule that counts, slices and judges what an earlier one does; who is told makes no difference."""
    first: dict[object, Rule] = {}
    for rule in rules:
        if rule.mode is Mode.LIVE:
            kept = first.setdefault(_watched(rule), rule)
            if kept is not rule:
                message = f"{rule.name} watches what {kept.name} watches ({kept.place}): each loss is told twice"
                yield rule.span("name").problem("watched-twice", message, "remove one of them", "warning")


def _watched(rule: Rule) -> object:
    counted = (rule.source, rule.where, rule.timestamp, frozenset(rule.dimensions), frozenset(rule.metrics))
    judged = (rule.time_bucket, rule.detector, rule.direction, rule.slices, rule.timezone, rule.events_file)
    return counted, judged, (rule.min_change, rule.min_loss, rule.false_incidents_per_week)
