"""A SQLite store as one file to put away, while daemons and commands use it; and such a file in a store's place.

Both are checked before they count: SQLite's own check of every table and index, and ours of every page of counts.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL

from monitor.store.codec import Unpacker
from monitor.store.daemon_lock import DaemonLock
from monitor.store.engine import in_memory, parse_url, shown
from monitor.store.errors import (
    Damage,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreLockedError,
    StoreNewerError,
    translate,
)
from monitor.store.migrate import known_revisions
from monitor.store.moments import to_micros
from monitor.store.outbox_table import outbox_counts
from monitor.store.restoring import BACKUP, RESTORED, hold
from monitor.store.schema import REVISION
from monitor.store.store import BUSY_TIMEOUT, Store
from monitor.store.upkeep_table import put_upkeep, upkeep_done

ELSEWHERE = "back up a store on PostgreSQL with its own tools, `pg_dump --format=custom` or its archive of changes (docs/storage.md)"


@dataclass(frozen=True)
class Backup:
    """A file with a whole store."""

    file: Path
    size: int
    """Bytes."""
    at: datetime


@dataclass(frozen=True)
class Restored:
    """What is in the place of a store."""

    file: Path
    aside: Path | None
    """Where the store went that was there."""
    at: datetime | None
    """When the backup was made, where it says so."""
    waiting: int
    """Messages that waited when it was made."""
    held: int
    """Of these, how many are held back for a person."""


def back_up(url: str, target: Path, now: datetime, *, replace: bool = False) -> Backup:
    """Write the store at `url` to a file: all of one moment, whoever writes meanwhile. Raises StoreError.

    The file appears when it is whole and was checked. One of that name is overwritten only with `replace`.
    """
    file, store = _file_of(parse_url(url))
    if not file.is_file():
        raise StoreError(f"{store}: there is no such file")
    if target.is_dir():
        raise StoreError(f"{target} is a folder: name a file")
    if target.exists() and not replace:
        raise StoreError(f"{target} is there already: name another file, or --force to overwrite it")
    if target.exists() and target.samefile(file):
        raise StoreError(f"{target} is the store itself: name another file")
    with _new_file(target, store) as part:
        _copy(file, part, now)
        check_file(part, store)
        part.chmod(file.stat().st_mode & 0o777)
        _put(part, target, replace=replace)
    return Backup(target, target.stat().st_size, now)


def _copy(file: Path, part: Path, now: datetime) -> None:
    with closing(sqlite3.connect(file, isolation_level=None, timeout=BUSY_TIMEOUT)) as source:
        # Pages that become free can be given back in the copy, also where the original was made without that.
        source.execute("PRAGMA auto_vacuum = INCREMENTAL")
        source.execute("VACUUM INTO ?", (str(part),))
    with closing(sqlite3.connect(part, isolation_level=None)) as copied, suppress(sqlite3.OperationalError):
        # A store of before there was such a table does without.
        copied.execute("INSERT OR REPLACE INTO slicewatch_upkeep VALUES (?, ?)", (BACKUP, to_micros(now)))


def restore(url: str, source: Path, now: datetime, *, held: bool = False) -> Restored:
    """Put a backup in the place of the store at `url`, which is kept aside. Raises StoreError, and changes nothing then.

    No daemon may run on the store. With `held` a person decides on what waited to be delivered when the backup was made.
    """
    file, store = _file_of(parse_url(url))
    if not source.is_file():
        raise StoreError(f"{source}: there is no such file")
    if file.exists() and source.samefile(file):
        raise StoreError(f"{source} is the store itself: name a backup")
    check_file(source, f"backup {source}")
    if not file.absolute().parent.is_dir():
        raise StoreError(f"{store}: there is no folder {file.absolute().parent}")
    with _no_daemon(file), _new_file(file, store) as part:
        shutil.copyfile(source, part)
        at, waiting, kept_back = _prepare(
            part, now, held=held, when=datetime.fromtimestamp(source.stat().st_mtime, UTC)
        )
        mode = file.stat().st_mode if file.exists() else source.stat().st_mode
        part.chmod(mode & 0o777)
        aside = _set_aside(file, now, store) if file.exists() else None
        _put(part, file, replace=True)
    return Restored(file, aside, at, waiting, kept_back)


def _prepare(part: Path, now: datetime, *, held: bool, when: datetime) -> tuple[datetime | None, int, int]:
    """Bring a copy to this program's schema, and note in it that it is one. When it was made, what waits, what is held."""
    state = Store.open(f"sqlite:///{part}")
    try:
        with state.write() as tx:
            at = upkeep_done(tx, BACKUP)
            put_upkeep(tx, BACKUP, at or when)
            put_upkeep(tx, RESTORED, now)
            waiting = outbox_counts(tx).queued
            kept_back = hold(tx, now) if held else 0
    finally:
        state.close()
    with closing(sqlite3.connect(part, isolation_level=None)) as alone:
        alone.execute("PRAGMA journal_mode = DELETE")  # all of it in one file
    return at, waiting, kept_back


