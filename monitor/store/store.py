"""Opening the state store, and its transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from monitor.store import advisory, migrate
from monitor.store.daemon_lock import DaemonLock
from monitor.store.engine import WRITES, in_memory, make_engine, parse_url, shown, use_wal, without_password
from monitor.store.errors import Damage, StoreError, StoreNewerError, damaged, translate
from monitor.store.turnstile import Turnstile
from monitor.store.tx import Tx
from monitor.tracing import span

BUSY_TIMEOUT = 10.0
"""Seconds a writer waits for another one."""


INCREMENTAL = 2
"""The mode of a SQLite file that can give pages back."""
FREE_PAGES = 2_048
"""Pages given back in one step, 8 MB; fewer free ones are left for what comes."""
FREE_SHARE = 0.25
"""Share of free pages from which on a file is made smaller: what goes in a day is needed again the next day."""


class Store:
    """The state of a slicewatch: history, runs, incidents, outbox. Any number of threads and processes share it.

    Every method raises `StoreError` with one line for a person.
    """

    def __init__(self, url: URL, engine: Engine) -> None:
        self._url = url
        self._engine = engine
        # A memory database is a single connection: its transactions stand in line. So do the writers of a file: SQLite
        # lets those who find it locked try again and again, and of twenty threads one may never get its turn.
        gate = threading.RLock() if url.get_backend_name() == "sqlite" else None
        self._read_gate = gate if in_memory(url) else None
        self._write_gate = gate
        self._turnstile = Turnstile()

    @classmethod
    def open(cls, url: str, *, busy_timeout: float = BUSY_TIMEOUT) -> Store:
        """Open the store at `url`, create or migrate it where needed.

        `sqlite:///path`, `sqlite://` (in memory, gone with the process) or `postgresql+psycopg://...`.
        Raises StoreNewerError for a store of a newer program. `busy_timeout` is in seconds.
        """
        parsed = parse_url(url)
        _need_folder(parsed)
        store = cls(parsed, make_engine(parsed, busy_timeout))
        try:
            store._prepare(busy_timeout)
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self, busy_timeout: float) -> None:
        with self._translated():
            if self._engine.dialect.name == "sqlite" and not in_memory(self._url):
                use_wal(self._engine, busy_timeout)
        with self.read() as tx:
            if migrate.is_current(tx.connection):
                return
        try:
            with self.write() as tx:
                migrate.upgrade(tx.connection)
        except StoreNewerError as error:
            raise StoreNewerError(f"{shown(self._url)}: {error}") from None

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """One consistent view of the store, whatever others write meanwhile."""
        with self._transaction(writes=False) as connection:
            yield Tx(connection, writes=False)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """ONE transaction, committed at the end of the block, or wholly rolled back where it raises.

        Raises StoreBusyError, StoreFullError, ConflictError. Hold it across no network call.
        """
        with span("store.write"), self._transaction(writes=True) as connection:
            yield Tx(connection, writes=True)

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        gate = self._write_gate if writes else self._read_gate
        with self._turnstile.passed(), gate or nullcontext(), self._translated(), self._engine.connect() as connection:
            connection.execution_options(**{WRITES: writes})
            if connection.dialect.name == "postgresql" and not writes:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeoutError, self._engine.dialect.loaded_dbapi.Error, Damage) as error:
            raise translate(error, shown(self._url)) from error

    def lock_daemon(self) -> DaemonLock:
        """Be the only daemon on this SQLite file; raises StoreLockedError.

        On PostgreSQL replicas may run side by side, and nothing is locked.
        """
        if self._url.get_backend_name() != "sqlite" or in_memory(self._url):
            return DaemonLock(None)
        return DaemonLock(Path(f"{self._url.database}.lock"))

    def shut(self, seconds: float) -> bool:
        """Begin no transaction any more: StoreError for whoever wants one. Whether all that run ended within `seconds`.

        For a process that ends before its work: what is begun is wholly done or not at all, and nothing is begun.
        """
        return self._turnstile.shut(seconds)

    def check(self) -> None:
        """Raise StoreError unless the store answers, and is as this program needs it."""
        with self.read() as tx:
            if not migrate.is_current(tx.connection):
                raise StoreError(f"{shown(self._url)} is not as this version of slicewatch needs it")

    @property
    def shared(self) -> bool:
        """Whether other daemons may be on this store as well."""
        return self._url.get_backend_name() == "postgresql"

    def clock(self) -> datetime | None:
        """What time it is by the store's own clock; None for one that lives on this machine's."""
        if not self.shared:
            return None
        with self._translated(), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            found = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        assert isinstance(found, datetime)
        return found.astimezone(UTC)

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Whether no other daemon on this store is within `alone` of the same name; on PostgreSQL none is, meanwhile.

        Who loses its connection loses its turn without a word: what must not be done twice needs more than this. A
        SQLite file has one daemon, which is always alone.
        """
        if not self.shared:
            yield True
            return
        with self._translated(), self._engine.connect() as connection:
            ours = advisory.take(connection, name)
            try:
                yield ours
            finally:
                if ours:
                    advisory.give_back(connection, name)

    @property
    def name(self) -> str:
        """The store's URL for people: its password is hidden."""
        return without_password(self._url)

    def size(self) -> int:
        """Bytes that the store takes, its write-ahead log not counted."""
        with self.read() as tx:
            if tx.connection.dialect.name == "postgresql":
                query = "SELECT pg_database_size(current_database())"
            else:
                query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            return int(tx.connection.exec_driver_sql(query).scalar_one())

    def examine(self) -> None:
        """Look through every table and index of a SQLite file; raises StoreDamagedError. PostgreSQL looks after its own."""
        if self._engine.dialect.name != "sqlite":
            return
        with self.read() as tx:
            faults = tx.connection.exec_driver_sql("PRAGMA integrity_check(3)").scalars().all()
        if list(faults) != ["ok"]:
            raise damaged(shown(self._url), "; ".join(str(fault).splitlines()[-1] for fault in faults))

    def shrink(self, breathe: Callable[[], object] = lambda: None) -> None:
        """Give free pages of a SQLite file back to the file system, where they are many, some at a time.

        A file made before slicewatch asked for that keeps its size; its free pages are used again.
        """
        while self._engine.dialect.name == "sqlite" and not in_memory(self._url):
            with self.read() as tx:
                ask = "SELECT auto_vacuum, freelist_count, page_count FROM pragma_auto_vacuum, {}, {}"
                query = ask.format("pragma_freelist_count", "pragma_page_count")
                mode, free, pages = tx.connection.exec_driver_sql(query).one()
            if mode != INCREMENTAL or free < max(FREE_PAGES, FREE_SHARE * pages):
                return
            self._give_back(FREE_PAGES)
            breathe()

    def _give_back(self, pages: int) -> None:
        """As a script: the statement frees a page each time it is stepped, and the driver steps it once otherwise."""
        with self._write_gate or nullcontext(), self._translated():
            raw = self._engine.raw_connection()
            try:
                raw.cursor().executescript(f"PRAGMA incremental_vacuum({pages})")
            finally:
                raw.close()

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()


def _need_folder(url: URL) -> None:
    """SQLite says only "unable to open database file" where the folder is missing."""
    if url.get_backend_name() == "sqlite" and not in_memory(url):
        folder = Path(url.database or "").absolute().parent
        if not folder.is_dir():
            raise StoreError(f"{shown(url)}: there is no folder {folder}")
