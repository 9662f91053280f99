"""What PostgreSQL's errors mean, and what to do about them.

A connection that was refused comes without a code, and in words only: what is known to last is told by them, all else
may pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import sqlalchemy.exc


class Sort(Enum):
    """How an error of PostgreSQL is borne."""

    AWAY = "away"
    """There is no server to speak with at present."""
    FIRST = "first"
    """Another transaction was first: the same again may well work at once."""
    BUSY = "busy"
    FULL = "full"
    DAMAGED = "damaged"
    WRONG = "wrong"
    """Somebody has to do something."""


@dataclass(frozen=True)
class Meaning:
    """An error's sort, and what a person reads behind the store's name; the server's own words follow."""

    sort: Sort
    text: str


AWAY = Meaning(Sort.AWAY, "cannot be reached at present; it is tried again")
ENDED = Meaning(Sort.AWAY, "ended the connection, nothing of this step was kept; it is tried again")
STARTING = Meaning(Sort.AWAY, "is starting or shutting down; it is tried again")
CROWDED = Meaning(
    Sort.AWAY,
    "has no connection to spare; it is tried again, but raise max_connections, or run fewer daemons on it",
)
FIRST = Meaning(Sort.FIRST, "was written to by another process first")
BUSY = Meaning(Sort.BUSY, "is locked by another process; try again once it is done")
WAITED = Meaning(Sort.BUSY, "is in full use by this process; it is tried again")
FULL = Meaning(
    Sort.FULL,
    "cannot be written: its disk is full; nothing of this step was kept, it is tried again once there is room",
)
STANDBY = Meaning(
    Sort.AWAY,
    "is read-only, as a standby is: name the primary, or several hosts with target_session_attrs=read-write",
)
LOCKED_OUT = Meaning(Sort.WRONG, "refuses this user: look at the name and the password in the url, and at pg_hba.conf")
NO_DATABASE = Meaning(Sort.WRONG, "is not there: create the database first (CREATE DATABASE), or name another one")
DAMAGED = Meaning(Sort.DAMAGED, "is damaged")
NO_RIGHTS = Meaning(Sort.WRONG, "lets this user do too little: it must own its tables, or be granted them")

BY_CODE = {
    "40001": FIRST,  # serialization
    "40P01": FIRST,  # deadlock
    "55P03": BUSY,  # lock timeout
    "53100": FULL,
    "53300": CROWDED,
    "57P01": ENDED,  # a restart, or an administrator
    "57P02": ENDED,  # a crash
    "57P03": STARTING,
    "57P05": ENDED,  # idle for too long
    "25P03": ENDED,  # idle within a transaction for too long
    "25006": STANDBY,
    "28000": LOCKED_OUT,
    "28P01": LOCKED_OUT,
    "3D000": NO_DATABASE,
    "42501": NO_RIGHTS,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}

BY_WORDS = (
    (re.compile(r'database ".*" does not exist'), NO_DATABASE),
    (
        re.compile(r'role ".*" does not exist|authentication failed|no pg_hba\.conf entry|no password supplied'),
        LOCKED_OUT,
    ),
    (re.compile(r"too many clients|too many connections|remaining connection slots"), CROWDED),
    (re.compile(r"is (starting up|shutting down|in recovery mode)|not (yet )?accepting connections"), STARTING),
    (re.compile(r"session is read-only|read-write"), STANDBY),
    (re.compile(r"No space left on device"), FULL),
    (re.compile(r"closed the connection|consuming input failed|sending query|connection is (lost|closed)"), ENDED),
)


def meaning_of(orig: BaseException | None) -> Meaning | None:
    """Of an error of psycopg, or of SQLAlchemy's pool; None for what has no meaning of its own."""
    if isinstance(orig, sqlalchemy.exc.TimeoutError):
        return WAITED
    code = getattr(orig, "sqlstate", None)
    if code == "0A000" and "during recovery" in str(orig):
        return STANDBY  # a server that follows another one, asked for a transaction that writes
    if code is not None:
        return BY_CODE.get(code, AWAY if code.startswith("08") else None)
    if type(orig).__name__ != "OperationalError":
        return None
    return next((meaning for words, meaning in BY_WORDS if words.search(str(orig))), AWAY)
