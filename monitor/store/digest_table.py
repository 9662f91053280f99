"""Who was told of which incident within a digest, and how much was new to a receiver lately."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import exists, func, select, update

from alerts.absences import PREFIX, SAME, Waiting, digest_key
from alerts.digests import WITHIN, Lately
from alerts.incidents import FAMILIES, Family
from alerts.model import Incident
from alerts.ports import Part
from monitor.store import schema
from monitor.store.bodies import from_body
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx

_box, _digest = schema.outbox.c, schema.digest.c
_MISSED = _digest.digest.startswith(PREFIX, autoescape=True)


def lately(tx: Tx, receiver: str, incidents: Collection[str], now: datetime) -> Lately:
    """What a receiver knows of some incidents, and how much was new to it within `WITHIN` before `now`."""
    after = to_micros(now - WITHIN)
    earlier = schema.outbox.alias("earlier").c
    before = exists().where(
        earlier.incident == _box.incident, earlier.receiver == receiver, earlier.created_at <= after
    )
    firsts = (
        select(_box.incident, schema.incident.c.body)
        .join(schema.incident, schema.incident.c.id == _box.incident)  # messages about files are no incidents
        .where(_box.receiver == receiver, _box.part == Part.TEXT.value, _box.created_at > after, ~before)
        .distinct()
    )
    told = [from_body(Incident, row.body) for row in tx.connection.execute(firsts)]
    # What was over before it was told is no storm, however much of it there is.
    now_bad = (_digest.receiver == receiver, ~_MISSED)
    begun = select(_digest.digest, func.min(_digest.at)).where(*now_bad).group_by(_digest.digest)
    fresh = select(func.count()).where(*now_bad, _digest.at > after)
    newest = tx.connection.execute(begun.having(func.min(_digest.at) > after)).all()
    return Lately(
        blind=sum(FAMILIES[item.kind] is Family.SOURCE for item in told),
        fresh=len(told) + tx.connection.execute(fresh).scalar_one(),
        digest=max(((at, key) for key, at in newest), default=(0, ""))[1],
        alone=_alone(tx, receiver, incidents),
        through=tx.pairs(
            select(_digest.incident, _digest.digest).where(
                _digest.receiver == receiver, _digest.incident.in_(incidents)
            )
        ),
    )


def _alone(tx: Tx, receiver: str, incidents: Collection[str]) -> frozenset[str]:
    query = select(_box.incident).where(_box.receiver == receiver, _box.incident.in_(incidents)).distinct()
    return frozenset(tx.connection.execute(query).scalars())


def join_digest(tx: Tx, digest: str, receiver: str, incidents: Iterable[str], now: datetime) -> None:
    """From now on these are told to the receiver in the digest."""
    for incident in incidents:
        row = {"incident": incident, "receiver": receiver, "digest": digest, "at": to_micros(now)}
        tx.put_new(schema.digest, row)


def digested(tx: Tx, digest: str) -> list[Incident]:
    """The incidents of a digest as they are now."""
    item = schema.incident.c
    query = select(item.body).where(item.id.in_(select(_digest.incident).where(_digest.digest == digest)))
    return [from_body(Incident, body) for body in tx.connection.execute(query.order_by(item.id)).scalars()]


def digest_thread(tx: Tx, digest: str) -> tuple[int, tuple[str, ...]]:
    """The number of a digest's newest message (0 where there is none), and all who were sent one."""
    rows = tx.connection.execute(select(_box.seq, _box.receiver).where(_box.incident == digest)).all()
    return max((seq for seq, _ in rows), default=0), tuple(sorted({receiver for _, receiver in rows}))


def join_missed(tx: Tx, receiver: str, incidents: Iterable[str], now: datetime) -> str:
    """The key of the digest in which a receiver is told of these, that were over before; it is sent later.

    Until then their moment is negative: whether something was told is no question of clocks.
    """
    after = to_micros(now - SAME)
    mine = (_digest.receiver == receiver, _MISSED, func.abs(_digest.at) > after)
    known = tx.connection.execute(select(func.max(_digest.digest)).where(*mine)).scalar()
    key = str(known) if known is not None else digest_key(receiver, now)
    for incident in incidents:
        row = {"incident": incident, "receiver": receiver, "digest": key, "at": -to_micros(now)}
        tx.put_new(schema.digest, row)
    return key


def waiting_missed(tx: Tx, after: datetime) -> list[Waiting]:
    """Digests of what was missed to which something was added after a moment that they have not told yet."""
    query = (
        select(_digest.digest, _digest.receiver, func.max(_digest.at), func.min(_digest.at))
        .where(_MISSED, _digest.at < -to_micros(after))
        .group_by(_digest.digest, _digest.receiver)
        .order_by(_digest.digest)
    )
    return [Waiting(key, name, from_micros(-a), from_micros(-b)) for key, name, a, b in tx.connection.execute(query)]


def untold_missed(tx: Tx, digest: str) -> frozenset[str]:
    """Incidents that were added to a digest of what was missed and that it has not told yet."""
    query = select(_digest.incident).where(_digest.digest == digest, _digest.at < 0)
    return frozenset(tx.connection.execute(query).scalars())


def told_missed(tx: Tx, digest: str, now: datetime) -> None:
    """All that was added to a digest of what was missed is told."""
    waiting = (_digest.digest == digest, _digest.at < 0)
    tx.connection.execute(update(schema.digest).where(*waiting).values(at=to_micros(now)))
