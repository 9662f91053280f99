"""What evaluations took: for people who ask what a rule costs. Nothing else rests on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, delete, func, select

from monitor.store import schema
from monitor.store.rule_table import ensure_rule
from monitor.store.tx import Tx

KEPT = 200
"""Evaluations kept of each rule."""


@dataclass(frozen=True)
class Effort:
    """What one evaluation took. `tick` is in epoch seconds, `at` in microseconds of the clock when it ended."""

    tick: int
    at: int
    seconds: float
    """From beginning to end, the source's part included."""
    query_seconds: float
    """Waiting for the source."""
    rows: int
    """That the source answered with."""


def put_effort(tx: Tx, rule: str, item: Effort) -> None:
    """Keep what an evaluation took; only the newest 200 of a rule stay."""
    key, table = ensure_rule(tx, rule), schema.effort.c
    tx.put(schema.effort, [{"rule": key, **vars(item)}])
    newest = select(table.tick).where(table.rule == key).order_by(table.tick.desc()).offset(KEPT).limit(1)
    last = tx.connection.execute(newest).scalar()
    if last is not None:
        tx.connection.execute(delete(schema.effort).where(table.rule == key, table.tick <= last))


def efforts(tx: Tx, rule: str, limit: int = KEPT) -> list[Effort]:
    """What the latest evaluations took, newest first."""
    return efforts_of(tx, [rule], limit).get(rule, [])


def efforts_of(tx: Tx, rules: Collection[str], limit: int = KEPT) -> dict[str, list[Effort]]:
    """The same of some rules; those without any are left out."""
    rule, table, other = schema.rule.c, schema.effort.c, schema.effort.alias("other").c
    edge = select(other.tick).where(other.rule == rule.id).order_by(other.tick.desc()).offset(limit - 1).limit(1)
    first = func.coalesce(edge.correlate(schema.rule).scalar_subquery(), 0)
    query = (
        select(rule.name, table.tick, table.at, table.seconds, table.query_seconds, table.rows)
        .select_from(schema.rule)
        .join(schema.effort, and_(table.rule == rule.id, table.tick >= first))
        .where(rule.name.in_(rules))
        .order_by(table.tick.desc())
    )
    found: dict[str, list[Effort]] = {}
    for name, *row in tx.connection.execute(query):
        found.setdefault(name, []).append(Effort(*row))
    return found
