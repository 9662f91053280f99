"""Counts of what the daemons did, all together and since ever: for those who watch the watcher. Nothing else rests on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from monitor.store import schema
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx

_table = schema.tally.c


@dataclass(frozen=True)
class Tally:
    """One count: what of, of which rule, receiver or daemon ("" where there is none), and how it ended ("" likewise)."""

    name: str
    subject: str
    result: str
    value: float


@dataclass(frozen=True)
class Tallied(Tally):
    """As it stands, and when it last changed."""

    at: datetime


def add_tallies(tx: Tx, items: Iterable[Tally], now: datetime) -> None:
    """Add to what was counted before, whoever counted it."""
    # In one order, so that two daemons that add at the same time never wait for each other in a circle.
    for item in sorted(items, key=lambda item: (item.name, item.subject, item.result)):
        tx.connection.execute(_adding(tx.connection.dialect.name), {**vars(item), "at": to_micros(now)})


def put_tally(tx: Tx, item: Tally, now: datetime) -> None:
    """A value in place of what was there."""
    tx.put(schema.tally, [{**vars(item), "at": to_micros(now)}])


def tallies(tx: Tx, names: Iterable[str] = ()) -> list[Tallied]:
    """All counts, or those of these names, in order."""
    wanted = list(names)
    query = select(schema.tally).order_by(*schema.tally.primary_key)
    query = query.where(_table.name.in_(wanted)) if wanted else query
    rows = tx.connection.execute(query)
    return [Tallied(name, subject, result, value, from_micros(at)) for name, subject, result, value, at in rows]


def forget_tallies(tx: Tx, name: str, before: datetime) -> None:
    """Drop those of a name that have not changed since a moment."""
    tx.connection.execute(delete(schema.tally).where(_table.name == name, _table.at < to_micros(before)))


def drop_tallies(tx: Tx, before: int) -> int:
    """Drop what was counted last before a moment (microseconds), of rules and receivers that are gone; how many rows."""
    return tx.connection.execute(delete(schema.tally).where(_table.at < before)).rowcount


def forget_daemon(tx: Tx, daemon: str) -> None:
    """Drop what was noted of a daemon that is no more."""
    tx.connection.execute(delete(schema.tally).where(_table.subject == daemon))


def _adding(dialect: str) -> Any:
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(schema.tally)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["name", "subject", "result"], set_={"value": _table.value + new.value, "at": new.at}
    )
