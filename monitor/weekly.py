"""The weekly digest: made from the store alone, queued once for each receiver and period, however many daemons run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.message import parts_of
from alerts.model import Incident, Message
from dashboards.read import Health, RuleView
from dashboards.weekly import Coverage, RuleWeek, Week, coverage_of
from dashboards.weekly_message import LISTED, compose_week
from monitor import store
from monitor.app import App
from monitor.buckets import to_epoch
from monitor.operating import WeeklyPlan
from monitor.reserved import OWN
from monitor.views.coverage import reports
from monitor.views.status import overview_of
from rules.model import Rule

log = logging.getLogger("slicewatch")

EARLIER = timedelta(days=35)
"""A loss may have begun so long before it fired, and be of the week in which it did."""
UNCHECKED = {Health.UNKNOWN: "its source could not be asked", Health.NEVER_RUN: "it was never evaluated"}


@dataclass(frozen=True)
class Period:
    """What one digest is of: [start, end), UTC."""

    start: datetime
    end: datetime

    @property
    def key(self) -> str:
        """What its messages are called: the same in every daemon."""
        return f"week-{self.end:%Y%m%dT%H%MZ}"


def newest_period(plan: WeeklyPlan, now: datetime) -> Period:
    """From the last but one to the last time that the plan names."""
    zone = ZoneInfo(plan.timezone)
    end = plan.cron.latest(now, zone)
    return Period(plan.cron.latest(end - timedelta(minutes=1), zone), end)


def send_due(app: App, now: datetime) -> int:
    """Queue the digest of the newest period for whoever has not been sent it; how many were queued.

    After a longer absence the newest one only; none for a time before there was anything to tell of.
    """
    plan = app.settings.weekly
    if plan is None:
        return 0
    period = newest_period(plan, now)
    with app.state.read() as tx:
        known = {sent.receiver for sent in store.deliveries(tx, period.key)}
        first = [tick for rule in app.rules.rules if (tick := store.first_run(tx, rule.name)) is not None]
    waiting = [name for name in plan.receivers if name not in known]
    if not waiting or not first or min(first) >= to_epoch(period.end):
        return 0
    message = compose_week(week_of(app, period, plan.timezone), period.key)
    return queue(app, message, waiting, now)


def queue(app: App, message: Message, receivers: list[str], now: datetime) -> int:
    """Queue a digest; number of the receivers for whom it was not queued before."""
    with app.state.write() as tx:
        return sum(store.enqueue(tx, message, name, parts_of(message), now) for name in receivers)


def week_of(app: App, period: Period, timezone: str) -> Week:
    """The read model of a period, all rules of an app."""
    now = overview_of(app, period.end)
    with app.state.read() as tx:
        known = store.incidents(tx, began_after=period.start - (period.end - period.start) - EARLIER)
        silences = tuple(s for s in store.silences(tx, period.end) if s.starts <= period.end)
    fired = [i for i in known if i.raised_at is not None and i.rule not in OWN]
    before = Period(period.start - (period.end - period.start), period.start)
    views = {view.name: view for view in now.rules}
    return Week(
        start=period.start,
        end=period.end,
        timezone=timezone,
        rules=tuple(_rule(app, rule, views[rule.name]) for rule in app.rules.rules),
        incidents=tuple(i for i in fired if _within(i.raised_at, period)),
        resolved=tuple(i for i in fired if _within(i.resolved_at, period)),
        open=tuple(i for i in fired if _goes_on(i, period.end)),
        before=sum(_within(i.raised_at, before) for i in fired),
        silences=silences,
        problems=now.problems,
    )


def _within(at: datetime | None, period: Period) -> bool:
    return at is not None and period.start <= at < period.end


def _goes_on(incident: Incident, end: datetime) -> bool:
    fired = incident.raised_at is not None and incident.raised_at < end
    return fired and (incident.resolved_at is None or incident.resolved_at >= end)


def _rule(app: App, rule: Rule, view: RuleView) -> RuleWeek:
    why = "evaluations are overdue" if view.overdue else UNCHECKED.get(view.health, "")
    return RuleWeek(rule.name, rule.owner, why, _coverage(app, rule))


def _coverage(app: App, rule: Rule) -> Coverage | None:
    """What the rule's first metric covers, as it was learned last; a rule that cannot tell stops no digest."""
    try:
        found = reports(app.state, rule)
        return coverage_of(found[0], rule.time_bucket, LISTED) if found else None
    except Exception:
        log.exception("%s: what it covers could not be told", rule.name)
        return None
