"""What of the outbox waits or was given up, for a person to look at and to send again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, or_, select, update

from alerts.model import Message
from alerts.ports import Part
from monitor.store import schema
from monitor.store.bodies import from_body
from monitor.store.moments import from_micros, to_micros
from monitor.store.outbox_table import DEAD, DONE, QUEUED
from monitor.store.tx import Tx

_box = schema.outbox.c


@dataclass(frozen=True)
class Letter:
    """One part of a message that was not delivered, or not yet."""

    id: str
    receiver: str
    part: Part
    state: str
    """`queued` or `dead`."""
    message: Message
    attempts: int
    created_at: datetime
    due: datetime
    error: str
    """The last one; "" where it was not tried yet."""


def letters(tx: Tx, *, dead_only: bool = False, receiver: str | None = None) -> list[Letter]:
    """What waits and what was given up, of one receiver or of all, oldest first."""
    states = [DEAD] if dead_only else [QUEUED, DEAD]
    query = select(schema.outbox).where(_box.state.in_(states))
    query = query if receiver is None else query.where(_box.receiver == receiver)
    query = query.order_by(_box.created_at, _box.incident, _box.seq, _box.rank, _box.receiver)
    return [
        Letter(
            id=row["id"],
            receiver=row["receiver"],
            part=Part(row["part"]),
            state=row["state"],
            message=from_body(Message, row["body"]),
            attempts=row["attempts"],
            created_at=from_micros(row["created_at"]),
            due=from_micros(row["due"]),
            error=row["last_error"],
        )
        for row in tx.connection.execute(query).mappings()
    ]


def requeue(tx: Tx, dead_id: str, now: datetime) -> bool:
    """Try a dead letter again from `now` on, as if it were new; whether it was.

    It is not where its receiver has been told a later state of the incident since, or is being told one: that one
    stands. Where a later one waits, both are told as one.
    """
    at, later = to_micros(now), schema.outbox.alias("later")
    told_since = exists().where(
        later.c.incident == _box.incident,
        later.c.receiver == _box.receiver,
        later.c.seq > _box.seq,
        later.c.part == Part.TEXT.value,
        or_(later.c.state == DONE, and_(later.c.state == QUEUED, later.c.lease_until > at)),
        _box.part == Part.TEXT.value,
    )
    fresh = {"state": QUEUED, "due": at, "created_at": at, "deadline": None, "attempts": 0, "finished_at": None}
    query = update(schema.outbox).where(_box.id == dead_id, _box.state == DEAD, ~told_since).values(**fresh)
    return tx.connection.execute(query).rowcount == 1
