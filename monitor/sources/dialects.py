"""What differs between SQL engines, in one table. Tried against real servers: SQLite and PostgreSQL.

The other rows follow their manuals and are only tried as far as SQL can be compiled without a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from monitor.query import QueryRefusedError

Whole = sa.ColumnElement[int]
Anything = sa.ColumnElement[Any]


@dataclass(frozen=True)
class Dialect:
    """How one engine is spoken to."""

    sqlglot: str
    """sqlglot's name for its grammar."""
    epoch: Callable[[Anything], Whole]
    """Whole seconds since the epoch, rounded down, of a time column; a wall clock counts as UTC."""
    opening: tuple[str, ...] = ()
    """Statements that begin a transaction: read-only, `{ms}` and `{s}` as the time limit, times in UTC."""
    instants: frozenset[str] = frozenset()
    """Types that are instants without saying so; bounds for them are bound as UTC wall clocks."""
    remainder: Callable[[Whole, Whole], Whole] = lambda whole, size: whole % size
    text_times: bool = False
    """Times are stored as text, and any column may hold any type."""
    explains: bool = False
    """Says beforehand how much a statement reads."""


def dialect_of(backend: str) -> Dialect:
    """The dialect of an SQLAlchemy backend, or refused."""
    found = DIALECTS.get(backend)
    if found is None:
        known = ", ".join(sorted(DIALECTS))
        raise QueryRefusedError(f"the engine {backend} is not supported yet; there are {known}", subject=backend)
    return found


def _sqlite(column: Anything) -> Whole:
    """Fractions of a second are cut off first: SQLite would round them into the next second."""
    whole = sa.func.substr(column, 1, 19)
    text = sa.case(
        (sa.func.instr(column, ".") != 20, column),
        (column.op("GLOB")("*[+-]??:??"), whole.concat(sa.func.substr(column, -6))),
        else_=whole,
    )
    return sa.cast(sa.func.strftime("%s", text), sa.Integer)


def _postgresql(column: Anything) -> Whole:
    return sa.cast(sa.func.floor(sa.extract("epoch", column)), sa.BigInteger)


def _mysql(column: Anything) -> Whole:
    return sa.func.timestampdiff(sa.text("SECOND"), sa.literal_column("'1970-01-01 00:00:00'"), column)


def _duckdb(column: Anything) -> Whole:
    return sa.cast(sa.func.floor(sa.func.epoch(column)), sa.BigInteger)


def _bigquery(column: Anything) -> Whole:
    return sa.func.unix_seconds(sa.func.timestamp(column))


def _snowflake(column: Anything) -> Whole:
    return sa.func.date_part(sa.literal_column("'epoch_second'"), column)


def _clickhouse(column: Anything) -> Whole:
    return sa.func.toInt64(sa.func.toUnixTimestamp(column))


def _trino(column: Anything) -> Whole:
    return sa.cast(sa.func.floor(sa.func.to_unixtime(column)), sa.BigInteger)


def _mod(whole: Whole, size: Whole) -> Whole:
    return sa.func.mod(whole, size)


# A query ends soon after the process that asked, however that one ended; servers before 14 do not know how.
_ENDS_WITH_US = (
    "SELECT set_config(name, '5s', true) FROM pg_settings "
    "WHERE name = 'client_connection_check_interval' AND version() LIKE '%%linux%%'"
)
_POSTGRESQL = Dialect(
    "postgres",
    _postgresql,
    (
        "SET TRANSACTION READ ONLY",
        "SET LOCAL statement_timeout = {ms}",
        "SET LOCAL TIME ZONE 'UTC'",
        _ENDS_WITH_US,
    ),
    explains=True,
)
_MYSQL = Dialect(
    "mysql",
    _mysql,
    (
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION max_execution_time = {ms}",
        "SET SESSION time_zone = '+00:00'",
        "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
    ),
    instants=frozenset({"TIMESTAMP"}),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "sqlite": Dialect("sqlite", _sqlite, ("PRAGMA query_only = true",), text_times=True),
        "postgresql": _POSTGRESQL,
        "mysql": _MYSQL,
        "duckdb": Dialect("duckdb", _duckdb),
        "bigquery": Dialect("bigquery", _bigquery, instants=frozenset({"TIMESTAMP"}), remainder=_mod),
        "snowflake": Dialect(
            "snowflake",
            _snowflake,
            ("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {s}", "ALTER SESSION SET TIMEZONE = 'UTC'"),
            instants=frozenset({"TIMESTAMP_TZ", "TIMESTAMP_LTZ"}),
            remainder=_mod,
        ),
        "clickhousedb": Dialect("clickhouse", _clickhouse, instants=frozenset({"DATETIME", "DATETIME64"})),
        "trino": Dialect("trino", _trino, remainder=_mod),
    }
)
