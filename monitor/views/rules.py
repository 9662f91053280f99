"""Rules as they stand: when they ran and will, what they watch, how loud they are, and what holds for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from alerts.plan import Routes
from dashboards.read import RuleView
from dashboards.views.common import IncidentLine
from dashboards.views.rules import Effective, Neglected, RuleLine, RulePage, RulesPage, RunLine
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime
from monitor.parking import parked_now
from monitor.routing import routed
from monitor.settings import SourceSettings
from monitor.ticks import next_tick
from monitor.views.blindspots import called
from monitor.views.glance import Glances
from monitor.views.status import rule_view, rule_views
from monitor.watched import Watched
from rules.model import Mode, Rule
from rules.problem import Place
from rules.resolved import as_yaml, resolved

BACK = timedelta(days=28)
LONGEST_FOLLOWED = timedelta(days=15)
"""What was told within that time began no longer before it."""
LISTED = 25
"""Evaluations and incidents that a rule's page lists."""


@dataclass(frozen=True)
class RulesOfStore:
    """`dashboards.views.rules.Rules` of an app."""

    app: App
    glances: Glances

    def rules(self, now: datetime) -> RulesPage:
        """All of them, by name."""
        with self.app.state.read() as tx:
            every = self.app.rules.rules
            views = rule_views(tx, every, now, review=False)
            fired, efforts = _fired(tx, every, now), store.efforts_of(tx, list(views), LISTED)
            ticks = store.newest_goods(tx, list(views))
            parked = parked_now(tx, every)
        takes = {name: middle(effort.seconds for effort in found) for name, found in efforts.items()}
        found = (self._line(r, views[r.name], fired[r.name], takes.get(r.name), now, ticks.get(r.name)) for r in every)
        lines = (replace(line, parked=line.name in parked) for line in found)
        return RulesPage(
            rules=tuple(sorted(lines, key=lambda line: line.name)),
            neglected=tuple(neglected(self.app)),
            problems=tuple((str(problem.place), problem.message) for problem in self.app.rules.problems),
        )

    def rule(self, name: str, now: datetime) -> RulePage:
        """One of them."""
        rule = called(self.app, name)
        with self.app.state.read() as tx:
            view, fired = rule_view(tx, rule, now, review=False), _fired(tx, [rule], now)[name]
            runs = store.runs(tx, name, limit=LISTED)
            efforts = store.efforts(tx, name, LISTED)
            incidents = store.incidents(tx, rule=name, limit=LISTED)
            tick = store.newest_goods(tx, [name]).get(name)
        took = {effort.tick: effort.seconds for effort in efforts}
        return RulePage(
            rule=self._line(rule, view, fired, middle(took.values()), now, tick),
            receivers=_receivers(self.app, rule),
            settings=tuple(Effective(s.key, as_yaml(s.value), _origin(s.place)) for s in resolved(rule)),
            runs=tuple(RunLine(to_datetime(run.tick), run.outcome, run.detail, took.get(run.tick)) for run in runs),
            incidents=tuple(IncidentLine.of(item) for item in incidents),
            notices=view.notices,
        )

    def _line(
        self, rule: Rule, view: RuleView, fired: int, takes: float | None, now: datetime, tick: int | None
    ) -> RuleLine:
        seen = self.glances.at(rule, tick)
        return RuleLine(
            name=rule.name,
            owner=rule.owner,
            source=rule.source.name,
            place=str(rule.place),
            severity=rule.severity,
            live=rule.mode is Mode.LIVE,
            health=view.health,
            stage=view.stage,
            last_run=view.last_run,
            next_run=next_tick(Watched.of(rule), now),
            overdue=view.overdue,
            slices=view.leaves,
            judged=None if seen is None else seen.judged,
            skipped=None if seen is None else seen.skipped,
            nominal=rule.false_incidents_per_week,
            fired=fired / (BACK / timedelta(days=7)),
            run_seconds=takes,
        )


def _fired(tx: store.Tx, rules: Sequence[Rule], now: datetime) -> dict[str, int]:
    """Incidents of the last weeks that somebody was, or would have been, told of."""
    fired = {rule.name: 0 for rule in rules}
    only = rules[0].name if len(rules) == 1 else None
    for item in store.incidents(tx, rule=only, began_after=now - BACK - LONGEST_FOLLOWED):
        if item.rule in fired and item.raised_at is not None and item.raised_at > now - BACK:
            fired[item.rule] += 1
    return fired


def middle(values: Iterable[float]) -> float | None:
    """The median; None of nothing."""
    found = list(values)
    return median(found) if found else None


def _receivers(app: App, rule: Rule) -> tuple[str, ...]:
    routes = Routes.of(routed(rule, app.settings, aloud=False), app.settings.operations)
    return tuple(routes.receivers(rule.severity))


def _origin(place: Place | None) -> str:
    return "built in" if place is None else f"{place.file}:{place.line}"


def neglected(app: App) -> list[Neglected]:
    """Tables and sources of the settings that no rule reads; what else a warehouse holds, only it could say."""
    read = {(rule.source.source, ".".join(rule.source.table)) for rule in app.rules.rules}
    found = []
    for source in app.settings.sources:
        if not any(name == source.name for name, _ in read):
            found.append(Neglected(source.name, "no rule reads this source"))
        else:
            found += [
                Neglected(f"{source.name}.{table}", "no rule watches this table")
                for table in _tables(source)
                if (source.name, table) not in read
            ]
    return found


def _tables(source: SourceSettings) -> tuple[str, ...]:
    return tuple(name for name, _ in source.tables)
