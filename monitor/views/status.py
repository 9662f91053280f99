"""How the rules of an app stand, from the store alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from dashboards.precision import LOOKBACK, fired_of
from dashboards.read import ArrivalStage, Overview, RuleView, Stage, health_of
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
        rules = tuple(rule_view(tx, rule, now) for rule in app.rules.rules)
        counts = store.outbox_counts(tx)
        silences = tuple(store.silences(tx, now))
        daemons = daemons_of(tx, now, shared=app.state.shared)
    wrong = sum(problem.severity == "error" for problem in app.rules.problems)
    return Overview(rules, counts.queued, counts.done, counts.dead, wrong, silences, daemons)


def rule_view(tx: store.Tx, rule: Rule, now: datetime, *, review: bool = True) -> RuleView:
    """How one rule stands; without `review`, what people made of its incidents is not looked up."""
    known = store.rule_status(tx, rule.name)
    run, history = known.newest_run, known.history
    first = to_datetime(history.first) if history.first is not None else None
    days = (history.last - history.first) / DAY if history.first is not None and history.last is not None else 0.0
    stage = list(Stage)[sum(days >= edge for edge in STAGE_DAYS)]
    blind = run is not None and run.outcome != store.OK
    overdue = run is not None and _is_overdue(rule, run.tick, now)
    read = _read_again(tx, rule, now)
    opened_ones = tuple(known.open_incidents)
    return RuleView(
        name=rule.name,
        owner=rule.owner,
        source=rule.source.name,
        health=health_of(opened_ones, ran=run is not None, blind=blind, overdue=overdue),
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
        open=opened_ones,
        held=_held(tx, rule),
        fired=fired_of(store.incidents(tx, rule=rule.name, began_after=now - LOOKBACK) if review else ()),
        notices=tuple((to_datetime(n.tick), n.detail) for n in store.notices(tx, rule.name, to_epoch(now - RECENT))),
    )


def _held(tx: store.Tx, rule: Rule) -> dict[str, str]:
    """Why news of open incidents were held back, or wait, since they were last told."""
    known = store.told_at(tx, rule.name)
    return {name: told.held or told.waits for name, told in known.items() if told.held or told.waits}


def _read_again(tx: store.Tx, rule: Rule, now: datetime) -> datetime | None:
    """Start of the first bucket, of those still kept, that was read at more than one age."""
    first = store.read_again(tx, rule.name, to_epoch(now) - 3 * ARRIVAL_DAYS * DAY, to_epoch(now) + DAY)
    return None if first is None else to_datetime(first)


def _arrival_stage(read: datetime | None, now: datetime) -> ArrivalStage:
    if read is None:
        return ArrivalStage.UNKNOWN
    return ArrivalStage.LEARNED if now - read >= LEARNED_AFTER else ArrivalStage.LEARNING


def _is_overdue(rule: Rule, newest: int, now: datetime) -> bool:
    """Whether an evaluation is missing that was due a while ago; a daemon may just be at the newest one."""
    return to_epoch(latest_tick(Watched.of(rule), now - GRACE)) > newest
