"""The outbox for people who look back: what was sent, how long it took, and how each receiver stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, and_, case, func, select

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
    """Every receiver that anything was ever for, by name."""
    recent = and_(_box.state == DONE, _box.finished_at >= to_micros(since))
    query = select(
        _box.receiver,
        func.sum(case((recent, 1), else_=0)),
        func.sum(case((_box.state == DEAD, 1), else_=0)),
        func.sum(case((_box.state == QUEUED, 1), else_=0)),
        func.min(case((_box.state == QUEUED, _box.created_at))),
    ).group_by(_box.receiver)
    took = _took(tx, since)
    rows = tx.connection.execute(query.order_by(_box.receiver)).all()
    return [
        Traffic(name, done, dead, queued, None if oldest is None else from_micros(oldest), took.get(name, ()))
        for name, done, dead, queued, oldest in rows
    ]


def _took(tx: Tx, since: datetime) -> dict[str, tuple[float, ...]]:
    texts = and_(_box.state == DONE, _box.part == Part.TEXT.value, _box.finished_at >= to_micros(since))
    found: dict[str, list[float]] = {}
    query = select(_box.receiver, _box.created_at, _box.finished_at).where(texts)
    for name, created, finished in tx.connection.execute(query):
        found.setdefault(name, []).append((finished - created) / 1e6)
    return {name: tuple(sorted(values)) for name, values in found.items()}
