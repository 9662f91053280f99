"""What was evaluated: one row per rule and tick, whatever happens in between.

No row holds how long something took: a tick evaluated again leaves the store equal row by row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, literal_column, select

from monitor.store import schema
from monitor.store.rule_table import ensure_rule, rule_key
from monitor.store.tx import Tx

OK = "ok"
BLIND = "blind"
LATE = "late"
"""Outcomes: the source answered, could not be asked, or was behind."""

# Spelt as the partial indexes are: a value that is bound does not prove to SQLite that one of them fits.
_SAYS = schema.run.c.detail != literal_column("''")
_FAILED = schema.run.c.outcome != literal_column("'ok'")


@dataclass(frozen=True)
class Run:
    """One evaluation; `tick` is its scheduled time in epoch seconds.

    `detail` is one line for a person: the source's error, or what is to be known once.
    """

    tick: int
    outcome: str
    detail: str


def run_done(tx: Tx, rule: str, tick: int) -> bool:
    """Whether the tick was evaluated. In a writing transaction it stays so until its end."""
    if tx.writes:
        ensure_rule(tx, rule)  # a row to lock
    return run(tx, rule, tick) is not None


def run(tx: Tx, rule: str, tick: int) -> Run | None:
    """The evaluation of a tick."""
    table = schema.run.c
    query = select(table.tick, table.outcome, table.detail).where(table.rule == rule_key(tx, rule), table.tick == tick)
    row = tx.connection.execute(query).first()
    return None if row is None else Run(*row)


def record_run(tx: Tx, rule: str, tick: int, outcome: str, detail: str = "") -> None:
    """Note the evaluation of a tick; a later one of the same tick replaces it, an equal one writes nothing."""
    key = ensure_rule(tx, rule)
    if run(tx, rule, tick) != Run(tick, outcome, detail):
        tx.put(schema.run, [{"rule": key, "tick": tick, "outcome": outcome, "detail": detail}])


def newest_run(tx: Tx, rule: str) -> int | None:
    """The latest tick evaluated."""
    return tx.connection.execute(
        select(func.max(schema.run.c.tick)).where(schema.run.c.rule == rule_key(tx, rule))
    ).scalar()


def first_run(tx: Tx, rule: str) -> int | None:
    """The earliest tick evaluated, of those that are known still."""
    table = schema.run.c
    return tx.connection.execute(select(func.min(table.tick)).where(table.rule == rule_key(tx, rule))).scalar()


def newest_good(tx: Tx, rule: str, before: int) -> int | None:
    """The latest tick before another one for which the source answered, however long ago."""
    table = schema.run.c
    good = (table.rule == rule_key(tx, rule), table.tick < before, table.outcome == OK)
    return tx.connection.execute(select(func.max(table.tick)).where(*good)).scalar()


def runs(tx: Tx, rule: str, limit: int = 100) -> list[Run]:
    """The latest evaluations, newest first."""
    table = schema.run.c
    query = (
        select(table.tick, table.outcome, table.detail)
        .where(table.rule == rule_key(tx, rule))
        .order_by(table.tick.desc())
        .limit(limit)
    )
    return [Run(*row) for row in tx.connection.execute(query)]


def newest_goods(tx: Tx, rules: Collection[str]) -> dict[str, int]:
    """The latest tick for which the source answered, of each rule that has one."""
    rule, table = schema.rule.c, schema.run.c
    good = select(func.max(table.tick)).where(table.rule == rule.id, table.outcome == OK)
    query = select(rule.name, good.correlate(schema.rule).scalar_subquery()).where(rule.name.in_(rules))
    return {name: tick for name, tick in tx.connection.execute(query) if tick is not None}


def notices(tx: Tx, rule: str, after: int, limit: int = 3) -> list[Run]:
    """The latest evaluations after a tick that found something to be known, newest first."""
    return notices_of(tx, [rule], after, limit).get(rule, [])


def notices_of(tx: Tx, rules: Collection[str], after: int, limit: int = 3) -> dict[str, list[Run]]:
    """The same of some rules; those without any are left out."""
    found: dict[str, list[Run]] = {}
    table = schema.run.c
    query = select(schema.rule.c.name, table.tick, table.outcome, table.detail).join(schema.rule)
    said = query.where(table.tick > after, table.outcome == OK, _SAYS, schema.rule.c.name.in_(rules))
    for name, *row in tx.connection.execute(said.order_by(table.tick.desc())):
        if len(found.setdefault(name, [])) < limit:
            found[name].append(Run(*row))
    return found


def failed_runs(tx: Tx, rules: Collection[str], after: int, limit: int = 100) -> list[tuple[str, Run]]:
    """The latest evaluations of some rules for which the source did not answer, or was behind; newest first."""
    table = schema.run.c
    query = (
        select(schema.rule.c.name, table.tick, table.outcome, table.detail)
        .join(schema.rule)
        .where(table.tick > after, _FAILED, schema.rule.c.name.in_(rules))
        .order_by(table.tick.desc(), schema.rule.c.name)
        .limit(limit)
    )
    return [(name, Run(*row)) for name, *row in tx.connection.execute(query)]


def failed_counts(tx: Tx, after: int) -> dict[str, int]:
    """How many evaluations after a tick came to nothing, of all rules, by their outcome."""
    table = schema.run.c
    query = select(table.outcome, func.count()).where(table.tick > after, _FAILED).group_by(table.outcome)
    return tx.pairs(query)