def check_file(file: Path, name: str) -> None:
    """Whether a file is a sound store that this program can use; raises StoreError."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            _check(connection, name)
    except (sqlite3.Error, Damage) as error:
        raise translate(error, name) from None


def _check(connection: sqlite3.Connection, name: str) -> None:
    faults = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if faults != ["ok"]:
        raise StoreDamagedError(f"{name} is damaged: {'; '.join(str(fault).splitlines()[0] for fault in faults)}")
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "slicewatch_schema" not in tables:
        raise StoreError(f"{name} is no store of slicewatch")
    (revision,) = connection.execute("SELECT version_num FROM slicewatch_schema").fetchone() or ("",)
    if revision not in known_revisions():
        raise StoreNewerError(
            f"{name} was written by a newer slicewatch: schema {revision}, this program knows {REVISION}"
        )
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise StoreDamagedError(f"{name} is damaged: rows refer to others that are missing")
    unpack = Unpacker()
    for table in tables & {"slicewatch_page", "slicewatch_sum"}:
        for body, version in connection.execute(f"SELECT body, version FROM {table}"):
            unpack.content(body, version)


def _file_of(url: URL) -> tuple[Path, str]:
    """The file of a SQLite store, and the store's name for people."""
    if url.get_backend_name() != "sqlite":
        raise StoreError(f"{shown(url)}: {ELSEWHERE}")
    if in_memory(url):
        raise StoreError(f"{shown(url)} is gone with its process: there is nothing to put away")
    return Path(url.database or ""), shown(url)


@contextmanager
def _no_daemon(file: Path) -> Iterator[None]:
    try:
        lock = DaemonLock(Path(f"{file}.lock"))
    except StoreLockedError as error:
        raise StoreLockedError(f"{error}: stop it first") from None
    with lock:
        yield


@contextmanager
def _new_file(target: Path, store: str) -> Iterator[Path]:
    """A file beside another one that is not there yet; nothing of it is left where the block fails."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
    except sqlite3.Error as error:
        raise translate(error, store) from None
    except OSError as error:
        raise StoreError(f"{error.filename or target} cannot be written: {error.strerror}") from None
    finally:
        for left in (part, *(Path(f"{part}{more}") for more in ("-wal", "-shm", "-journal"))):
            left.unlink(missing_ok=True)


def _put(part: Path, target: Path, *, replace: bool) -> None:
    """Under its own name in one step, and on the disk when this returns."""
    _sync(part)
    if replace:
        part.replace(target)
    else:
        os.link(part, target)  # fails where somebody else made a file of that name since
    _sync(target.absolute().parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _set_aside(file: Path, now: datetime, store: str) -> Path:
    """Give the store that is there another name as well, with its log merged into it where it can still be read."""
    aside = _free(file.with_name(f"{file.name}.before-{now:%Y%m%dT%H%M%SZ}"))
    log, kept_log = Path(f"{file}-wal"), Path(f"{aside}-wal")
    with suppress(FileNotFoundError):
        os.link(log, kept_log)
    try:
        _alone(file)
    except sqlite3.DatabaseError as error:
        if isinstance(translate(error, store), StoreBusyError):
            kept_log.unlink(missing_ok=True)
            message = f"{store} is open in another process: stop `slicewatch serve` and commands first"
            raise StoreBusyError(message) from None
        # It is damaged: the log is kept as it was, for whoever wants to save what is left.
        for more in ("-wal", "-shm"):
            Path(f"{file}{more}").unlink(missing_ok=True)
    else:
        kept_log.unlink(missing_ok=True)
    os.link(file, aside)
    return aside


def _alone(file: Path) -> None:
    """Without a log beside it, which is possible only where nobody else has the store open."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=1.0)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _free(path: Path) -> Path:
    names: Callable[[int], Path] = lambda n: path if n == 0 else path.with_name(f"{path.name}-{n}")  # noqa: E731
    return next(name for name in map(names, range(1_000)) if not name.exists())
