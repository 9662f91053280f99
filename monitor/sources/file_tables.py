"""A table that is files: which format, which files for a window, and the SQL that reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.query import SourceError
from monitor.sources.duckdb_session import Session, literal, quoted
from monitor.sources.partitions import DataFile, list_files, prune

_FORMATS = {
    "parquet": "parquet",
    "parq": "parquet",
    "pq": "parquet",
    "csv": "csv",
    "tsv": "csv",
    "json": "json",
    "ndjson": "json",
    "jsonl": "json",
}
_COMPRESSED = (".gz", ".zst")
_SAMPLE = 8
_ROWS_LOOKED_AT = 10_000
_TEXT = "VARCHAR"


@dataclass(frozen=True)
class FileTable:
    """All files of a table (empty text files left out), those a query may need (`kept`), and how to read them."""

    name: str
    format: str
    files: tuple[DataFile, ...]
    kept: tuple[DataFile, ...]

    @property
    def sample(self) -> tuple[DataFile, ...]:
        """A few files, first and last among them, that show the table's columns over time."""
        if not self.files:
            return ()
        step = max(1, -(-(len(self.files) - 1) // (_SAMPLE - 1)))
        return tuple(dict.fromkeys((*self.files[::step], self.files[-1])))

    @property
    def hive_keys(self) -> tuple[str, ...]:
        """Partition columns: those every file has; none where the layouts differ."""
        layouts = {tuple(key for key, _ in file.keys) for file in self.files}
        return layouts.pop() if len(layouts) == 1 else ()


@dataclass(frozen=True)
class Relation:
    """Something to select from: SQL for FROM with its columns (name to type). `empty` where no file is left."""

    name: str
    sql: str
    columns: Mapping[str, str]
    empty: bool = False


def find_table(name: str, patterns: Sequence[str], windows: Sequence[tuple[datetime, datetime]] | None) -> FileTable:
    """List a table's files; `windows` (naive UTC) rule out partitions, None keeps all. No file at all is an error."""
    files = list_files(patterns)
    if not files:
        raise SourceError(f"{name}: no file matches {', '.join(patterns)}")
    formats = {_format(file.path) for file in files}
    if len(formats) != 1 or "" in formats:
        raise SourceError(f"{name}: files must all be Parquet, all CSV or all JSON, by their extension")
    format_ = formats.pop()
    if format_ != "parquet":
        files = tuple(file for file in files if _size(file.path))  # says nothing, and would be taken for a column
    return FileTable(name, format_, files, files if windows is None else prune(files, windows))


def relate(
    session: Session,
    table: FileTable,
    *,
    needed: Collection[str] = (),
    as_text: Collection[str] = (),
    times: Sequence[str] = (),
) -> Relation:
    """How to read a table's kept files.

    A `needed` column that these lack but other files have reads as NULL: lakes gain columns. In the formats that
    guess types, columns in `as_text` are taken as they are spelled, and `times` may be any ISO 8601 text.
    """
    files = table.kept or table.sample
    if not files:
        return Relation(table.name, "", {}, empty=True)
    columns = _describe(session, table, files)
    lower = {name.casefold() for name in columns}
    missing = {name for name in needed if name.casefold() not in lower}
    extra = _missing(session, table, columns, missing) if missing else {}
    forced = {name: _TEXT for name in as_text if name not in times}
    texts = [name for name in times if columns.get(name) == _TEXT]
    if texts and table.format != "parquet":
        forced |= _times(session, _reader(table, files, columns, {}), texts, none="TIMESTAMP")
    reader = _reader(table, files, columns, forced)
    nulls = "".join(f", CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in extra.items())
    types = {name: forced.get(name, kind) if name in times else kind for name, kind in columns.items()}
    return Relation(table.name, f"(SELECT *{nulls} FROM {reader})", {**types, **extra}, empty=not table.kept)


def describe_sample(session: Session, table: FileTable) -> dict[str, str]:
    """Columns of a table over time, name to type."""
    return _describe(session, table, table.sample)


def _missing(session: Session, table: FileTable, columns: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    wanted = {name.casefold() for name in names}
    everywhere = describe_sample(session, table)
    return {name: kind for name, kind in everywhere.items() if name not in columns and name.casefold() in wanted}


def _describe(session: Session, table: FileTable, files: Sequence[DataFile]) -> dict[str, str]:
    """Columns and types; JSON's times are recognized even where some have fractions of a second and some not."""
    if not files:
        return {}
    reader = _reader(table, files, {}, {})
    types = {str(row[0]): str(row[1]) for row in session.rows(f"DESCRIBE SELECT * FROM {reader}")}
    texts = [name for name, kind in types.items() if kind == _TEXT and name not in table.hive_keys]
    return types if table.format != "json" or not texts else {**types, **_times(session, reader, texts)}


def _times(session: Session, reader: str, names: Sequence[str], none: str = _TEXT) -> dict[str, str]:
    """What texts are: instants where any has an offset, else wall clocks, `none` where there are none to look at."""
    parts = []
    for name in names:
        column = quoted(name)
        iso = f"regexp_matches({column}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]|$)')"
        offset = f"regexp_matches({column}, ':[0-9.]+ ?([Zz]|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$')"
        valid = f"count(TRY_CAST({column} AS TIMESTAMPTZ)) FILTER ({iso})"
        parts += [f"count({column})", valid, f"count(*) FILTER ({offset})"]
    rows = f"(SELECT {', '.join(quoted(name) for name in names)} FROM {reader} LIMIT {_ROWS_LOOKED_AT})"
    counts = iter(session.rows(f"SELECT {', '.join(parts)} FROM {rows}")[0])
    return {name: _time_type(next(counts), next(counts), next(counts), none) for name in names}


def _time_type(texts: int, times: int, instants: int, none: str) -> str:
    if not texts:
        return none
    if texts != times:
        return _TEXT
    return "TIMESTAMP WITH TIME ZONE" if instants else "TIMESTAMP"


def _reader(table: FileTable, files: Sequence[DataFile], columns: Mapping[str, str], forced: Mapping[str, str]) -> str:
    """A call of read_parquet, read_csv or read_json; `forced` types go before the format's own."""
    paths = ", ".join(literal(file.path) for file in files)
    keys = table.hive_keys
    options = [f"[{paths}]", "union_by_name = true", f"hive_partitioning = {str(bool(keys)).lower()}"]
    hive = {key: forced[key] for key in keys if key in forced}
    if hive:
        options.append(f"hive_types = {_struct(hive)}")
    body = {name: forced.get(name, kind) for name, kind in columns.items() if name not in keys}
    if table.format == "csv" and (given := {name: kind for name, kind in body.items() if name in forced}):
        options.append(f"types = {_struct(given)}")
    if table.format == "json" and body:
        options.append(f"columns = {_struct(body)}")
    return f"read_{table.format}({', '.join(options)})"


def _struct(types: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items()) + "}"


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _format(path: str) -> str:
    plain = path.lower()
    for suffix in _COMPRESSED:
        plain = plain.removesuffix(suffix)
    return _FORMATS.get(plain.rpartition(".")[2], "")
