"""Read model of `slicewatch status`, the pages and `/metrics`: how rules stand, from the store alone.

All rules are asked for at once: a page of a thousand rules costs some queries and not thousands.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, and_, exists, func, select

from alerts.model import Incident, State
from monitor.store import schema
from monitor.store.bodies import from_body
from monitor.store.run_table import Run
from monitor.store.tx import Tx

_OPEN = [state.value for state in State if state is not State.RESOLVED]


@dataclass(frozen=True)
class History:
    """Known buckets of a rule, by their starts in epoch seconds, and the leaves ever seen."""

    first: int | None = None
    """The first one with an event: before it nobody knows whether there was anything to count."""
    last: int | None = None
    leaves: int = 0
    read_again: int | None = None
    """The first one, from the moment asked about on, that was read at the first lag class and at a riper one."""


@dataclass(frozen=True)
class RuleStatus:
    """How one rule stands."""

    rule: str
    newest_run: Run | None
    history: History
    open_incidents: tuple[Incident, ...]


def rule_status(tx: Tx, rule: str, ripened_from: int = 0) -> RuleStatus:
    """How a rule stands; a rule never evaluated has no run and no history."""
    return rule_statuses(tx, [rule], ripened_from)[rule]


def rule_statuses(tx: Tx, rules: Collection[str], ripened_from: int = 0) -> dict[str, RuleStatus]:
    """How some rules stand, by their names; `ripened_from` (epoch seconds) is where `read_again` begins to look."""
    runs, histories, opened = newest_runs(tx, rules), _histories(tx, rules, ripened_from), open_by_rule(tx, rules)
    return {
        name: RuleStatus(name, runs.get(name), histories.get(name, History()), opened.get(name, ())) for name in rules
    }


def newest_runs(tx: Tx, rules: Collection[str]) -> dict[str, Run]:
    """The latest evaluation of each rule that has one."""
    rule, run, other = schema.rule.c, schema.run.c, schema.run.alias("other").c
    newest = select(func.max(other.tick)).where(other.rule == rule.id).correlate(schema.rule).scalar_subquery()
    query = (
        select(rule.name, run.tick, run.outcome, run.detail)
        .select_from(schema.rule)
        .join(schema.run, and_(run.rule == rule.id, run.tick == newest))
        .where(rule.name.in_(rules))
    )
    return {name: Run(*row) for name, *row in tx.connection.execute(query)}


def open_by_rule(tx: Tx, rules: Collection[str]) -> dict[str, tuple[Incident, ...]]:
    """The incidents of some rules that are not resolved, oldest first; rules without any are left out."""
    table = schema.incident.c
    query = select(table.rule, table.body).where(table.rule.in_(rules), table.state.in_(_OPEN))
    found: dict[str, tuple[Incident, ...]] = {}
    for name, body in tx.connection.execute(query.order_by(table.since, table.id)):
        found[name] = (*found.get(name, ()), from_body(Incident, body))
    return found


def _histories(tx: Tx, rules: Collection[str], ripened_from: int) -> dict[str, History]:
    rule = schema.rule.c
    query = select(rule.name, _first_event(), _last(), _leaves(), _read_again(ripened_from)).select_from(schema.rule)
    rows = tx.connection.execute(query.where(rule.name.in_(rules)))
    return {name: History(*row) for name, *row in rows}


# Each looks one or some rows up in an index, from one end: what a rule has more of costs no more.


def _first_event() -> ScalarSelect[Any]:
    page = schema.page.c
    query = select(page.bucket).where(page.rule == schema.rule.c.id, page.leaves > 0)
    return query.order_by(page.bucket).limit(1).correlate(schema.rule).scalar_subquery()


def _last() -> ScalarSelect[Any]:
    page = schema.page.c
    return select(func.max(page.bucket)).where(page.rule == schema.rule.c.id).correlate(schema.rule).scalar_subquery()


def _leaves() -> ScalarSelect[Any]:
    """Ids are dense from 0."""
    leaf = schema.leaf.c
    query = select(func.coalesce(func.max(leaf.id) + 1, 0)).where(leaf.rule == schema.rule.c.id)
    return query.correlate(schema.rule).scalar_subquery()


def _read_again(start: int) -> ScalarSelect[Any]:
    page, riper = schema.page.c, schema.page.alias("riper")
    twice = exists().where(
        riper.c.rule == page.rule, riper.c.bucket == page.bucket, riper.c.chunk == 0, riper.c.lag > page.lag
    )
    query = select(page.bucket).where(
        page.rule == schema.rule.c.id, page.bucket >= start, page.lag == 0, page.chunk == 0, twice
    )
    return query.order_by(page.bucket).limit(1).correlate(schema.rule).scalar_subquery()
