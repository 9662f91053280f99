"""Engines that the contract fills: files in four layouts, SQLite, PostgreSQL."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitor.query import Source
from monitor.sources import SourceConfig, open_source
from rules.model import SourceRef
from tests.contracts.source_contract import Events

_ARROW = {
    "naive": pa.timestamp("us"),
    "aware": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "text": pa.string(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "float": pa.float64(),
}
_SQLITE = {
    "naive": "TIMESTAMP",
    "aware": "TIMESTAMP",
    "date": "DATE",
    "text": "TEXT",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
    "float": "REAL",
}
_POSTGRES = {**_SQLITE, "aware": "TIMESTAMPTZ", "integer": "BIGINT", "float": "DOUBLE PRECISION"}


def arrow(events: Events) -> pa.Table:
    """Events as an Arrow table."""
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in events.kinds.items()])
    return pa.Table.from_pylist(list(events.records()), schema=schema)


def iso(value: Any) -> Any:
    """Times as ISO text, other values as they are."""
    return (
        value.isoformat(" ")
        if isinstance(value, datetime)
        else value.isoformat()
        if hasattr(value, "isoformat")
        else value
    )


class Files:
    """Tables as files of one format, written by `write(events, folder)`."""

    def __init__(self, folder: Path, write: Callable[[Events, Path], None], pattern: str) -> None:
        self._folder = folder
        self._write = write
        self._pattern = pattern

    def load(self, events: Events, timeout: timedelta = timedelta(seconds=30)) -> tuple[Source, SourceRef]:
        """A lake of one table, `events`."""
        folder = self._folder / str(len(list(self._folder.iterdir())))
        folder.mkdir()
        self._write(events, folder)
        tables = {"events": (str(folder / self._pattern),)}
        return open_source("lake", SourceConfig("duckdb", tables, timeout=timeout)), SourceRef("lake", ("events",))

    def shown(self, kind: str, value: Any) -> str | None:
        """As DuckDB prints it; CSV has no empty string beside NULL."""
        if value is None or (value == "" and self._pattern.endswith(".csv")):
            return None
        if kind == "boolean" and not self._pattern.endswith(".csv"):  # CSV is text: it keeps its spelling
            return str(value).lower()
        return str(iso(value))


def write_parquet(events: Events, folder: Path) -> None:
    """Two files, the first of half the rows."""
    table = arrow(events)
    half = table.num_rows // 2
    pq.write_table(table.slice(0, half), folder / "a.parquet")
    pq.write_table(table.slice(half), folder / "b.parquet")


def write_hive(events: Events, folder: Path) -> None:
    """One folder `dt=YYYY-MM-DD` per day of the time column; a file without rows where there are none."""
    days: dict[str, list[tuple[Any, ...]]] = {}
    for row in events.rows:
        day = (
            str(row[0])[:10]
            if row[0] is not None and events.kinds["ts"] in {"naive", "aware", "date"}
            else "__HIVE_DEFAULT_PARTITION__"
        )
        days.setdefault(day, []).append(row)
    for day, rows in (days or {"2026-01-05": []}).items():
        (folder / f"dt={day}").mkdir()
        pq.write_table(arrow(Events(events.kinds, rows)), folder / f"dt={day}" / "part-0.parquet")


def write_csv(events: Events, folder: Path) -> None:
    """One file, quoted where needed."""
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(events.kinds)
        writer.writerows([["" if value is None else iso(value) for value in row] for row in events.rows])


def write_json(events: Events, folder: Path) -> None:
    """One file, an object per line."""
    lines = (json.dumps({name: iso(value) for name, value in row.items()}) for row in events.records())
    (folder / "a.ndjson").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class SQLite:
    """A table in a new SQLite file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, events: Events, timeout: timedelta = timedelta(seconds=30)) -> tuple[Source, SourceRef]:
        """A database of one table, `events`."""
        path = self._folder / f"{len(list(self._folder.iterdir()))}.db"
        columns = ", ".join(f"{quoted(name)} {_SQLITE[kind]}" for name, kind in events.kinds.items())
        marks = ", ".join("?" for _ in events.kinds)
        connection = sqlite3.connect(path)
        connection.execute(f"CREATE TABLE events ({columns})")
        rows = [tuple(iso(value) for value in row) for row in events.rows]
        connection.executemany(f"INSERT INTO events VALUES ({marks})", rows)
        connection.commit()
        connection.close()
        config = SourceConfig("sql", url=f"sqlite:///{path}", timeout=timeout)
        return open_source("db", config), SourceRef("db", ("events",))

    def shown(self, kind: str, value: Any) -> str | None:
        """SQLite has no truth values: they are 1 and 0."""
        if value is None:
            return None
        return str(int(value)) if kind == "boolean" else str(iso(value))


class Postgres:
    """A table in a schema of its own per load."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._loads = 0

    def load(self, events: Events, timeout: timedelta = timedelta(seconds=30)) -> tuple[Source, SourceRef]:
        """A database of one table, `events`, in a schema with a name that needs quotes."""
        self._loads += 1
        schema = f"{self._schema} {self._loads}"
        columns = ", ".join(f"{quoted(name)} {_POSTGRES[kind]}" for name, kind in events.kinds.items())
        marks = ", ".join("%s" for _ in events.kinds)
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {quoted(schema)}".replace("%", "%%"))
            connection.exec_driver_sql(f"CREATE TABLE {quoted(schema)}.events ({columns})".replace("%", "%%"))
            if events.rows:
                rows = [tuple(row) for row in events.rows]
                into = f"INSERT INTO {quoted(schema)}.events".replace("%", "%%")
                connection.exec_driver_sql(f"{into} VALUES ({marks})", rows)
        config = SourceConfig("sql", url=self._url, timeout=timeout)
        return open_source("db", config), SourceRef("db", (schema, "events"))

    def shown(self, kind: str, value: Any) -> str | None:
        """As PostgreSQL prints it."""
        if value is None:
            return None
        return str(value).lower() if kind == "boolean" else str(iso(value))


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'
