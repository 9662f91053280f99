"""What time alone makes of open incidents, looked after between evaluations: snoozes, hours, nobody who answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from alerts.actions import HUSHED
from alerts.following import ANEW, Followed, follow, unanswered_since
from alerts.marks import CHARTED
from alerts.model import Change, Incident, State, Transition
from alerts.operations import Operations
from alerts.plan import Around, Routes, hold_of, plan
from alerts.silences import LONGEST_SILENCE, silenced_since
from monitor import store
from monitor.news import record_news
from monitor.settings import Settings
from monitor.telling import messages
from rules.model import Rule, Severity

log = logging.getLogger("slicewatch")

TOLD_ANEW = frozenset({Change.OPENED, Change.ESCALATED, *ANEW})
"""Steps that give an incident its severity, and those that begin the wait for an acknowledgement anew."""


def follow_up(state: store.Store, rules: Sequence[Rule], settings: Settings, now: datetime) -> int:
    """Take the steps that are due of all rules' open incidents, a transaction for each rule; how many there were.

    `rules` have receivers under the names of `settings`. A rule that was evaluated meanwhile is looked at again at the next call.
    """
    with state.read() as tx:
        waiting = set(store.rules_with_open(tx))
        due = [rule for rule in rules if rule.name in waiting and _steps(tx, rule, settings, now)]
    return sum(_follow_up(state, rule, settings, now) for rule in due)


def _follow_up(state: store.Store, rule: Rule, settings: Settings, now: datetime) -> int:
    try:
        with state.write() as tx:
            steps = _steps(tx, rule, settings, now)
            decisions = plan(steps, routes_at(tx, rule, settings, now), now, store.told(tx, rule.name))
            record_news(tx, steps, decisions, messages(rule, steps, decisions, store.marks(tx, now - CHARTED)), now)
            return len(steps)
    except store.ConflictError as error:
        log.info("%s: looked after again later: %s", rule.name, error)
        return 0


def _steps(tx: store.Tx, rule: Rule, settings: Settings, now: datetime) -> list[Transition]:
    """What is due; of what is for one receiver alone only what may be sent now, for else it would be due for ever."""
    operations = settings.operations
    found = [_followed(tx, rule, incident, operations, now) for incident in store.open_incidents(tx, rule.name)]
    steps = follow(found, operations, now)
    if not any(step.to for step in steps):
        return list(steps)
    routes, told = routes_at(tx, rule, settings, now), store.told(tx, rule.name)
    return [s for s in steps if not s.to or hold_of(s, routes, now, told.get(s.incident.id, ())) is None]


def _followed(tx: store.Tx, rule: Rule, incident: Incident, operations: Operations, now: datetime) -> Followed:
    """What is to be known of an incident: of most installations, and of a warning, next to nothing."""
    if not operations.receivers or incident.state not in {State.FIRING, *HUSHED}:
        return Followed(incident, None, ())
    loud = incident.severity is Severity.CRITICAL and incident.state is State.FIRING
    since = _unanswered_since(tx, rule, incident, now) if loud else None
    heard = store.first_delivered(tx, incident.id) if since is not None else {}
    return Followed(incident, since, tuple(store.decisions(tx, incident.id, of_receivers=True)), heard)


def _unanswered_since(tx: store.Tx, rule: Rule, incident: Incident, now: datetime) -> datetime | None:
    """Who silenced it had it in hand: the wait for an acknowledgement begins with the end of that."""
    since = unanswered_since(store.transitions(tx, incident.id, TOLD_ANEW))
    if since is None:
        return None
    silences = (item for item in store.silences(tx, now - LONGEST_SILENCE) if item.scope.concerns(rule))
    over = silenced_since(incident, silences, since, now)
    return since if over is None else over.ends


def routes_at(tx: store.Tx, rule: Rule, settings: Settings, now: datetime) -> Routes:
    """Where a rule's news go at a time, and what holds them back then."""
    around = Around(
        inhibitors=store.inhibitors(tx, rule.inhibited_by),
        dismissed=tuple(store.dismissed(tx, rule.name)),
        silences=tuple(store.silences(tx, now - LONGEST_SILENCE)),
    )
    return Routes.of(rule, settings.operations, around)
