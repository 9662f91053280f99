"""What the detector has learned from a rule's history, as bytes of its own making."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, func, select

from monitor.store import schema
from monitor.store.rule_table import ensure_rule, rule_key
from monitor.store.tx import Tx

KEPT = 3
"""Fits kept per rule: the newest, and some to fall back on for an evaluation in the past."""


def put_fit(tx: Tx, rule: str, as_of: int, body: bytes) -> None:
    """Keep the fit of history before `as_of`; only the newest three stay. The same one again writes nothing."""
    key = ensure_rule(tx, rule)
    if fit(tx, rule, as_of) != body:
        tx.put(schema.fit, [{"rule": key, "as_of": as_of, "body": body}])
    table = schema.fit.c
    newest = select(table.as_of).where(table.rule == key).order_by(table.as_of.desc()).limit(KEPT)
    kept = tx.connection.execute(newest).scalars().all()
    tx.connection.execute(delete(schema.fit).where(table.rule == key, table.as_of < min(kept)))


def fit(tx: Tx, rule: str, as_of: int) -> bytes | None:
    """The fit of exactly that time."""
    table = schema.fit.c
    query = select(table.body).where(table.rule == rule_key(tx, rule), table.as_of == as_of)
    return tx.connection.execute(query).scalar()


def newest_fit(tx: Tx, rule: str, at: int) -> tuple[int, bytes] | None:
    """Time and body of the newest fit with `as_of` <= `at`."""
    table = schema.fit.c
    query = (
        select(table.as_of, table.body)
        .where(table.rule == rule_key(tx, rule), table.as_of <= at)
        .order_by(table.as_of.desc())
        .limit(1)
    )
    row = tx.connection.execute(query).first()
    return None if row is None else (row.as_of, row.body)


def newest_fit_time(tx: Tx, rule: str) -> int | None:
    """Time of the newest fit."""
    table = schema.fit.c
    return tx.connection.execute(select(func.max(table.as_of)).where(table.rule == rule_key(tx, rule))).scalar()


def newest_fit_times(tx: Tx, rules: Collection[str]) -> dict[str, int]:
    """The same of some rules; those that have learned nothing are left out."""
    rule, table = schema.rule.c, schema.fit.c
    query = (
        select(rule.name, func.max(table.as_of))
        .select_from(schema.rule)
        .join(schema.fit, table.rule == rule.id)
        .where(rule.name.in_(rules))
        .group_by(rule.name)
    )
    return tx.pairs(query)
