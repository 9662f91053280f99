"""What time alone makes of open incidents, looked after between evaluations: snoozes, hours, nobody who answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alerts.following import Followed, critical_since, follow
from alerts.marks import CHARTED
from alerts.model import Change, Incident, State, Transition
from alerts.operations import Operations
from alerts.plan import Around, Routes, hold_of, plan
from alerts.silences import LONGEST_SILENCE
from monitor import store
from monitor.news import record_news
from monitor.settings import Settings
from monitor.telling import messages
from rules.model import Rule, Severity

MADE_LOUD = (Change.OPENED, Change.ESCALATED)
"""Steps that give an incident its severity."""


def follow_up(state: store.Store, rules: Sequence[Rule], settings: Settings, now: datetime) -> int:
    """Take the steps that are due of all rules' open incidents, a transaction for each rule; how many there were.

    `rules` have receivers under the names of `settings`. A rule that was evaluated meanwhile is looked at again at the next call.
    """
    with state.read() as tx:
        waiting = set(store.rules_with_open(tx))
        due = [rule for rule in rules if rule.name in waiting and _steps(tx, rule, settings, now)]
    return sum(_follow_up(state, rule, settings, now) for rule in due)


def _follow_up(state: store.Store, rule: Rule, settings: Settings, now: datetime) -> int:
    with state.write() as tx:
        steps = _steps(tx, rule, settings, now)
        decisions = plan(steps, _routes(tx, rule, settings, now), now, store.told(tx, rule.name))
        record_news(tx, steps, decisions, messages(rule, steps, decisions, store.marks(tx, now - CHARTED)), now)
        return len(steps)


def _steps(tx: store.Tx, rule: Rule, settings: Settings, now: datetime) -> list[Transition]:
    """What is due; of what is for one receiver alone only what may be sent now, for else it would be due for ever."""
    operations = settings.operations
    found = [_followed(tx, incident, operations) for incident in store.open_incidents(tx, rule.name)]
    steps = follow(found, operations, now)
    if not any(step.to for step in steps):
        return list(steps)
    routes, told = _routes(tx, rule, settings, now), store.told(tx, rule.name)
    return [s for s in steps if not s.to or hold_of(s, routes, now, told.get(s.incident.id, ())) is None]


def _followed(tx: store.Tx, incident: Incident, operations: Operations) -> Followed:
    """What is to be known of an incident: of most installations, and of a warning, next to nothing."""
    if not operations.receivers or incident.state is not State.FIRING:
        return Followed(incident, None, ())
    critical = incident.severity is Severity.CRITICAL
    since = critical_since(store.transitions(tx, incident.id, MADE_LOUD)) if critical else None
    return Followed(incident, since, tuple(store.decisions(tx, incident.id, of_receivers=True)))


def _routes(tx: store.Tx, rule: Rule, settings: Settings, now: datetime) -> Routes:
    around = Around(
        inhibitors=store.inhibitors(tx, rule.inhibited_by),
        dismissed=tuple(i for i in store.incidents(tx, rule=rule.name) if i.feedback is not None),
        silences=tuple(store.silences(tx, now - LONGEST_SILENCE)),
    )
    return Routes.of(rule, settings.operations, around)
