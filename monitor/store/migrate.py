"""Brings a store's schema to this program's, in one transaction, however many processes start at once."""

from __future__ import annotations

import threading

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from monitor.store.errors import StoreNewerError
from monitor.store.schema import VERSION_TABLE

# Any number will do as long as every process uses the same one.
_ADVISORY_LOCK = 7_310_579_414

# Alembic keeps its context in module globals: one migration at a time within a process.
_one_at_a_time = threading.Lock()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Migrate up to `revision` in the caller's write transaction. Raises StoreNewerError, and then changes nothing."""
    with _one_at_a_time:
        _wait_for_others(connection)
        _refuse_newer(connection)
        if current(connection) != _head():
            command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Migrate down to `revision` (`base` removes every table) in the caller's write transaction."""
    with _one_at_a_time:
        _wait_for_others(connection)
        command.downgrade(_config(connection), revision)


def current(connection: Connection) -> str | None:
    """The store's revision; None for a store without tables."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def is_current(connection: Connection) -> bool:
    """Whether there is nothing to migrate."""
    return current(connection) == _head()


def _wait_for_others(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE has already made us the only writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _refuse_newer(connection: Connection) -> None:
    revision = current(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreNewerError(
            f"the store's schema is {revision}, this program knows up to {_head()}: "
            "it was written by a newer slicewatch; upgrade this one"
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def _head() -> str | None:
    return _scripts().get_current_head()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", "monitor.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
