"""What evaluations took: for people who ask what a rule costs. Nothing else rests on it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from monitor.store import schema
from monitor.store.rule_table import ensure_rule, rule_key
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
    table = schema.effort.c
    query = (
        select(table.tick, table.at, table.seconds, table.query_seconds, table.rows)
        .where(table.rule == rule_key(tx, rule))
        .order_by(table.tick.desc())
        .limit(limit)
    )
    return [Effort(*row) for row in tx.connection.execute(query)]
