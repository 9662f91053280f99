"""Brings a store's schema to this program's, in one transaction, however many processes start at once.

A new store is made at once, as Alembic's own cookbook advises: only an older one needs its migrations, and the library.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, inspect, select, text

from monitor.store.errors import StoreNewerError
from monitor.store.schema import REVISION, VERSION_TABLE, metadata, version

if TYPE_CHECKING:
    from alembic.config import Config

# Any number will do as long as every process uses the same one.
_ADVISORY_LOCK = 7_310_579_414

# Alembic keeps its context in module globals: one migration at a time within a process.
_one_at_a_time = threading.Lock()


def upgrade(connection: Connection) -> None:
    """Make or migrate the tables in the caller's write transaction. Raises StoreNewerError, and then changes nothing."""
    _wait_for_others(connection)
    found = current(connection)
    if found is None:
        _create(connection)
    elif found != REVISION:
        _migrate(connection, found)


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    version.create(connection, checkfirst=True)
    connection.execute(insert(version).values(version_num=REVISION))


def known_revisions() -> frozenset[str]:
    """All that this program can begin from; its own is known without the library."""
    from alembic.script import ScriptDirectory

    return frozenset(script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions())


def _migrate(connection: Connection, found: str) -> None:
    from alembic import command

    config = _config(connection)
    if found not in known_revisions():
        raise StoreNewerError(
            f"the store's schema is {found}, this program knows up to {REVISION}: "
            "it was written by a newer slicewatch; upgrade this one"
        )
    with _one_at_a_time:
        command.upgrade(config, "head")


def downgrade(connection: Connection, revision: str) -> None:
    """Migrate down to `revision` (`base` removes every table) in the caller's write transaction."""
    from alembic import command

    _wait_for_others(connection)
    with _one_at_a_time:
        command.downgrade(_config(connection), revision)


def current(connection: Connection) -> str | None:
    """The store's revision; None for a store without tables."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(version.c.version_num)).scalar()


def is_current(connection: Connection) -> bool:
    """Whether there is nothing to migrate."""
    return current(connection) == REVISION


def _wait_for_others(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE has already made us the only writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _config(connection: Connection | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "monitor.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
