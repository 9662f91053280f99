"""Turns that daemons on PostgreSQL take, by an advisory lock for each name.

That of a chore is held by a connection until it is given back, that of a thread of messages by a transaction.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

CHORE, THREAD = "slicewatch chore ", "slicewatch thread "
"""Others may share the database, and its advisory locks."""


def take(connection: Connection, name: str) -> bool:
    """Take the lock of a name, on a connection that is in no transaction; False where another connection holds it."""
    connection.execution_options(isolation_level="AUTOCOMMIT")
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key_of(CHORE, name)}).scalar())


def give_back(connection: Connection, name: str) -> None:
    """End a turn; where that cannot be said, the connection ends, and its lock with it."""
    try:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key_of(CHORE, name)})
    except DBAPIError:
        connection.invalidate()


def take_thread(connection: Connection, incident: str, receiver: str) -> bool:
    """Be the only transaction that hands out messages of a thread, to its end; False where another one is."""
    if connection.dialect.name != "postgresql":
        return True  # it is the only one that writes
    key = key_of(THREAD, json.dumps([incident, receiver]))
    return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}).scalar())


def key_of(kind: str, name: str) -> int:
    """A lock's number: 64 bits of the name's hash, signed."""
    digest = hashlib.blake2b(f"{kind}{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
