"""Marks: what people say has changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from alerts.marks import Mark
from monitor.store import schema
from monitor.store.bodies import from_body, to_body
from monitor.store.moments import to_micros
from monitor.store.tx import Tx


def put_mark(tx: Tx, mark: Mark) -> None:
    """Keep a mark; the same one again changes nothing."""
    tx.put(schema.mark, [{"id": mark.id, "at": to_micros(mark.at), "body": to_body(mark)}])


def marks(tx: Tx, after: datetime) -> list[Mark]:
    """Marks from a moment on, the oldest first."""
    table = schema.mark.c
    query = select(table.body).where(table.at >= to_micros(after)).order_by(table.at, table.id)
    return [from_body(Mark, body) for body in tx.connection.execute(query).scalars()]


def mark(tx: Tx, mark_id: str) -> Mark | None:
    """The mark of this id."""
    body = tx.connection.execute(select(schema.mark.c.body).where(schema.mark.c.id == mark_id)).scalar()
    return None if body is None else from_body(Mark, body)


def remove_mark(tx: Tx, mark_id: str) -> bool:
    """Take a mark back; whether there was one of that id."""
    return tx.connection.execute(delete(schema.mark).where(schema.mark.c.id == mark_id)).rowcount == 1
