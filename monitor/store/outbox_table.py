"""The queue between deciding and delivering, as a table: `alerts.ports.Outbox` over the store.

Items of one incident and receiver go out in the order (seq, part). Only a *text* that is still queued holds back
those after it: a chart or a file never does, and what is done or dead does not either. A claim makes one message of all texts
that wait in the same thread; what was passed over is kept as merged.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, update

from alerts.coalesce import combined
from alerts.model import Message, Receipt
from alerts.ports import CRITICAL_DEADLINE, Delivery, Lane, Part
from monitor.store import schema
from monitor.store.advisory import take_thread
from monitor.store.bodies import from_body, to_body
from monitor.store.errors import StoreAwayError
from monitor.store.moments import MICROSECOND, from_micros, to_micros
from monitor.store.restoring import told_since
from monitor.store.store import Store
from monitor.store.tx import Tx
from rules.model import Severity

SETTLE_ATTEMPTS = 20
"""A second apart, while PostgreSQL is away: it restarts in less, and a lease lasts longer."""
QUEUED, DONE, MERGED, DEAD = "queued", "done", "merged", "dead"

_RANK = {part: part.rank for part in Part}
_TEXT = _RANK[Part.TEXT]
_PART = {rank: part for part, rank in _RANK.items()}
_box = schema.outbox.c


@dataclass(frozen=True)
class OutboxCounts:
    """How many items wait, were delivered, were told with a later one, or were given up."""

    queued: int = 0
    done: int = 0
    merged: int = 0
    dead: int = 0


def enqueue(tx: Tx, message: Message, receiver: str, parts: Iterable[Part], now: datetime) -> int:
    """Queue parts of a message for a receiver in the caller's transaction; number of those not queued before."""
    rows = [_new_row(message, receiver, part, to_micros(now)) for part in parts]
    return sum(tx.put_new(schema.outbox, row) for row in rows)


def item_id(key: str, seq: int, receiver: str, part: Part) -> str:
    """An item's id: the same message to the same receiver is the same item, however often it is decided."""
    name = json.dumps([key, seq, receiver, part.value], ensure_ascii=True)
    return hashlib.blake2b(name.encode("ascii"), digest_size=16).hexdigest()


def _deadline(message: Message, part: Part, now: int) -> int | None:
    urgent = part is Part.TEXT and message.severity is Severity.CRITICAL
    return now + int(CRITICAL_DEADLINE.total_seconds() * 1_000_000) if urgent else None


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
        "deadline": _deadline(message, part, now),
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
    finished_at: datetime | None = None


def deliveries(tx: Tx, incident: str) -> list[Delivered]:
    """What became of an incident's messages, in their order."""
    table = schema.outbox.c
    told = (table.receiver, table.seq, table.part, table.state, table.attempts, table.last_error)
    query = select(*told, table.finished_at)
    rows = tx.connection.execute(
        query.where(table.incident == incident).order_by(table.seq, table.receiver, table.rank)
    )
    return [Delivered(*row[:-1], None if row[-1] is None else from_micros(row[-1])) for row in rows]


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


def quiet_since(tx: Tx, key: str, since: datetime) -> bool:
    """Whether nothing was queued in a thread after a moment."""
    newest = select(func.max(_box.created_at)).where(_box.incident == key)
    at = tx.connection.execute(newest).scalar()
    return at is None or at <= to_micros(since)


def waiting_since(tx: Tx, now: datetime) -> dict[str, datetime]:
    """Since when the oldest item of each receiver could have been claimed, and was not; those without one are left out.

    What waits for its time, for another one before it, or is being sent, could not.
    """
    at = to_micros(now)
    free_at = case((_box.lease_until > _box.due, _box.lease_until), else_=_box.due)
    query = select(_box.receiver, func.min(free_at)).where(_box.state == QUEUED, free_at <= at, ~_blocked())
    return {name: from_micros(since) for name, since in tx.pairs(query.group_by(_box.receiver)).items()}


