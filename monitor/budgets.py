"""The alert budget of a receiver, shared by its rules that name none of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alerts.plan import Routes
from monitor.operating import Budget
from monitor.routing import routed
from monitor.settings import Settings
from rules.model import Mode, Rule
from rules.written import Layer

KEY = "sensitivity"


def with_shares(rules: Sequence[Rule], settings: Settings) -> tuple[Rule, ...]:
    """The rules, those without a `sensitivity` with their share of what their receivers bear; the smallest of several.

    In even parts: live rules count, by who is told of their own severity.
    """
    if not settings.budgets:
        return tuple(rules)
    open_ones = [r for r in rules if r.mode is Mode.LIVE and KEY not in r.written.data]
    told = {rule.name: _told(rule, settings) for rule in open_ones}
    sharing = {b.receiver: sum(b.receiver in names for names in told.values()) for b in settings.budgets}
    return tuple(_with_share(rule, told.get(rule.name, ()), settings.budgets, sharing) for rule in rules)


def _told(rule: Rule, settings: Settings) -> tuple[str, ...]:
    return Routes.of(routed(rule, settings, aloud=False), settings.operations).receivers(rule.severity)


def _with_share(rule: Rule, told: Sequence[str], budgets: Sequence[Budget], sharing: dict[str, int]) -> Rule:
    mine = [(b.false_incidents_per_week / sharing[b.receiver], b) for b in budgets if b.receiver in told]
    if not mine:
        return rule
    share, budget = min(mine, key=lambda item: item[0])
    said = Layer({KEY: round(share, 4)}, lambda path, at_key: budget.span)  # noqa: ARG005  # as `Locate`
    written = replace(rule.written, layers=(*rule.written.layers, said))
    return replace(rule, false_incidents_per_week=share, written=written)
