"""How things stand by what a receiver was told of them: the newest text of each thread."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select

from alerts.model import Message, State
from alerts.ports import Part
from monitor.store import schema
from monitor.store.bodies import from_body
from monitor.store.outbox_table import DEAD, DONE, MERGED, QUEUED
from monitor.store.tx import Tx

_box = schema.outbox.c


@dataclass(frozen=True)
class Newest:
    """The newest text of a thread for one receiver."""

    message: Message
    told: bool
    """Whether it has arrived."""
    under_way: bool
    """Whether somebody sends it at the moment, or may have."""


def newest_texts(tx: Tx, receiver: str, keys: Collection[str] | None = None) -> list[Newest]:
    """Of threads that may not be over, or of these `keys`; what was given up or told with a later one counts for nothing."""
    incident = schema.incident.c
    going_on = or_(incident.state.is_(None), incident.state != State.RESOLVED.value)
    texts = and_(_box.receiver == receiver, _box.part == Part.TEXT.value, _box.state.not_in([DEAD, MERGED]))
    last = (
        select(_box.incident, func.max(_box.seq).label("seq"))
        .outerjoin(schema.incident, incident.id == _box.incident)
        .where(texts, going_on if keys is None else _box.incident.in_(keys))
        .group_by(_box.incident)
        .subquery()
    )
    here = and_(last.c.incident == _box.incident, last.c.seq == _box.seq)
    query = select(_box.body, _box.state, _box.owner).join(last, here).where(texts).order_by(_box.incident)
    return [
        Newest(from_body(Message, row.body), row.state == DONE, row.state == QUEUED and row.owner != "")
        for row in tx.connection.execute(query)
    ]
