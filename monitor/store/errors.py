"""What can go wrong with the state store, in words for a person.

StoreError
├── StoreAwayError     PostgreSQL is not there, or not for writing: try again
├── StoreBusyError     another process writes for longer than we wait: try again
├── StoreFullError     nothing was written: there is no room
├── StoreLockedError   another daemon runs on this store
├── StoreNewerError    the store's schema is newer than this program
├── StoreDamagedError  what can be read is not what was written
└── ConflictError      another process was first: read again
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError

from monitor.store.postgres_errors import Sort, meaning_of


class StoreError(Exception):
    """The store could not be used. The transaction was rolled back wholly; the message is one line for a person."""


class StoreAwayError(StoreError):
    """The server cannot be reached, or takes no writes at present; a later attempt can work."""


class StoreBusyError(StoreError):
    """Another process held the store for longer than the busy timeout; a later attempt can work."""


class StoreFullError(StoreError):
    """A write found no room. Nothing of its transaction is kept; it works once there is room."""


class StoreLockedError(StoreError):
    """Another daemon runs on this store."""


class StoreNewerError(StoreError):
    """The store was written by a newer program than this one."""


class StoreDamagedError(StoreError):
    """The file holds something else than what was written to it: only a backup brings that back."""


class Damage(Exception):  # noqa: N818  # what is found within a transaction, and becomes a StoreDamagedError there
    """What was read is not what was written."""


class ConflictError(StoreError):
    """Another process wrote the same thing first: what was decided rests on an old state."""


# Besides SQLITE_FULL (no space left): writes that a quota or a file-size limit cut short, and a
# shared-memory file beside the database that could not grow.
_NO_ROOM = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}


_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


_ERRORS = {
    Sort.AWAY: StoreAwayError,
    Sort.FIRST: ConflictError,
    Sort.BUSY: StoreBusyError,
    Sort.FULL: StoreFullError,
    Sort.WRONG: StoreError,
}


def translate(error: Exception, store: str) -> StoreError:
    """The error of a driver, wrapped by SQLAlchemy or bare, as one of ours.

    `store` is the URL as shown to people, without its password.
    """
    orig = error.orig if isinstance(error, DBAPIError) else error
    reason = next(iter(str(orig).strip().splitlines()), type(orig).__name__)
    if isinstance(error, IntegrityError):
        return ConflictError(f"another process wrote to {store} first ({reason})")
    if isinstance(orig, sqlite3.Error):
        return _sqlite(orig, store, reason)
    if isinstance(orig, Damage):
        return damaged(store, reason)
    meaning = meaning_of(orig)
    if meaning is None:
        return StoreError(f"{store} cannot be used: {reason}")
    if meaning.sort is Sort.DAMAGED:
        return damaged(store, reason)
    return _ERRORS[meaning.sort](f"{store} {meaning.text} ({reason})")


def _sqlite(error: sqlite3.Error, store: str, reason: str) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _NO_ROOM:
        return StoreFullError(
            f"{store} cannot be written: the disk (or a quota or file-size limit) is full ({reason}); "
            "nothing of this step was kept, it is tried again once there is room"
        )
    # The low byte is the primary code; the rest says which kind of it.
    if code & 0xFF in _DAMAGED:
        return damaged(store, reason)
    if code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusyError(f"{store} is locked by another process ({reason}); try again once it is done")
    return StoreError(f"{store} cannot be used: {reason}")


def damaged(store: str, reason: str) -> StoreDamagedError:
    """What is wrong with a store that can be read no more, and what to do."""
    sqlite = store.startswith("store sqlite")
    without = "; without one, `sqlite3 FILE .recover` saves what is still readable" if sqlite else ""
    backup = "bring back a backup with `slicewatch restore FILE`" if sqlite else "restore a backup of the database"
    return StoreDamagedError(f"{store} is damaged ({reason}): stop slicewatch, and {backup}{without} (docs/storage.md)")
