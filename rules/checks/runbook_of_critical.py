"""Whoever is woken finds what to do, where a team writes such pages at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.model import Mode, Rule, Severity
from rules.problem import Problem


def runbook_of_critical(rules: Iterable[Rule]) -> Iterator[Problem]:
    """Critical rules without a runbook, in files where others have one: who keeps no runbooks is not nagged."""
    live = [rule for rule in rules if rule.mode is Mode.LIVE]
    kept = {rule.place.file for rule in live if rule.runbook_url}
    for rule in live:
        if rule.severity is Severity.CRITICAL and not rule.runbook_url and rule.place.file in kept:
            message = f"{rule.name} is critical and has no runbook, which other rules of this file have"
            yield rule.span("severity").problem("no-runbook", message, "add 'runbook_url'", "warning")
