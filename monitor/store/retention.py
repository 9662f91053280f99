"""What history is no longer kept.

Daily sums of what goes, and dropping the ids of leaves in no page, are later work.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from monitor.store import schema
from monitor.store.page_table import LAG_FINAL
from monitor.store.rule_table import rule_key
from monitor.store.tx import Tx

KEEP_RIPENING = timedelta(days=35)
"""How long the classes below final are kept: what late data are judged against."""

KEEP_FINAL = timedelta(days=400)
"""How long buckets are kept: a year, and a month to compare with."""


def prune(tx: Tx, rule: str, now: int) -> None:
    """Drop old pages, and the flags and runs of buckets that are gone. `now` is in epoch seconds.

    A bucket that never became final is kept at the classes it has.
    """
    key = rule_key(tx, rule)
    oldest = now - int(KEEP_FINAL.total_seconds())
    for table, time in (
        (schema.page, schema.page.c.bucket),
        (schema.flags, schema.flags.c.bucket),
        (schema.run, schema.run.c.tick),
    ):
        tx.connection.execute(delete(table).where(table.c.rule == key, time < oldest))
    page = schema.page.c
    final = select(page.bucket).where(page.rule == key, page.lag == LAG_FINAL)
    ripening = now - int(KEEP_RIPENING.total_seconds())
    tx.connection.execute(
        delete(schema.page).where(
            page.rule == key, page.lag < LAG_FINAL, page.bucket < ripening, page.bucket.in_(final)
        )
    )
