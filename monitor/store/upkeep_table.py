"""When something that is done now and then was done last, by whichever process."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from monitor.store import schema
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx


def upkeep_done(tx: Tx, name: str) -> datetime | None:
    """When it was done last; None for never."""
    at = tx.connection.execute(select(schema.upkeep.c.at).where(schema.upkeep.c.name == name)).scalar()
    return None if at is None else from_micros(at)


def put_upkeep(tx: Tx, name: str, at: datetime) -> None:
    """Note that it is done."""
    tx.put(schema.upkeep, [{"name": name, "at": to_micros(at)}])
