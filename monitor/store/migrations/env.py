"""Alembic's hook: migrates over the connection that `monitor.store.migrate` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from monitor.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
