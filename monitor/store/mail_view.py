"""The outbox for people who look back: what was sent, how long it took, and how each receiver stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, func, select

from alerts.model import Message
from alerts.ports import Part
from monitor.store import schema
from monitor.store.bodies import from_body
from monitor.store.moments import from_micros, to_micros
from monitor.store.outbox_table import DEAD, DONE, QUEUED
from monitor.store.tx import Tx

_box = schema.outbox.c


@dataclass(frozen=True)
class Parcel:
    """One part of a message to one receiver."""

    id: str
    incident: str
    """The key of its thread: an incident's id, or that of a digest."""
    receiver: str
    part: Part
    state: str
    push: str
    attempts: int
    created_at: datetime
    finished_at: datetime | None
    due: datetime
    error: str


@dataclass(frozen=True)
class Traffic:
    """What one receiver was sent since a moment, and what it waits for."""

    receiver: str
    done: int
    dead: int
    """Given up and not sent again, however long ago."""
    queued: int
    oldest: datetime | None
    """Since when the oldest one waits."""
    seconds: tuple[float, ...]
    """Of each text that arrived since then, from when it was queued; ascending."""


def parcels(
    tx: Tx,
    *,
    states: Sequence[str] = (),
    receiver: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Parcel]:
    """Parts of messages, newest first."""
    query = select(schema.outbox)
    query = query.where(_box.state.in_(list(states))) if states else query
    query = query if receiver is None else query.where(_box.receiver == receiver)
    query = query.order_by(_box.created_at.desc(), _box.id).limit(limit).offset(offset)
    return [_parcel(row) for row in tx.connection.execute(query).mappings()]


def _parcel(row: RowMapping) -> Parcel:
    return Parcel(
        id=row["id"],
        incident=row["incident"],
        receiver=row["receiver"],
        part=Part(row["part"]),
        state=row["state"],
        push=from_body(Message, row["body"]).push,
        attempts=row["attempts"],
        created_at=from_micros(row["created_at"]),
        finished_at=None if row["finished_at"] is None else from_micros(row["finished_at"]),
        due=from_micros(row["due"]),
        error=row["last_error"],
    )


def traffic(tx: Tx, since: datetime) -> list[Traffic]:
    """Every receiver that was sent anything since, or has anything that waits or was given up, by name."""
    done, took = _done(tx, since), _took(tx, since)
    query = (
        select(_box.receiver, _box.state, func.count(), func.min(_box.created_at))
        .where(_box.state.in_([QUEUED, DEAD]))
        .group_by(_box.receiver, _box.state)
    )
    left = {(name, state): (count, oldest) for name, state, count, oldest in tx.connection.execute(query)}
    return [
        Traffic(
            receiver=name,
            done=done.get(name, 0),
            dead=left.get((name, DEAD), NONE)[0],
            queued=left.get((name, QUEUED), NONE)[0],
            oldest=None if (name, QUEUED) not in left else from_micros(left[name, QUEUED][1]),
            seconds=took.get(name, ()),
        )
        for name in sorted({*done, *(name for name, _ in left)})
    ]


NONE = (0, 0)


def _arrived(since: datetime) -> ColumnElement[bool]:
    return and_(_box.state == DONE, _box.finished_at >= to_micros(since))


def _done(tx: Tx, since: datetime) -> dict[str, int]:
    query = select(_box.receiver, func.count()).where(_arrived(since)).group_by(_box.receiver)
    return tx.pairs(query)


def _took(tx: Tx, since: datetime) -> dict[str, tuple[float, ...]]:
    found: dict[str, list[float]] = {}
    query = select(_box.receiver, _box.created_at, _box.finished_at)
    for name, created, finished in tx.connection.execute(query.where(_arrived(since), _box.part == Part.TEXT.value)):
        found.setdefault(name, []).append((finished - created) / 1e6)
    return {name: tuple(sorted(values)) for name, values in found.items()}
