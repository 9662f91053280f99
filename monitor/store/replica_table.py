"""Daemons on this store, each of which says every few seconds that it is there. For people to see; nothing rests on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from monitor.store import schema
from monitor.store.moments import MICROSECOND, from_micros, to_micros
from monitor.store.tx import Tx

FORGOTTEN = timedelta(days=7)
"""How long one that is no more is still shown."""


@dataclass(frozen=True)
class Replica:
    """One daemon."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    ahead: timedelta = timedelta(0)
    """How far its machine's clock is ahead of the store's."""


def put_replica(tx: Tx, item: Replica) -> None:
    """Say that a daemon is there; those that have not been for a week are forgotten."""
    at = {"started_at": to_micros(item.started_at), "seen_at": to_micros(item.seen_at)}
    tx.put(schema.replica, [{**vars(item), **at, "ahead": item.ahead // MICROSECOND}])
    old = to_micros(item.seen_at - FORGOTTEN)
    tx.connection.execute(delete(schema.replica).where(schema.replica.c.seen_at < old))


def remove_replica(tx: Tx, replica_id: str) -> None:
    """One that ends by itself is not missed."""
    tx.connection.execute(delete(schema.replica).where(schema.replica.c.id == replica_id))


def replicas(tx: Tx) -> list[Replica]:
    """All that were there lately, the one seen last first."""
    table = schema.replica
    query = select(table).order_by(table.c.seen_at.desc(), table.c.id)
    return [
        Replica(
            row["id"],
            row["host"],
            row["pid"],
            row["version"],
            from_micros(row["started_at"]),
            from_micros(row["seen_at"]),
            row["ahead"] * MICROSECOND,
        )
        for row in tx.connection.execute(query).mappings()
    ]
