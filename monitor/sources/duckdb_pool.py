"""Databases that are used again while the files they may touch are what they were: to open one takes longer than to count."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from monitor.query import SourceError
from monitor.sources.duckdb_session import Session, as_sources_error, connect, guarded
from monitor.sources.watch import Running

MOST_FILES = 500
"""With more files a database is opened for those of a query alone: to allow and look at all of them takes too long."""
MOST_IDLE = 4

Mark = tuple[str, int, int, int]
Key = tuple[tuple[Mark, ...], str]


@dataclass
class SessionPool:
    """Databases of one source that wait for their next use. Threads share it; each has a database to itself.

    What is known of a file is never kept beyond a change of it: its inode, size and time are part of the key.
    """

    threads: int | None = None
    running: Running = field(default_factory=Running)
    """What runs in any of them."""
    _idle: list[tuple[Key, duckdb.DuckDBPyConnection]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def session(self, name: str, files: Sequence[str], zone: str, seconds: float) -> Iterator[Session]:
        """As `open_session`; after an error the database is not used again."""
        key = (_marks(name, files), zone)
        connection = self._take(key)
        if connection is None:
            with as_sources_error(name):
                connection = connect(files, zone, self.threads)
        try:
            with guarded(connection, name, seconds, self.running) as session:
                yield session
        except BaseException:
            connection.close()
            raise
        self._give(key, connection)

    def close(self) -> None:
        """Close what waits."""
        with self._lock:
            waiting, self._idle = self._idle, []
        for _, connection in waiting:
            connection.close()

    def _take(self, key: Key) -> duckdb.DuckDBPyConnection | None:
        with self._lock:
            at = next((i for i, (known, _) in enumerate(self._idle) if known == key), None)
            return None if at is None else self._idle.pop(at)[1]

    def _give(self, key: Key, connection: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            self._idle.append((key, connection))
            oldest = self._idle.pop(0)[1] if len(self._idle) > MOST_IDLE else None
        if oldest is not None:
            oldest.close()


def _marks(name: str, files: Sequence[str]) -> tuple[Mark, ...]:
    try:
        found = [(path, os.stat(path)) for path in files]  # noqa: PTH116  # a Path for each of hundreds takes longer
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}: {error.filename}") from error
    return tuple((path, mark.st_mtime_ns, mark.st_size, mark.st_ino) for path, mark in found)
