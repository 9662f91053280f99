"""The queue between deciding and delivering, as a table: `alerts.ports.Outbox` over the store.

Items of one incident and receiver go out in the order (seq, part). Only a *text* that is still queued holds back
those after it: a chart never does, and what is done or dead does not either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, update

from alerts.model import Message, Receipt
from alerts.ports import Delivery, Part
from monitor.store import schema
from monitor.store.bodies import from_body, to_body
from monitor.store.moments import from_micros, to_micros
from monitor.store.store import Store
from monitor.store.tx import Tx

QUEUED, DONE, DEAD = "queued", "done", "dead"

_RANK = {Part.TEXT: 0, Part.CHART: 1}
_box = schema.outbox.c


@dataclass(frozen=True)
class OutboxCounts:
    """How many items wait, were delivered, or were given up."""

    queued: int = 0
    done: int = 0
    dead: int = 0


@dataclass(frozen=True)
class DeadLetter:
    """An item that was given up, and the last error."""

    id: str
    receiver: str
    part: Part
    message: Message
    attempts: int
    created_at: datetime
    error: str


def enqueue(tx: Tx, message: Message, receiver: str, parts: Iterable[Part], now: datetime) -> int:
    """Queue parts of a message for a receiver in the caller's transaction; number of those not queued before."""
    rows = [_new_row(message, receiver, part, to_micros(now)) for part in parts]
    return sum(tx.put_new(schema.outbox, row) for row in rows)


def item_id(key: str, seq: int, receiver: str, part: Part) -> str:
    """An item's id: the same message to the same receiver is the same item, however often it is decided."""
    name = json.dumps([key, seq, receiver, part.value], ensure_ascii=True)
    return hashlib.blake2b(name.encode("ascii"), digest_size=16).hexdigest()


def _new_row(message: Message, receiver: str, part: Part, now: int) -> dict[str, Any]:
    return {
        "id": item_id(message.key, message.seq, receiver, part),
        "incident": message.key,
        "receiver": receiver,
        "seq": message.seq,
        "part": part.value,
        "rank": _RANK[part],
        "state": QUEUED,
        "due": now,
        "lease_until": 0,
        "owner": "",
        "claims": 0,
        "attempts": 0,
        "plain": False,
        "last_error": "",
        "created_at": now,
        "finished_at": None,
        "channel": "",
        "ref": "",
        "body": to_body(message),
    }


def outbox_counts(tx: Tx) -> OutboxCounts:
    """Items by state."""
    query = select(_box.state, func.count()).group_by(_box.state)
    return OutboxCounts(**tx.pairs(query))


@dataclass(frozen=True)
class Delivered:
    """One part of a message as the outbox holds it."""

    receiver: str
    seq: int
    part: str
    state: str
    attempts: int
    last_error: str


def deliveries(tx: Tx, incident: str) -> list[Delivered]:
    """What became of an incident's messages, in their order."""
    table = schema.outbox.c
    query = select(table.receiver, table.seq, table.part, table.state, table.attempts, table.last_error)
    rows = tx.connection.execute(
        query.where(table.incident == incident).order_by(table.seq, table.receiver, table.rank)
    )
    return [Delivered(*row) for row in rows]


@dataclass(frozen=True)
class Thread:
    """A thread of messages that belong to no incident: its number, its newest message's, and who was told."""

    number: int
    seq: int
    receivers: tuple[str, ...]


def newest_thread(tx: Tx, prefix: str) -> Thread | None:
    """Of the threads whose keys are a prefix and a number of six digits, the one with the highest; None without any."""
    ours = _box.incident.startswith(prefix, autoescape=True)
    query = select(_box.incident, func.max(_box.seq)).where(ours).group_by(_box.incident)
    row = tx.connection.execute(query.order_by(_box.incident.desc()).limit(1)).first()
    if row is None:
        return None
    key, seq = row
    told = select(_box.receiver).where(_box.incident == key).distinct().order_by(_box.receiver)
    return Thread(int(key.removeprefix(prefix)), seq, tuple(tx.connection.execute(told).scalars()))


def dead_letters(tx: Tx) -> list[DeadLetter]:
    """Items that were given up, oldest first."""
    query = select(schema.outbox).where(_box.state == DEAD).order_by(_box.created_at, _box.seq, _box.rank, _box.id)
    return [
        DeadLetter(
            id=row["id"],
            receiver=row["receiver"],
            part=Part(row["part"]),
            message=from_body(Message, row["body"]),
            attempts=row["attempts"],
            created_at=from_micros(row["created_at"]),
            error=row["last_error"],
        )
        for row in tx.connection.execute(query).mappings()
    ]


def requeue(tx: Tx, dead_id: str, now: datetime) -> bool:
    """Try a dead letter again from `now` on, with its attempts counted anew; whether there was one of that id."""
    fresh = {"state": QUEUED, "due": to_micros(now), "attempts": 0, "finished_at": None}
    done = tx.connection.execute(update(schema.outbox).where(_box.id == dead_id, _box.state == DEAD).values(**fresh))
    return done.rowcount == 1


