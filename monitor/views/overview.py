"""The overview: every rule with its total beside what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboards.read import RuleView
from dashboards.views.common import Curve, IncidentLine
from dashboards.views.overview import OverviewPage, RuleRow, Unwatched, order
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime
from monitor.views.coverage import Coverages
from monitor.views.glance import Glances
from monitor.views.status import rule_views
from monitor.watched import Watched
from rules.model import Mode, Rule

A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class OverviewsOfStore:
    """`dashboards.views.overview.Overviews` of an app."""

    app: App
    glances: Glances
    coverages: Coverages

    def overview(self, now: datetime, owner: str | None) -> OverviewPage:
        """All rules, or those of an owner."""
        rules = self.app.rules.rules
        chosen = [rule for rule in rules if owner is None or rule.owner == owner]
        with self.app.state.read() as tx:
            views = rule_views(tx, chosen, now, review=False)
            ticks, fits = store.newest_goods(tx, list(views)), store.newest_fit_times(tx, list(views))
            counts = store.outbox_counts(tx)
            silences = len(store.silences(tx, now))
        return OverviewPage(
            now=now,
            rules=order(
                [self._row(rule, views[rule.name], ticks.get(rule.name), fits.get(rule.name), now) for rule in chosen]
            ),
            owners=tuple(sorted({rule.owner for rule in rules if rule.owner})),
            problems=tuple(
                Unwatched(str(problem.place), problem.message)
                for problem in self.app.rules.problems
                if problem.severity == "error"
            ),
            queued=counts.queued,
            dead=counts.dead,
            silences=silences,
        )

    def _row(self, rule: Rule, view: RuleView, tick: int | None, learned: int | None, now: datetime) -> RuleRow:
        seen = self.glances.at(rule, tick)
        curve = None if seen is None else seen.curve
        newest = None if view.history_to is None else _end(rule, view.history_to)
        day = (None, None) if curve is None or newest is None else _newest_day(rule, curve, now - newest)
        return RuleRow(
            name=rule.name,
            owner=rule.owner,
            source=rule.source.name,
            severity=rule.severity,
            live=rule.mode is Mode.LIVE,
            health=view.health,
            stage=view.stage,
            arrivals=view.arrivals,
            last_run=view.last_run,
            last_error=view.last_error,
            overdue=view.overdue,
            newest=newest,
            bucket_seconds=int(rule.time_bucket.total_seconds()),
            slices=view.leaves,
            protected=self.coverages.protected(rule, learned),
            curve=curve,
            day_observed=day[0],
            day_expected=day[1],
            open=tuple(IncidentLine.of(item, view.held.get(item.id, "")) for item in view.open),
            notices=view.notices,
        )


def _newest_day(rule: Rule, curve: Curve, behind: timedelta) -> tuple[float, float] | tuple[None, None]:
    """(observed, expected) of the newest day; unknown where nothing of it was counted."""
    if behind > A_DAY + rule.time_bucket + rule.detection_delay:
        return None, None
    return curve.sums(max(1, int(A_DAY / rule.time_bucket)))


def _end(rule: Rule, start: datetime) -> datetime:
    return to_datetime(Watched.of(rule).grid.end(int(start.timestamp())))
