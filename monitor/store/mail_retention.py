"""Threads of messages, and incidents, that are over and old: they go as a whole, or not at all.

A thread is needed as long as anything may be told in it: by an incident that is open, by a digest of such ones, or, of
threads that are numbered, by the newest of its kind. What waits, or is being sent, is never taken away.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Select, and_, case, delete, exists, func, or_, select

from alerts.model import State
from monitor.store import schema
from monitor.store.outbox_table import DEAD, QUEUED
from monitor.store.tx import Tx

THREADS = 100
"""Threads, or incidents, that one step takes away."""

_NUMBERED = re.compile(r"(.+-)(\d{6})")
_box, _digest, _incident = schema.outbox.c, schema.digest.c, schema.incident.c
_RESOLVED = State.RESOLVED.value


def old_threads(tx: Tx, done_before: int, dead_before: int) -> list[str]:
    """Keys of threads whose last message was over by then (microseconds), the later moment for those with a dead letter."""
    newest = func.max(func.coalesce(_box.finished_at, _box.created_at))
    dead = func.max(case((_box.state == DEAD, 1), else_=0))
    waiting = func.max(case((_box.state == QUEUED, 1), else_=0))
    over = and_(waiting == 0, or_(and_(dead == 0, newest < done_before), and_(dead == 1, newest < dead_before)))
    found = tx.connection.execute(select(_box.incident).group_by(_box.incident).having(over).order_by(_box.incident))
    keys = list(found.scalars())
    needed = set(tx.connection.execute(select(_incident.id).where(_incident.state != _RESOLVED)).scalars())
    open_digests = select(_digest.digest).join(schema.incident, _incident.id == _digest.incident)
    needed |= set(tx.connection.execute(open_digests.where(_incident.state != _RESOLVED)).scalars())
    needed |= _newest_numbered(tx.connection.execute(select(_box.incident).distinct()).scalars())
    return [key for key in keys if key not in needed]


def _newest_numbered(keys: Iterable[str]) -> set[str]:
    """Of each kind of numbered threads the last: the next one gets the number after it."""
    last: dict[str, str] = {}
    for key in keys:
        found = _NUMBERED.fullmatch(key)
        if found is not None:
            last[found[1]] = max(key, last.get(found[1], ""))
    return set(last.values())


def drop_threads(tx: Tx, keys: Collection[str]) -> int:
    """Take threads away, unless they are needed since; number of their messages."""
    other = schema.outbox.alias("other").c
    waiting = exists().where(other.incident == _box.incident, other.state == QUEUED)
    reopened = exists().where(_incident.id == _box.incident, _incident.state != _RESOLVED)
    query = delete(schema.outbox).where(_box.incident.in_(list(keys)), ~waiting, ~reopened)
    return int(tx.connection.execute(query.execution_options(preserve_rowcount=True)).rowcount)


def old_incidents(tx: Tx, before: int) -> list[str]:
    """Ids of some incidents that are resolved, of which nothing was told since a moment (microseconds)."""
    last = func.max(schema.transition.c.at)
    query = (
        select(_incident.id)
        .outerjoin(schema.transition, schema.transition.c.incident == _incident.id)
        .where(_incident.state == _RESOLVED, _incident.since < before, ~_told(_incident.id, QUEUED))
        .group_by(_incident.id)
        .having(or_(last.is_(None), last < before))
    )
    return list(tx.connection.execute(query.order_by(_incident.id).limit(THREADS)).scalars())


def _told(key: ColumnElement[str], state: str) -> ColumnElement[bool]:
    return exists().where(_box.incident == key, _box.state == state)


def drop_incidents(tx: Tx, ids: Collection[str]) -> int:
    """Take away resolved incidents with their steps, decisions and messages; how many."""
    still: Select[tuple[str]] = select(_incident.id).where(_incident.id.in_(list(ids)), _incident.state == _RESOLVED)
    found = list(tx.connection.execute(still.where(~_told(_incident.id, QUEUED))).scalars())
    for table in (schema.outbox, schema.digest, schema.decision, schema.transition):
        tx.connection.execute(delete(table).where(table.c.incident.in_(found)))
    tx.connection.execute(delete(schema.incident).where(_incident.id.in_(found)))
    return len(found)
