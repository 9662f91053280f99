"""Read model of `slicewatch status`: how each rule stands, from the store alone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import distinct, func, select

from alerts.model import Incident
from monitor.store import schema
from monitor.store.incident_tables import open_incidents
from monitor.store.rule_table import rule_key
from monitor.store.run_table import Run, runs
from monitor.store.tx import Tx


@dataclass(frozen=True)
class History:
    """Known buckets of a rule, by their starts in epoch seconds, and the leaves ever seen."""

    first: int | None
    """The first one with an event: before it nobody knows whether there was anything to count."""
    last: int | None
    buckets: int
    leaves: int


@dataclass(frozen=True)
class RuleStatus:
    """How one rule stands."""

    rule: str
    newest_run: Run | None
    history: History
    open_incidents: list[Incident]


def rule_status(tx: Tx, rule: str) -> RuleStatus:
    """How a rule stands; a rule never evaluated has no run and no history."""
    newest = runs(tx, rule, limit=1)
    return RuleStatus(rule, newest[0] if newest else None, _history(tx, rule), open_incidents(tx, rule))


def _history(tx: Tx, rule: str) -> History:
    key = rule_key(tx, rule)
    page, leaf = schema.page.c, schema.leaf.c
    known = select(func.max(page.bucket), func.count(distinct(page.bucket)))
    last, buckets = tx.connection.execute(known.where(page.rule == key, page.chunk == 0)).one()
    with_events = select(func.min(page.bucket)).where(page.rule == key, page.leaves > 0)
    first = tx.connection.execute(with_events).scalar()
    leaves = tx.connection.execute(select(func.count()).select_from(schema.leaf).where(leaf.rule == key)).scalar_one()
    return History(first, last, buckets, leaves)
