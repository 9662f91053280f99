"""Turns that daemons on PostgreSQL take: an advisory lock for each name, held by a connection until it ends."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

PREFIX = "slicewatch chore "
"""Others may share the database, and its advisory locks."""


def take(connection: Connection, name: str) -> bool:
    """Take the lock of a name, on a connection that is in no transaction; False where another connection holds it."""
    connection.execution_options(isolation_level="AUTOCOMMIT")
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key_of(name)}).scalar())


def give_back(connection: Connection, name: str) -> None:
    """End a turn; where that cannot be said, the connection ends, and its lock with it."""
    try:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key_of(name)})
    except DBAPIError:
        connection.invalidate()


def key_of(name: str) -> int:
    """A lock's number: 64 bits of the name's hash, signed."""
    digest = hashlib.blake2b(f"{PREFIX}{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
