"""What wakes people at night belongs to somebody."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Mode, Rule, Severity
from rules.problem import Problem


def owner_of_critical(rule: Rule) -> Iterator[Problem]:
    """A live rule of severity critical that names no owner."""
    if rule.severity is Severity.CRITICAL and rule.mode is Mode.LIVE and rule.owner is None:
        message, hint = f"{rule.name} is critical and nobody owns it", "add 'owner', here or in defaults"
        yield rule.span("severity").problem("no-owner", message, hint, "warning")