class SqlOutbox:
    """`alerts.ports.Outbox` on a store, for any number of threads and processes.

    A worker whose lease ran out can still report that it delivered; its retry or give-up no longer counts once
    another worker has claimed the item.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, now: datetime, owner: str, lease_seconds: float) -> Delivery | None:
        """The next item that is due, or None; nobody else gets it before the lease is over."""
        at = to_micros(now)
        until = to_micros(now + timedelta(seconds=lease_seconds))
        # A look first: an idle loop takes no write lock.
        with self._store.read() as tx:
            if tx.connection.execute(_next(at)).first() is None:
                return None
        with self._store.write() as tx:
            row = (
                tx.connection.execute(_next(at).with_for_update(skip_locked=True, of=schema.outbox)).mappings().first()
            )
            if row is None:
                return None
            claims = row["claims"] + 1
            lease = {"owner": owner, "lease_until": until, "claims": claims}
            tx.connection.execute(update(schema.outbox).where(_box.id == row["id"]).values(**lease))
            return _delivery(row, claims, _root(tx, row["incident"], row["receiver"]))

    def next_due(self, now: datetime) -> datetime | None:
        """When the next item can be claimed (`now` at the earliest); None where nothing waits."""
        free_at = case((_box.lease_until > _box.due, _box.lease_until), else_=_box.due)
        with self._store.read() as tx:
            first = tx.connection.execute(select(func.min(free_at)).where(_in_turn())).scalar()
        return None if first is None else max(now, from_micros(first))

    def done(self, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
        """Delivered. It is a fact, whoever holds the lease now."""
        values = {**_released(DONE), "finished_at": to_micros(now), "channel": receipt.channel, "ref": receipt.ref}
        with self._store.write() as tx:
            tx.connection.execute(
                update(schema.outbox).where(_box.id == delivery.id, _box.state == QUEUED).values(**values)
            )

    def retry(self, delivery: Delivery, at: datetime, error: str, *, counts: bool, plain: bool = False) -> None:
        """Try again at `at`; `counts` says whether this was an attempt, `plain` sends plain text from now on."""
        values: dict[str, Any] = {"owner": "", "lease_until": 0, "due": to_micros(at), "last_error": error}
        values["attempts"] = _box.attempts + int(counts)
        if plain:
            values["plain"] = True
        with self._store.write() as tx:
            tx.connection.execute(update(schema.outbox).where(_held(delivery)).values(**values))

    def dead(self, delivery: Delivery, error: str, now: datetime) -> None:
        """Given up; it stays as a dead letter."""
        with self._store.write() as tx:
            _bury(tx, delivery, error, now)

    def reroute(self, delivery: Delivery, receiver: str, error: str, now: datetime) -> None:
        """Given up here, queued for another receiver unless it was queued there before; one transaction."""
        with self._store.write() as tx:
            if _bury(tx, delivery, error, now):
                enqueue(tx, delivery.message, receiver, [delivery.part], now)


def _in_turn() -> ColumnElement[bool]:
    """Queued, with no queued text of the same incident and receiver before it."""
    earlier = schema.outbox.alias("earlier")
    before = or_(earlier.c.seq < _box.seq, and_(earlier.c.seq == _box.seq, earlier.c.rank < _box.rank))
    blocked = exists().where(
        earlier.c.incident == _box.incident,
        earlier.c.receiver == _box.receiver,
        earlier.c.state == QUEUED,
        earlier.c.rank == _RANK[Part.TEXT],
        before,
    )
    return and_(_box.state == QUEUED, ~blocked)


def _next(at: int) -> Select[Any]:
    due = and_(_in_turn(), _box.due <= at, _box.lease_until <= at)
    return select(schema.outbox).where(due).order_by(_box.due, _box.seq, _box.rank, _box.id).limit(1)


def _delivery(row: Any, claims: int, root: Receipt | None) -> Delivery:
    return Delivery(
        id=row["id"],
        receiver=row["receiver"],
        part=Part(row["part"]),
        message=from_body(Message, row["body"]),
        attempts=row["attempts"],
        created_at=from_micros(row["created_at"]),
        root=root,
        plain=row["plain"],
        claim=claims,
    )


def _root(tx: Tx, incident: str, receiver: str) -> Receipt | None:
    """Receipt of the first text delivered for an incident at a receiver."""
    query = (
        select(_box.channel, _box.ref)
        .where(_box.incident == incident, _box.receiver == receiver, _box.state == DONE, _box.part == Part.TEXT.value)
        .order_by(_box.seq)
        .limit(1)
    )
    row = tx.connection.execute(query).first()
    return None if row is None else Receipt(row.channel, row.ref)


def _held(delivery: Delivery) -> ColumnElement[bool]:
    return and_(_box.id == delivery.id, _box.state == QUEUED, _box.claims == delivery.claim)


def _released(state: str) -> dict[str, Any]:
    """A finished item shows no trace of who had claimed it, nor how often."""
    return {"state": state, "owner": "", "lease_until": 0, "claims": 0}


def _bury(tx: Tx, delivery: Delivery, error: str, now: datetime) -> bool:
    values = {**_released(DEAD), "finished_at": to_micros(now), "last_error": error}
    return tx.connection.execute(update(schema.outbox).where(_held(delivery)).values(**values)).rowcount == 1
