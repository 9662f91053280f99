"""The log of what people did: only ever added to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, or_, select

from alerts.model import Actor
from alerts.wording import clean
from monitor.store import schema
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx

TEXT_LENGTH = 1_000


@dataclass(frozen=True)
class Acted:
    """One action: who did what to which incident or silence, when, and what came of it."""

    action: str
    subject: str
    by: Actor
    at: datetime
    detail: str

    @property
    def id(self) -> str:
        """The same for the same action by the same person at the same moment, however often it arrives."""
        parts = [self.action, self.subject, self.by.kind, self.by.id, to_micros(self.at)]
        return hashlib.blake2b(json.dumps(parts, ensure_ascii=True).encode("ascii"), digest_size=16).hexdigest()


def add_action(tx: Tx, item: Acted) -> bool:
    """Log an action; False where it is logged already. What no database takes is kept in words that show it."""
    row = {
        "id": item.id,
        "at": to_micros(item.at),
        "action": item.action,
        "subject": item.subject,
        "actor_kind": item.by.kind,
        "actor_id": clean(item.by.id, TEXT_LENGTH),
        "actor_name": clean(item.by.name, TEXT_LENGTH),
        "detail": clean(item.detail, TEXT_LENGTH),
    }
    return tx.put_new(schema.action, row)


def action(tx: Tx, action_id: str) -> Acted | None:
    """The action of this id, where it is logged."""
    row = tx.connection.execute(select(schema.action).where(schema.action.c.id == action_id)).mappings().first()
    return None if row is None else _acted(row)


def actions(tx: Tx, subject: str) -> list[Acted]:
    """What people did to an incident or a silence, oldest first."""
    table = schema.action.c
    query = select(schema.action).where(table.subject == subject).order_by(table.at, table.id)
    return [_acted(row) for row in tx.connection.execute(query).mappings()]


def _acted(row: RowMapping) -> Acted:
    return Acted(
        action=row["action"],
        subject=row["subject"],
        by=Actor(row["actor_kind"], row["actor_id"], row["actor_name"]),
        at=from_micros(row["at"]),
        detail=row["detail"],
    )


def newest_actions(tx: Tx, *, who: str | None = None, limit: int = 100, offset: int = 0) -> list[Acted]:
    """What people did, newest first; `who` is part of a name or an id."""
    table = schema.action.c
    query = select(schema.action).order_by(table.at.desc(), table.id)
    if who:
        query = query.where(
            or_(table.actor_name.icontains(who, autoescape=True), table.actor_id.icontains(who, autoescape=True))
        )
    return [_acted(row) for row in tx.connection.execute(query.limit(limit).offset(offset)).mappings()]


def acts_since(tx: Tx, since: datetime) -> dict[str, frozenset[str]]:
    """Names of the actions by what they were done to, from a moment on."""
    table = schema.action.c
    query = select(table.subject, table.action).where(table.at >= to_micros(since)).distinct()
    found: dict[str, set[str]] = {}
    for subject, name in tx.connection.execute(query):
        found.setdefault(subject, set()).add(name)
    return {subject: frozenset(names) for subject, names in found.items()}
