"""Connections: SQLite made durable and strict about writers, PostgreSQL told how long to wait."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from monitor.store.errors import StoreError

WRITES = "slicewatch_writes"
"""Execution option of a connection whose next transaction writes."""

POOL, MORE = 5, 20
"""Connections to PostgreSQL that a process keeps, and opens beside them while many threads ask at once."""
IDLE_MINUTES = 10
PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
"""A server whose machine is gone closes no connection: after half a minute we do, and ask for the one that took over."""


def parse_url(url: str) -> URL:
    """The URL of a store; raises StoreError for what is no SQLite or PostgreSQL URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            "the store's url is no URL; write sqlite:///slicewatch.db or postgresql+psycopg://..."
        ) from None
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(f"{shown(parsed)}: a store is SQLite or PostgreSQL")
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def shown(url: URL) -> str:
    """The URL for people: its password is hidden."""
    return f"store {without_password(url)}"


def without_password(url: URL) -> str:
    """The URL with what may be told of it, wherever in it the password stands."""
    query = {name: "***" if "password" in name.lower() else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def in_memory(url: URL) -> bool:
    """Whether the store lives and dies with this process."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def make_engine(url: URL, busy_timeout: float) -> Engine:
    """An engine on `url`; `busy_timeout` is in seconds."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, busy_timeout)
    try:
        engine = create_engine(url, pool_pre_ping=True, pool_size=POOL, max_overflow=MORE, connect_args=_patience(url))
    except (ImportError, NoSuchModuleError):
        raise StoreError(f"{shown(url)}: the driver is missing; install slicewatch[postgresql]") from None
    # A daemon that was stopped in the middle of a transaction holds its locks: not for ever.
    _on_connect(
        engine,
        f"SET lock_timeout = {round(busy_timeout * 1000)}",
        "SET timezone = 'UTC'",
        f"SET idle_in_transaction_session_timeout = '{IDLE_MINUTES}min'",
    )
    return engine


def _patience(url: URL) -> dict[str, int]:
    """How soon a server counts as gone that does not answer at all; what the URL says holds."""
    return {name: seconds for name, seconds in PATIENCE.items() if name not in url.query}


def _sqlite(url: URL, busy_timeout: float) -> Engine:
    # One memory database is one connection, handed from thread to thread.
    pool: dict[str, Any] = {"poolclass": StaticPool} if in_memory(url) else {}
    engine = create_engine(url, connect_args={"timeout": busy_timeout, "check_same_thread": False}, **pool)
    # FULL: a commit is on the disk before it returns, so that no power cut undoes what was already told.
    _on_connect(
        engine, "PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL", f"PRAGMA journal_size_limit = {64 << 20}"
    )
    event.listen(engine, "begin", _begin)
    return engine


def _on_connect(engine: Engine, *statements: str) -> None:
    def prepare(dbapi: Any, _: ConnectionPoolEntry) -> None:
        if engine.dialect.name == "sqlite":
            dbapi.isolation_level = None  # transactions begin where `_begin` says
        cursor = dbapi.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        dbapi.commit()

    event.listen(engine, "connect", prepare)


def _begin(connection: Connection) -> None:
    # A writer that took its lock late could find that what it has read is no longer so.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def use_wal(engine: Engine, busy_timeout: float) -> None:
    """Switch a SQLite file to write-ahead logging, where readers and the writer do not wait for one another.

    The switch needs the file to itself and does not wait for it, so it is tried until `busy_timeout` is over.
    """
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            _switch_to_wal(engine)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _switch_to_wal(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            # Before anything is written, or it means nothing: pages that become free can be given back.
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    finally:
        raw.close()
