"""How the program itself does, from what its daemons wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

from dashboards.read import RuleView
from dashboards.views.health import HealthPage, Healths, Parked, Trouble, WorkLine
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.parking import parked_now
from monitor.views.daemons import daemons_of
from monitor.views.rules import middle
from monitor.views.status import canary_state, rule_views
from monitor.watched import Watched
from rules.model import Rule, Severity

BACK = timedelta(days=7)
LOOKED_AT = 20
"""Evaluations of a rule that its times are taken from."""
MOST_TROUBLES = 100


@dataclass(frozen=True)
class HealthOfStore(Healths):
    """`dashboards.views.health.Healths` of an app."""

    app: App

    def health(self, now: datetime) -> HealthPage:
        """How things stand."""
        with self.app.state.read() as tx:
            daemons = daemons_of(tx, now, shared=self.app.state.shared)
            work = work_lines(tx, self.app.rules.rules, now)
            failed = store.failed_counts(tx, to_epoch(now - BACK))
            names = [rule.name for rule in self.app.rules.rules]
            troubles = store.failed_runs(tx, names, to_epoch(now - BACK), MOST_TROUBLES)
            parked = _parked(tx, self.app.rules.rules)
            counts = store.outbox_counts(tx)
            unchecked, canary = {item.rule for item in store.unchecked(tx)}, canary_state(tx)
            waiting = [item.oldest for item in store.traffic(tx, now) if item.oldest is not None]
        return HealthPage(
            now=now,
            version=version("slicewatch"),
            daemons=daemons,
            work=work,
            failed=tuple((outcome, failed.get(outcome, 0)) for outcome in (store.BLIND, store.LATE)),
            troubles=tuple(Trouble(name, to_datetime(run.tick), run.outcome, run.detail) for name, run in troubles),
            store=self.app.state.name,
            store_bytes=self.app.state.size(),
            queued=counts.queued,
            dead=counts.dead,
            oldest_queued=min(waiting, default=None),
            parked=parked,
            unchecked=tuple(sorted(unchecked)),
            canary=canary,
        )


def _parked(tx: store.Tx, rules: Sequence[Rule]) -> tuple[Parked, ...]:
    found = sorted(parked_now(tx, rules).items())
    return tuple(Parked(name, item.failures, item.since, item.until, item.error) for name, item in found)


def work_lines(tx: store.Tx, rules: Sequence[Rule], now: datetime) -> tuple[WorkLine, ...]:
    views = rule_views(tx, rules, now, review=False)
    efforts = store.efforts_of(tx, list(views), LOOKED_AT)
    lines = [_line(rule, views[rule.name], efforts.get(rule.name, []), now) for rule in rules]
    return tuple(sorted(lines, key=lambda line: line.rule))


def _line(rule: Rule, view: RuleView, efforts: Sequence[store.Effort], now: datetime) -> WorkLine:
    end = None if view.history_to is None else Watched.of(rule).grid.end(to_epoch(view.history_to))
    return WorkLine(
        rule=rule.name,
        source=rule.source.name,
        health=view.health,
        last_run=view.last_run,
        behind=None if end is None else now - to_datetime(end),
        due=rule.time_bucket + rule.detection_delay,
        median_seconds=middle(item.seconds for item in efforts),
        longest_seconds=max((item.seconds for item in efforts), default=None),
        query_seconds=middle(item.query_seconds for item in efforts),
        rows=efforts[0].rows if efforts else None,
        open=tuple((severity, sum(item.severity is severity for item in view.open)) for severity in Severity),
    )
