"""Silences, those that are over included."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from alerts.silences import Silence
from monitor.store import schema
from monitor.store.bodies import from_body, to_body
from monitor.store.moments import to_micros
from monitor.store.tx import Tx


def put_silence(tx: Tx, item: Silence) -> None:
    """Keep a silence as it is now."""
    row = {"id": item.id, "starts": to_micros(item.starts), "ends": to_micros(item.ends), "body": to_body(item)}
    tx.put(schema.silence, [row])


def silence(tx: Tx, silence_id: str) -> Silence | None:
    """The silence of this id."""
    body = tx.connection.execute(select(schema.silence.c.body).where(schema.silence.c.id == silence_id)).scalar()
    return None if body is None else from_body(Silence, body)


def silences(tx: Tx, after: datetime) -> list[Silence]:
    """Silences that end after a moment, the first to end first."""
    table = schema.silence.c
    query = select(table.body).where(table.ends > to_micros(after)).order_by(table.ends, table.id)
    return [from_body(Silence, body) for body in tx.connection.execute(query).scalars()]