class SqlOutbox:
    """`alerts.ports.Outbox` on a store, for any number of threads and processes.

    A worker whose lease ran out can still report that it delivered; its retry or give-up no longer counts once
    another worker has claimed the item.
    """

    def __init__(self, store: Store, wait: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._wait = wait

    def end_leases(self, owners: str) -> None:
        """Whoever's name begins so is gone: what they held can be claimed now, and is in doubt."""
        held = and_(_box.state == QUEUED, _box.lease_until > 0, _box.owner.startswith(owners, autoescape=True))
        with self._store.write() as tx:
            tx.connection.execute(update(schema.outbox).where(held).values(lease_until=0))

    def set_back(self, by: timedelta) -> None:
        """The clock that all of it was written by went back: what was to be in a minute is not to be in an hour."""
        step = by // MICROSECOND
        earlier = {
            "due": _box.due - step,
            "deadline": _box.deadline - step,
            "created_at": _box.created_at - step,
            "lease_until": case((_box.lease_until > 0, _box.lease_until - step), else_=0),
        }
        with self._store.write() as tx:
            tx.connection.execute(update(schema.outbox).where(_box.state == QUEUED).values(**earlier))

    def not_after(self, now: datetime) -> timedelta:
        """As `set_back`, for what was queued at a time that is still to come; by how much the clock went back at least."""
        with self._store.read() as tx:
            newest = tx.connection.execute(select(func.max(_box.created_at)).where(_box.state == QUEUED)).scalar()
        by = timedelta(0) if newest is None else max(timedelta(0), from_micros(newest) - now)
        if by:
            self.set_back(by)
        return by

    def lanes(self) -> tuple[Lane, ...]:
        """The lanes in which something waits, by receiver, texts before charts and files."""
        query = select(_box.receiver, _box.rank).where(_box.state == QUEUED).distinct()
        with self._store.read() as tx:
            found = tx.connection.execute(query.order_by(_box.receiver, _box.rank)).all()
        return tuple(Lane(receiver, _PART[rank]) for receiver, rank in found)

    def claim(
        self, now: datetime, owner: str, lease_seconds: float, lane: Lane, *, overdue: bool = False
    ) -> Delivery | None:
        """The next item of a lane, or None; nobody else gets it before the lease is over."""
        at = to_micros(now)
        until = to_micros(now + timedelta(seconds=lease_seconds))
        queries = (_overdue(lane, at),) if overdue else (_urgent(lane, at), _next(lane, at))
        # A look first: an idle loop takes no write lock.
        with self._store.read() as tx:
            if all(tx.connection.execute(query).first() is None for query in queries):
                return None
        with self._store.write() as tx:
            row = _first(tx, queries)
            if row is None:
                return None
            root = _root(tx, row["incident"], row["receiver"])
            merged = _merged(tx, row, root, at) if lane.part is Part.TEXT else row
            if merged is None:
                return None
            row = merged
            claims, in_doubt = row["claims"] + 1, row["in_doubt"] or row["owner"] != ""
            since = told_since(tx, row["created_at"])
            lease = {"owner": owner, "lease_until": until, "claims": claims, "in_doubt": in_doubt or since is not None}
            tx.connection.execute(update(schema.outbox).where(_box.id == row["id"]).values(**lease))
            return _delivery(row | lease, root, now, since)

    def next_due(self, now: datetime, lane: Lane) -> datetime | None:
        """When the lane's next item can be claimed (`now` at the earliest); None where nothing waits."""
        free_at = case((_box.lease_until > _box.due, _box.lease_until), else_=_box.due)
        with self._store.read() as tx:
            first = tx.connection.execute(
                select(func.min(free_at)).where(_in(lane), _in_turn(lane, to_micros(now)))
            ).scalar()
        return None if first is None else max(now, from_micros(first))

    def next_deadline(self, now: datetime, lane: Lane) -> datetime | None:
        """The first deadline of what waits in a lane and is not being sent; None where nothing is urgent."""
        free = and_(_in(lane), _box.deadline.is_not(None), ~_in_flight(to_micros(now)))
        with self._store.read() as tx:
            first = tx.connection.execute(select(func.min(_box.deadline)).where(free)).scalar()
        return None if first is None else from_micros(first)

    def done(self, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
        """Delivered. It is a fact, whoever holds the lease now, and though it was merged or given up since.

        While PostgreSQL is away this waits for it: what is not noted would be sent again.
        """
        values = {**_released(DONE), "finished_at": to_micros(now), "channel": receipt.channel, "ref": receipt.ref}
        settled = update(schema.outbox).where(_box.id == delivery.id, _box.state != DONE).values(**values)
        for attempt in range(SETTLE_ATTEMPTS):
            try:
                with self._store.write() as tx:
                    tx.connection.execute(settled)
            except StoreAwayError:
                if attempt == SETTLE_ATTEMPTS - 1:
                    raise
                self._wait(1.0)
            else:
                return

    def retry(
        self,
        delivery: Delivery,
        at: datetime,
        error: str,
        *,
        counts: bool,
        plain: bool = False,
        in_doubt: bool = False,
    ) -> None:
        """Try again at `at`; `counts` says whether this was an attempt, `plain` sends plain text from now on."""
        values: dict[str, Any] = {"owner": "", "lease_until": 0, "due": to_micros(at), "last_error": error}
        values["attempts"] = _box.attempts + int(counts)
        values |= {"plain": True} if plain else {}
        values |= {"in_doubt": True} if in_doubt else {}
        with self._store.write() as tx:
            tx.connection.execute(update(schema.outbox).where(_held(delivery)).values(**values))

    def rest(self, lane: Lane, until: datetime, now: datetime) -> None:
        """What waits is due at `until` or at its deadline, unless it was due later or is being sent."""
        at, end = to_micros(now), to_micros(until)
        due = case((_box.deadline < end, _box.deadline), else_=end)
        waiting = and_(_in(lane), _box.due < due, _box.lease_until <= at, _box.due < end)
        # What another replica is about to send is not waited for.
        free = select(_box.id).where(waiting).order_by(_box.seq).with_for_update(skip_locked=True)
        with self._store.write() as tx:
            tx.connection.execute(update(schema.outbox).where(_box.id.in_(free), waiting).values(due=due))

    def dead(self, delivery: Delivery, error: str, now: datetime) -> None:
        """Given up; it stays as a dead letter."""
        with self._store.write() as tx:
            _bury(tx, delivery, error, now)

    def reroute(self, delivery: Delivery, receiver: str, error: str, now: datetime) -> None:
        """Given up here, queued for another receiver unless it was queued there before; one transaction."""
        with self._store.write() as tx:
            if _bury(tx, delivery, error, now):
                enqueue(tx, delivery.message, receiver, delivery.rerouted, now)
                if delivery.part is Part.TEXT and delivery.root is None:
                    _let_go(tx, delivery, receiver, now)


def _in(lane: Lane) -> ColumnElement[bool]:
    return and_(_box.state == QUEUED, _box.receiver == lane.receiver, _box.rank == _RANK[lane.part])


def _in_turn(lane: Lane, at: int) -> ColumnElement[bool]:
    """No queued text of the same incident and receiver before it; for a text none after it either that is being sent.

    What came here from another receiver, or is tried again by a person, may be older than what is under way.
    """
    return and_(~_blocked(), ~_in_flight(at, of_others=True)) if lane.part is Part.TEXT else ~_blocked()


def _blocked() -> ColumnElement[bool]:
    earlier = schema.outbox.alias("earlier")
    before = or_(earlier.c.seq < _box.seq, and_(earlier.c.seq == _box.seq, earlier.c.rank < _box.rank))
    return exists().where(
        earlier.c.incident == _box.incident,
        earlier.c.receiver == _box.receiver,
        earlier.c.state == QUEUED,
        earlier.c.rank == _TEXT,
        before,
    )


def _in_flight(at: int, *, of_others: bool = False) -> ColumnElement[bool]:
    """A text of the same incident and receiver is being sent; looked for among those of the incident, which are few."""
    other = schema.outbox.alias("other")
    return exists().where(
        other.c.incident == _box.incident,
        other.c.receiver == _box.receiver,
        other.c.seq >= 0,
        other.c.rank + 0 == _TEXT,
        other.c.state == QUEUED,
        other.c.lease_until > at,
        *([other.c.id != _box.id] if of_others else []),
    )


def _next(lane: Lane, at: int) -> Select[Any]:
    due = and_(_in(lane), _box.due <= at, _box.lease_until <= at, _in_turn(lane, at))
    return select(schema.outbox).where(due).order_by(_box.due, _box.seq, _box.id).limit(1)


def _urgent(lane: Lane, at: int) -> Select[Any]:
    """As `_next`, of those that have a deadline: few, so they are looked up by it and not by when they are due."""
    due = and_(_in(lane), _box.deadline > 0, _box.due + 0 <= at, _box.lease_until <= at, _in_turn(lane, at))
    return select(schema.outbox).where(due).order_by(_box.deadline, _box.seq, _box.id).limit(1)


def _overdue(lane: Lane, at: int) -> Select[Any]:
    """One whose deadline has passed, whatever it waits for."""
    due = and_(_in(lane), _box.deadline <= at, ~_in_flight(at))
    return select(schema.outbox).where(due).order_by(_box.deadline, _box.seq, _box.id).limit(1)


def _first(tx: Tx, queries: Iterable[Select[Any]]) -> dict[str, Any] | None:
    for query in queries:
        locked = query.with_for_update(skip_locked=True, of=schema.outbox)
        row = tx.connection.execute(locked).mappings().first()
        if row is not None:
            return dict(row)
    return None


def _merged(tx: Tx, row: dict[str, Any], root: Receipt | None, at: int) -> dict[str, Any] | None:
    """Of the texts that wait in a row's thread the newest, told for all of them; the others are over.

    None where another replica hands out of this thread at this moment, or did a moment ago, which the look for the row
    could not see yet. Whoever comes second steps back and never waits, so that no two wait for each other.
    """
    if not take_thread(tx.connection, row["incident"], row["receiver"]):
        return None
    thread = and_(_box.incident == row["incident"], _box.receiver == row["receiver"], _box.state == QUEUED)
    query = select(schema.outbox).where(thread, _box.rank == _TEXT).order_by(_box.seq)
    rows = [dict(found) for found in tx.connection.execute(query.with_for_update(of=schema.outbox)).mappings()]
    if not rows or any(found["lease_until"] > at for found in rows):
        return None
    if len(rows) == 1:
        return rows[0]
    newest = rows[-1]
    message = combined([from_body(Message, r["body"]) for r in rows], told_before=root is not None)
    values = {
        "body": to_body(message),
        "attempts": max(r["attempts"] for r in rows),
        "created_at": min(r["created_at"] for r in rows),
        "deadline": min((r["deadline"] for r in rows if r["deadline"] is not None), default=None),
        "in_doubt": any(r["in_doubt"] or r["owner"] != "" for r in rows),
    }
    tx.connection.execute(update(schema.outbox).where(_box.id == newest["id"]).values(**values))
    over = {**_released(MERGED), "finished_at": at, "last_error": f"told with message {newest['seq']}"}
    passed = and_(thread, _box.rank == _TEXT, _box.seq < newest["seq"])
    tx.connection.execute(update(schema.outbox).where(passed).values(**over))
    for part in (Part.CHART, Part.FILE):
        _merge_parts(tx, part, thread, over, at)
    return newest | values


def _merge_parts(tx: Tx, part: Part, thread: ColumnElement[bool], over: dict[str, Any], at: int) -> None:
    """Of the charts, or files, that wait in a thread only the newest is sent."""
    waiting = and_(thread, _box.rank == _RANK[part], _box.lease_until <= at)
    newest = tx.connection.execute(select(func.max(_box.seq)).where(waiting)).scalar()
    if newest is not None:
        tx.connection.execute(update(schema.outbox).where(waiting, _box.seq < newest).values(**over))


def _delivery(row: dict[str, Any], root: Receipt | None, now: datetime, since: int | None) -> Delivery:
    return Delivery(
        id=row["id"],
        receiver=row["receiver"],
        part=Part(row["part"]),
        message=from_body(Message, row["body"]),
        attempts=row["attempts"],
        created_at=from_micros(row["created_at"]),
        root=root,
        plain=row["plain"],
        claim=row["claims"],
        in_doubt=row["in_doubt"],
        claimed_at=now,
        told_since=None if since is None else from_micros(since),
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
    """A finished item shows no trace of who had claimed it, nor how often, nor of doubts."""
    return {"state": state, "owner": "", "lease_until": 0, "claims": 0, "in_doubt": False}


def _let_go(tx: Tx, delivery: Delivery, receiver: str, now: datetime) -> None:
    """A chart or a file of a text that began no thread here has none to be put into: it is over, and not lost."""
    ours = (_box.incident == delivery.message.key, _box.receiver == delivery.receiver, _box.rank != _TEXT)
    waiting = (_box.seq == delivery.message.seq, _box.state == QUEUED, _box.lease_until <= to_micros(now))
    over = {**_released(MERGED), "finished_at": to_micros(now), "last_error": f"its message went to {receiver}"}
    tx.connection.execute(update(schema.outbox).where(*ours, *waiting).values(**over))


def _bury(tx: Tx, delivery: Delivery, error: str, now: datetime) -> bool:
    values = {**_released(DEAD), "finished_at": to_micros(now), "last_error": error}
    return tx.connection.execute(update(schema.outbox).where(_held(delivery)).values(**values)).rowcount == 1
