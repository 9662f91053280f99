"""Rules that somebody was told are not checked, until they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from monitor.store import schema
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx

_table = schema.unchecked.c


@dataclass(frozen=True)
class Unchecked:
    """One receiver was told, in a thread of messages, that a rule has not been checked since a moment."""

    receiver: str
    rule: str
    thread: str
    since: datetime


def put_unchecked(tx: Tx, item: Unchecked) -> None:
    """Keep it."""
    tx.put(schema.unchecked, [{**vars(item), "since": to_micros(item.since)}])


def unchecked(tx: Tx) -> list[Unchecked]:
    """All of them, by receiver and rule."""
    query = select(schema.unchecked).order_by(_table.receiver, _table.rule)
    rows = tx.connection.execute(query)
    return [Unchecked(receiver, rule, thread, from_micros(since)) for receiver, rule, thread, since in rows]


def remove_unchecked(tx: Tx, receiver: str, rule: str) -> None:
    """The rule is checked again, or is no more."""
    tx.connection.execute(delete(schema.unchecked).where(_table.receiver == receiver, _table.rule == rule))
