"""A private copy of a store, and a rule in it as it was at an earlier time: to try things on."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from alerts.model import Transition
from monitor.store import schema
from monitor.store.bodies import from_body, to_body
from monitor.store.incident_tables import incidents
from monitor.store.moments import to_micros
from monitor.store.rule_table import rule_key
from monitor.store.schema import metadata
from monitor.store.store import Store
from monitor.store.tx import Tx

ROWS = 1_000
"""Rows held at a time: a page of history is a few kilobytes."""
MICROS = 1_000_000


def copy(original: Store) -> Store:
    """All that a store holds at one moment, in memory; the caller closes it."""
    private = Store.open("sqlite://")
    with original.read() as source, private.write() as target:
        for table in metadata.sorted_tables:
            found = source.connection.execution_options(yield_per=ROWS).execute(select(table))
            for rows in found.mappings().partitions():
                target.connection.execute(insert(table), [dict(row) for row in rows])
    return private


def rewind(tx: Tx, rule: str, last: int | None, first_bucket: int) -> None:
    """Forget what a rule's evaluations after the tick `last` (None: all of them) did; counts stay as they are.

    `first_bucket` is the first one that was not judged by then. Flags are dropped from there on, or from where an
    incident began that was not known yet. Times are in epoch seconds.
    """
    key = rule_key(tx, rule)
    after = -1 if last is None else last
    begin = min([first_bucket, *_rewind_incidents(tx, rule, after * MICROS)])
    tx.connection.execute(delete(schema.run).where(schema.run.c.rule == key, schema.run.c.tick > after))
    tx.connection.execute(delete(schema.flags).where(schema.flags.c.rule == key, schema.flags.c.bucket >= begin))


def _rewind_incidents(tx: Tx, rule: str, after: int) -> list[int]:
    """Incidents as they were at a moment (microseconds); the beginnings (epoch seconds) of those not known then."""
    unknown = []
    for item in incidents(tx, rule=rule):
        _forget_news(tx, item.id, after)
        table = schema.transition.c
        newest = select(table.body).where(table.incident == item.id).order_by(table.seq.desc()).limit(1)
        body = tx.connection.execute(newest).scalar()
        row = schema.incident.c.id == item.id
        if body is None:
            unknown.append(to_micros(item.since) // MICROS)
            tx.connection.execute(delete(schema.incident).where(row))
        else:
            then = from_body(Transition, body).incident
            values = {"state": then.state.value, "seq": then.seq, "since": to_micros(then.since), "body": to_body(then)}
            tx.connection.execute(update(schema.incident).where(row).values(values))
    return unknown


def _forget_news(tx: Tx, incident: str, after: int) -> None:
    for table, time in (
        (schema.outbox, schema.outbox.c.created_at),
        (schema.digest, schema.digest.c.at),
        (schema.decision, schema.decision.c.at),
        (schema.transition, schema.transition.c.at),
    ):
        tx.connection.execute(delete(table).where(table.c.incident == incident, time > after))
