"""API tokens, those that are over included: the log of actions names them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, or_, select, update

from alerts.model import Actor
from monitor.store import schema
from monitor.store.bodies import from_body, to_body
from monitor.store.moments import from_micros, to_micros
from monitor.store.tx import Tx


@dataclass(frozen=True)
class Token:
    """An API token as it stands; what it is itself is known to whoever holds it alone."""

    id: str
    name: str
    role: str
    scopes: tuple[str, ...]
    by: Actor
    """Who gave it."""
    made_at: datetime
    expires: datetime | None
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class Used:
    """A token, and when it was last used; None for never."""

    token: Token
    used_at: datetime | None


def add_token(tx: Tx, item: Token, secret: str) -> None:
    """Keep a token, and of its secret the hash."""
    tx.put(schema.token, [{"id": item.id, "hash": hash_of(secret), "body": to_body(item), "used_at": None}])


def change_token(tx: Tx, item: Token) -> None:
    """Keep a token as it is now."""
    tx.connection.execute(update(schema.token).where(schema.token.c.id == item.id).values(body=to_body(item)))


def token(tx: Tx, token_id: str) -> Used | None:
    """The token of this id."""
    return _only(tx, _all().where(schema.token.c.id == token_id))


def token_of(tx: Tx, secret: str) -> Used | None:
    """The token that has this secret."""
    return _only(tx, _all().where(schema.token.c.hash == hash_of(secret)))


def tokens(tx: Tx) -> list[Used]:
    """All of them, by id."""
    return [_used(row) for row in tx.connection.execute(_all().order_by(schema.token.c.id))]


def token_used(tx: Tx, token_id: str, at: datetime) -> None:
    """Keep when it was last used; a time that is past already changes nothing."""
    table, micros = schema.token.c, to_micros(at)
    newer = or_(table.used_at.is_(None), table.used_at < micros)
    tx.connection.execute(update(schema.token).where(table.id == token_id, newer).values(used_at=micros))


def hash_of(secret: str) -> str:
    """SHA-256. A slow hash makes guessing dear; nobody guesses 32 random bytes, and each request has to be looked up."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _all() -> Select[Any]:
    return select(schema.token.c.body, schema.token.c.used_at)


def _only(tx: Tx, query: Select[Any]) -> Used | None:
    row = tx.connection.execute(query).first()
    return None if row is None else _used(row)


def _used(row: Row[Any]) -> Used:
    return Used(from_body(Token, row.body), None if row.used_at is None else from_micros(row.used_at))
