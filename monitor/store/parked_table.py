"""Rules whose evaluation failed in itself, whatever their source said: how often in a row, and when they are tried next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from monitor.store import schema
from monitor.store.moments import from_micros, to_micros
from monitor.store.rule_table import ensure_rule, rule_key
from monitor.store.tx import Tx


@dataclass(frozen=True)
class Failing:
    """How a rule has failed since it last worked. `mark` is that of the rule as it was then."""

    mark: str
    failures: int
    since: datetime
    until: datetime
    """It is not tried before."""
    error: str
    """The last one, in a line."""


def failing(tx: Tx, rule: str) -> Failing | None:
    """How a rule has failed since it last worked; None where it works."""
    table = schema.parked.c
    query = select(table.mark, table.failures, table.since, table.until, table.error)
    row = tx.connection.execute(query.where(table.rule == rule_key(tx, rule))).first()
    if row is None:
        return None
    return Failing(row.mark, row.failures, from_micros(row.since), from_micros(row.until), row.error)


def all_failing(tx: Tx) -> dict[str, Failing]:
    """As `failing`, of all rules, by their names."""
    table = schema.parked.c
    query = select(schema.rule.c.name, table.mark, table.failures, table.since, table.until, table.error)
    rows = tx.connection.execute(query.join(schema.rule, schema.rule.c.id == table.rule))
    return {
        row.name: Failing(row.mark, row.failures, from_micros(row.since), from_micros(row.until), row.error)
        for row in rows
    }


def put_failing(tx: Tx, rule: str, item: Failing) -> None:
    """Note a failure, in place of the one before."""
    row = vars(item) | {"since": to_micros(item.since), "until": to_micros(item.until)}
    tx.put(schema.parked, [{"rule": ensure_rule(tx, rule), **row}])


def forget_failing(tx: Tx, rule: str | None = None) -> None:
    """A rule works, or (None) all are to be tried at once."""
    table = schema.parked
    chosen = delete(table) if rule is None else delete(table).where(table.c.rule == rule_key(tx, rule))
    tx.connection.execute(chosen)
