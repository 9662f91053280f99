"""What is no longer kept. Each function is one small step in the caller's transaction, and says how much it did.

Steps are repeated until they do nothing. All times are epoch seconds, or microseconds where the table's are.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, delete, func, select, tuple_

from monitor.store import schema
from monitor.store.page_table import LAG_FINAL
from monitor.store.rule_table import rule_key
from monitor.store.run_table import OK
from monitor.store.sum_table import HOUR
from monitor.store.tx import Tx

STEP = 500
"""Rows, or buckets, that one step takes away: a fraction of a second, in which others wait."""


def next_bucket(tx: Tx, rule: str, before: int) -> int | None:
    """Start of the oldest bucket before a moment."""
    page = schema.page.c
    return _least(tx, select(func.min(page.bucket)).where(page.rule == rule_key(tx, rule), page.bucket < before))


def next_hour(tx: Tx, rule: str, before: int) -> int | None:
    """Start of the oldest sum of an hour before a moment."""
    table = schema.sums.c
    here = and_(table.rule == rule_key(tx, rule), table.span == HOUR, table.start < before)
    return _least(tx, select(func.min(table.start)).where(here))


def _least(tx: Tx, query: Select[Any]) -> int | None:
    found: int | None = tx.connection.execute(query).scalar()
    return found


def drop_ripening(tx: Tx, rule: str, before: int) -> int:
    """Pages of final buckets as they were before. A bucket that never became final is kept at the classes it has."""
    page = schema.page.c
    key = rule_key(tx, rule)
    final = select(page.bucket).where(page.rule == key, page.lag == LAG_FINAL, page.bucket < before)
    earlier = and_(page.rule == key, page.lag < LAG_FINAL, page.bucket < before)
    query = select(page.bucket).where(earlier, page.chunk == 0, page.bucket.in_(final)).distinct()
    buckets = tx.connection.execute(query.order_by(page.bucket).limit(STEP)).scalars().all()
    tx.connection.execute(delete(schema.page).where(earlier, page.bucket.in_(buckets)))
    return len(buckets)


def drop_sums(tx: Tx, rule: str, before: int) -> int:
    """Sums of any span."""
    table = schema.sums.c
    return _drop(tx, schema.sums, and_(table.rule == rule_key(tx, rule), table.start < before))


def drop_flags(tx: Tx, rule: str, before: int) -> int:
    """Flags of buckets that are not kept one by one."""
    table = schema.flags.c
    return _drop(tx, schema.flags, and_(table.rule == rule_key(tx, rule), table.bucket < before))


def drop_runs(tx: Tx, rule: str, before: int) -> int:
    """Evaluations, but not the first, the newest and the newest good one: what is due, and what is new, follows from them."""
    table = schema.run.c
    own = table.rule == rule_key(tx, rule)
    ends = select(func.min(table.tick), func.max(table.tick)).where(own)
    good = select(func.max(table.tick)).where(own, table.outcome == OK)
    kept = {*tx.connection.execute(ends).one(), tx.connection.execute(good).scalar()} - {None}
    return _drop(tx, schema.run, and_(own, table.tick < before, table.tick.not_in(kept)))


def drop_actions(tx: Tx, before: int) -> int:
    """The log of what people did."""
    return _drop(tx, schema.action, schema.action.c.at < before)


def drop_silences(tx: Tx, before: int) -> int:
    """Silences that ended."""
    return _drop(tx, schema.silence, schema.silence.c.ends < before)


def drop_marks(tx: Tx, before: int) -> int:
    """Marks of what changed."""
    return _drop(tx, schema.mark, schema.mark.c.at < before)


def _drop(tx: Tx, table: Table, old: ColumnElement[bool]) -> int:
    """Some of the rows that are old; how many."""
    keys: list[Column[Any]] = list(table.primary_key)
    rows = tx.connection.execute(select(*keys).where(old).limit(STEP)).all()
    if rows:
        tx.connection.execute(delete(table).where(tuple_(*keys).in_([tuple(row) for row in rows])))
    return len(rows)
