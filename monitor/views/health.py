"""How the program itself does, from what its daemons wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

from dashboards.views.health import HealthPage, Healths, Parked, Trouble, WorkLine
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.parking import parked_now
from monitor.views.daemons import daemons_of
from monitor.views.rules import middle
from monitor.views.status import rule_view
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
            work = tuple(_work(tx, rule, now) for rule in self.app.rules.rules)
            failed = store.failed_counts(tx, to_epoch(now - BACK))
            troubles = [trouble for rule in self.app.rules.rules for trouble in _troubles(tx, rule, now)]
            parked = _parked(tx, self.app.rules.rules)
            counts = store.outbox_counts(tx)
            waiting = [item.oldest for item in store.traffic(tx, now) if item.oldest is not None]
        return HealthPage(
            now=now,
            version=version("slicewatch"),
            daemons=daemons,
            work=tuple(sorted(work, key=lambda line: line.rule)),
            failed=tuple((outcome, failed.get(outcome, 0)) for outcome in (store.BLIND, store.LATE)),
            troubles=tuple(sorted(troubles, key=lambda item: item.tick, reverse=True)[:MOST_TROUBLES]),
            store=self.app.state.name,
            store_bytes=self.app.state.size(),
            queued=counts.queued,
            dead=counts.dead,
            oldest_queued=min(waiting, default=None),
            parked=parked,
        )


def _parked(tx: store.Tx, rules: Sequence[Rule]) -> tuple[Parked, ...]:
    found = sorted(parked_now(tx, rules).items())
    return tuple(Parked(name, item.failures, item.since, item.until, item.error) for name, item in found)


def _work(tx: store.Tx, rule: Rule, now: datetime) -> WorkLine:
    view = rule_view(tx, rule, now, review=False)
    efforts = store.efforts(tx, rule.name, LOOKED_AT)
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


def _troubles(tx: store.Tx, rule: Rule, now: datetime) -> list[Trouble]:
    return [
        Trouble(rule.name, to_datetime(run.tick), run.outcome, run.detail)
        for run in store.failed_runs(tx, rule.name, to_epoch(now - BACK), MOST_TROUBLES)
    ]
