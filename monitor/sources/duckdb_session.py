"""An in-memory DuckDB that may touch the files it is given and nothing else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from monitor.query import QueryRefusedError, QueryTimeoutError, SourceError
from monitor.sources.watch import Alarm, Running

_REFUSALS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.NotImplementedException)


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string constant, for the few places of DuckDB's grammar that take no parameter."""
    return "'" + text.replace("'", "''") + "'"


class Session:
    """One locked connection. Statements may be SELECTs only; parameters are `$1`, `$2`..."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def view(self, name: str, select: str) -> None:
        """Give a SELECT of ours a name, `table` or `schema.table`, that a rule's query may use."""
        schema, _, table = name.rpartition(".")
        within = f"{quoted(schema)}." if schema else ""
        if schema:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        self._connection.execute(f"CREATE VIEW {within}{quoted(table)} AS {select}")

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows."""
        self._only_reads(sql)
        return self._connection.execute(sql, list(params)).fetchall()

    def arrow(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """All rows, as an Arrow table."""
        self._only_reads(sql)
        return self._connection.sql(sql, params=list(params)).to_arrow_table()

    def _only_reads(self, sql: str) -> None:
        """DuckDB's own parser has the last word on what a statement is."""
        allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
        found = self._connection.extract_statements(sql)
        if len(found) != 1 or found[0].type not in allowed:
            raise QueryRefusedError("only one SELECT is allowed")


@contextmanager
def open_session(
    name: str,
    files: Sequence[str],
    zone: str,
    seconds: float,
    threads: int | None = None,
    running: Running | None = None,
) -> Iterator[Session]:
    """A session for this one use; see `connect` and `guarded`."""
    with as_sources_error(name):
        connection = connect(files, zone, threads)
    try:
        with guarded(connection, name, seconds, running or Running()) as session:
            yield session
    finally:
        connection.close()


def connect(files: Sequence[str], zone: str, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A database of its own that may touch `files` and nothing else; raises DuckDB's errors."""
    connection = duckdb.connect(config=_config(threads))
    try:
        _lock(connection, files, zone)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def guarded(connection: duckdb.DuckDBPyConnection, name: str, seconds: float, running: Running) -> Iterator[Session]:
    """A session that is interrupted after `seconds`; DuckDB's errors come out as the source's, naming `name`."""
    with running.limited(seconds, connection.interrupt) as alarm, as_sources_error(name, alarm):
        yield Session(connection)


@contextmanager
def as_sources_error(name: str, alarm: Alarm | None = None) -> Iterator[None]:
    """DuckDB's errors as the source's; those of a query that took too long say so."""
    try:
        yield
    except duckdb.Error as error:
        if alarm is not None and alarm.expired:
            raise QueryTimeoutError(f"{name}: timed out after {alarm.seconds:g} s") from error
        kind = QueryRefusedError if isinstance(error, _REFUSALS) else SourceError
        raise kind(f"{name}: {_one_line(error)}") from error


def _config(threads: int | None) -> dict[str, str | bool | int | float | list[str]]:
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(Path(tempfile.gettempdir()) / f"slicewatch-duckdb-{os.getpid()}"),
    }
    return config if threads is None else {**config, "threads": threads}


def _lock(connection: duckdb.DuckDBPyConnection, files: Sequence[str], zone: str) -> None:
    """The order matters: what is allowed, then nothing else, then no change to either."""
    paths = ", ".join(literal(path) for path in files)
    connection.execute(f"SET TimeZone = {literal(zone)}")
    connection.execute("SET parquet_metadata_cache = true")  # columns are looked up before rows are read
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _one_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
