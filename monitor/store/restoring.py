"""What is different after a restore: what was told since the backup is known to those who were told, and to nobody here."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update

from monitor.store import schema
from monitor.store.moments import to_micros
from monitor.store.tx import Tx

BACKUP, RESTORED = "backup", "restored"
"""Upkeep: when a copy was made, and when it was put in the place of the store."""
DOUBTFUL = timedelta(days=1)
"""How long after a restore what is queued may have been told before: by then what was missed is made up for."""
HELD = "held back when the store was restored: it may have been delivered since the backup"


def told_since(tx: Tx, created_at: int) -> int | None:
    """From when on (microseconds) a message queued at `created_at` may have been told without a trace here; None: it was not."""
    table = schema.upkeep.c
    known = tx.pairs(select(table.name, table.at).where(table.name.in_([BACKUP, RESTORED])))
    backup, restored = known.get(BACKUP), known.get(RESTORED)
    if backup is None or restored is None or created_at >= restored + DOUBTFUL // timedelta(microseconds=1):
        return None
    return min(int(backup), created_at)


def hold(tx: Tx, now: datetime) -> int:
    """Give up all that waits, for a person to look at and to send again; how many."""
    box = schema.outbox.c
    over = {"state": "dead", "owner": "", "lease_until": 0, "claims": 0, "in_doubt": False, "last_error": HELD}
    held = update(schema.outbox).where(box.state == "queued").values(**over, finished_at=to_micros(now))
    return int(tx.connection.execute(held.execution_options(preserve_rowcount=True)).rowcount)
