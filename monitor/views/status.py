"""How the rules of an app stand, from the store alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.model import Incident
from dashboards.precision import LOOKBACK, fired_of
from dashboards.read import ArrivalStage, CanaryState, Overview, RuleView, Stage, health_of
from monitor import store
from monitor.app import App
from monitor.buckets import DAY, to_datetime, to_epoch
from monitor.statistics.constants import ARRIVAL_DAYS, STAGE_DAYS
from monitor.ticks import latest_tick
from monitor.views.daemons import daemons_of
from monitor.watched import Watched
from rules.model import Rule

LEARNED_AFTER = timedelta(days=ARRIVAL_DAYS)
GRACE = timedelta(minutes=15)
"""How long a due evaluation may take before its rule counts as not watched."""

RECENT = timedelta(days=7)
"""How long what happened once is still shown."""


def overview_of(app: App, now: datetime) -> Overview:
    """The read model of all rules of an app."""
    with app.state.read() as tx:
        rules = tuple(rule_views(tx, app.rules.rules, now).values())
        counts = store.outbox_counts(tx)
        silences = tuple(store.silences(tx, now))
        daemons = daemons_of(tx, now, shared=app.state.shared)
        unchecked = tuple(dict.fromkeys(sorted(item.rule for item in store.unchecked(tx))))
        canary = canary_state(tx)
    wrong = sum(problem.severity == "error" for problem in app.rules.problems)
    return Overview(
        rules, counts.queued, counts.done, counts.dead, wrong, silences, daemons, unchecked=unchecked, canary=canary
    )


def canary_state(tx: store.Tx) -> CanaryState | None:
    """How the newest canary ended; None where none has."""
    over, arrived = store.canaries(tx, over=True), store.canaries(tx, arrived=True)
    if not over:
        return None
    last = arrived[0] if arrived else None
    return CanaryState(
        due=over[0].due,
        arrived=over[0].arrived is not None,
        problem=over[0].problem,
        last=None if last is None else last.arrived,
        seconds=None if last is None or last.arrived is None else (last.arrived - last.begun).total_seconds(),
    )


def rule_view(tx: store.Tx, rule: Rule, now: datetime, *, review: bool = True) -> RuleView:
    """How one rule stands; without `review`, what people made of its incidents is not looked up."""
    return rule_views(tx, [rule], now, review=review)[rule.name]


def rule_views(tx: store.Tx, rules: Sequence[Rule], now: datetime, *, review: bool = True) -> dict[str, RuleView]:
    """How some rules stand, by their names and in their order; the store is asked for all of them at once."""
    names = [rule.name for rule in rules]
    known = store.rule_statuses(tx, names, to_epoch(now) - 3 * ARRIVAL_DAYS * DAY)
    notices = store.notices_of(tx, names, to_epoch(now - RECENT))
    told = _told(tx, rules, now) if review else {}
    return {
        rule.name: _view(tx, rule, known[rule.name], notices.get(rule.name, []), told.get(rule.name, []), now)
        for rule in rules
    }


def _told(tx: store.Tx, rules: Sequence[Rule], now: datetime) -> dict[str, list[Incident]]:
    found: dict[str, list[Incident]] = {}
    for item in store.incidents(tx, rule=rules[0].name if len(rules) == 1 else None, began_after=now - LOOKBACK):
        found.setdefault(item.rule, []).append(item)
    return found


def _view(
    tx: store.Tx, rule: Rule, known: store.RuleStatus, notices: list[store.Run], told: list[Incident], now: datetime
) -> RuleView:
    run, history = known.newest_run, known.history
    first = to_datetime(history.first) if history.first is not None else None
    days = (history.last - history.first) / DAY if history.first is not None and history.last is not None else 0.0
    stage = list(Stage)[sum(days >= edge for edge in STAGE_DAYS)]
    blind = run is not None and run.outcome != store.OK
    overdue = run is not None and is_overdue(rule, run.tick, now)
    read = None if history.read_again is None else to_datetime(history.read_again)
    return RuleView(
        name=rule.name,
        owner=rule.owner,
        source=rule.source.name,
        health=health_of(known.open_incidents, ran=run is not None, blind=blind, overdue=overdue),
        last_run=to_datetime(run.tick) if run is not None else None,
        last_error=run.detail if run is not None and blind else "",
        overdue=overdue,
        history_from=first,
        history_to=to_datetime(history.last) if history.last is not None else None,
        leaves=history.leaves,
        stage=stage,
        full_from=first + timedelta(days=STAGE_DAYS[-1]) if first is not None else None,
        arrivals=_arrival_stage(read, now),
        arrivals_from=read + LEARNED_AFTER if read is not None else None,
        open=known.open_incidents,
        held=_held(tx, rule) if known.open_incidents else {},
        fired=fired_of(told),
        notices=tuple((to_datetime(n.tick), n.detail) for n in notices),
    )


def _held(tx: store.Tx, rule: Rule) -> dict[str, str]:
    """Why news of open incidents were held back, or wait, since they were last told."""
    known = store.told_at(tx, rule.name)
    return {name: told.held or told.waits for name, told in known.items() if told.held or told.waits}


def _arrival_stage(read: datetime | None, now: datetime) -> ArrivalStage:
    if read is None:
        return ArrivalStage.UNKNOWN
    return ArrivalStage.LEARNED if now - read >= LEARNED_AFTER else ArrivalStage.LEARNING


def is_overdue(rule: Rule, newest: int, now: datetime) -> bool:
    """Whether an evaluation is missing that was due a while ago; a daemon may just be at the newest one."""
    return to_epoch(latest_tick(Watched.of(rule), now - GRACE)) > newest
