"""Parquet, CSV and JSON files where they lie, counted by DuckDB in this process.

Every call has an in-memory database to itself that may touch the files of its table and nothing else, and was
locked before any text of a rule reached it. That makes the source read-only and safe to share between threads.

CSV knows no NULL: an empty field is NULL, quoted or not. Dimensions of CSV and JSON files and of hive partitions
are read as text, so that a value keeps its spelling ("01") whichever files a window opens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from monitor.query import Arrivals, Column, Cost, CountQuery, QueryRefusedError, SourceError
from monitor.sources import Limits, SourceConfig
from monitor.sources.buckets import (
    EPOCH,
    ArrivalPlan,
    BucketPlan,
    Clock,
    Offsets,
    find_zone,
    instant,
    merge_windows,
    plan_arrivals,
    plan_buckets,
)
from monitor.sources.duckdb_pool import MOST_FILES, SessionPool
from monitor.sources.duckdb_session import Session, open_session, quoted
from monitor.sources.expressions import check_select, check_where, strip_end, suggest, unknown_column
from monitor.sources.file_tables import FileTable, Relation, describe_sample, find_table, relate
from monitor.sources.leaves import empty_frame, leaf_frame, refuse_fraction, refuse_negative, too_large
from monitor.sources.limits import refuse_large_scan, refuse_many_rows, row_limited, scan_limit
from rules.model import Interval, SourceRef, Timestamp
from rules.slices import Slice

_DIALECT = "duckdb"
_MICROS = 1_000_000
_INTEGERS = frozenset(
    ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
)
_ROWS = "slicewatch_rows"  # the name our SQL gives to the rows it reads, so that no column is taken for it

Windows = tuple[tuple[datetime, datetime], ...]


@dataclass
class _Bound:
    """Parameters of a statement under construction."""

    params: list[Any] = field(default_factory=list)

    def mark(self, value: Any) -> str:
        """Add a value; its `$n`."""
        self.params.append(value)
        return f"${len(self.params)}"


class DuckDBFiles:
    """A `Source` over tables that are files.

    `tables` maps a table's name to its absolute globs. Partitions that cannot hold a query's windows are not
    opened (see `partitions`); within files DuckDB skips row groups by their statistics.
    """

    def __init__(
        self,
        name: str,
        tables: Mapping[str, tuple[str, ...]],
        timeout: timedelta,
        threads: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self._tables = dict(tables)
        self._timeout = timeout
        self._threads = threads
        self._limits = limits or Limits()
        self._pool = SessionPool(threads)

    def count(self, query: CountQuery) -> pd.DataFrame:
        """Leaves of the query's windows; see `monitor.query.Source`."""
        self._refuse_large_scan(query)
        with self._prepared(query) as (session, relation, plan):
            if relation.empty or plan is None:
                return empty_frame(query)
            bound = _Bound()
            limited = row_limited(query, self._limits)
            table = session.arrow(_count_sql(limited, relation, plan, bound), bound.params)
        refuse_many_rows(query, table.num_rows, self._limits)
        return _to_frame(query, plan, table)

    def watermark(self, query: CountQuery) -> datetime | None:
        """The last arrival among the events of the windows; see `monitor.query.Source`."""
        if query.arrivals is None:
            raise ValueError("a query without arrivals has no watermark")
        self._refuse_large_scan(query)
        everything = replace(query, where=None, dimensions=(), measures=())
        with self._prepared(everything) as (session, relation, plan):
            if relation.empty or plan is None:
                return None
            bound = _Bound()
            sql = _watermark_sql(everything, relation, plan, bound)
            last = session.rows(sql, bound.params)[0][0]
        return None if last is None else EPOCH + timedelta(seconds=int(last))

    def profile(self, query: CountQuery) -> str:
        """DuckDB's own profile of the query, which it runs: operators, files opened, row groups read. JSON text."""
        with self._prepared(query) as (session, relation, plan):
            if relation.empty or plan is None:
                return "{}"
            bound = _Bound()
            sql = _count_sql(query, relation, plan, bound)
            return str(session.rows(f"EXPLAIN (ANALYZE, FORMAT json) {sql}", bound.params)[0][1])

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        """Columns of a table or query, as DuckDB reads them."""
        with self._opened(ref, None, "UTC", self._timeout) as (session, tables):
            types = describe_sample(session, tables[0]) if ref.query is None else _query(session, ref, tables).columns
        return tuple(Column(name, kind, family(kind)) for name, kind in types.items())

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        """First and last event time; see `monitor.query.Source`."""
        zone = find_zone(timestamp.timezone)
        with self._opened(ref, None, timestamp.timezone, self._timeout) as (session, tables):
            needed = (timestamp.column,)
            relation = _relation(session, ref, tables, where, needed=needed, times=needed)
            if not relation.columns:
                return None
            clock = _clock(timestamp.column, relation)
            column = f"{_ROWS}.{quoted(timestamp.column)}"
            condition = f"WHERE ({where}\n)" if where else ""
            ends = ", ".join(_micros(f"{pick}({column})", clock) for pick in ("min", "max"))
            sql = f"SELECT {ends} FROM {relation.sql} AS {_ROWS} {condition}"
            first, last = session.rows(sql)[0]
        if first is None or last is None:
            return None
        return Interval(instant(clock, first, zone), instant(clock, last, zone))

    def cost(self, query: CountQuery) -> Cost:
        """Files the query would open, of how many, and their size on disk."""
        tables = self._find(query.source, _windows(query))
        try:
            size = sum(Path(file.path).stat().st_size for table in tables for file in table.kept)
        except OSError as error:
            raise SourceError(f"{query.source.name}: {error.strerror}: {error.filename}") from error
        kept, there = sum(len(table.kept) for table in tables), sum(len(table.files) for table in tables)
        return Cost(kept, there, size, scan_limit(query, self._limits))

    def _refuse_large_scan(self, query: CountQuery) -> None:
        # The files are looked for a second time, so only where there is a limit.
        if scan_limit(query, self._limits) is not None:
            refuse_large_scan(query, self.cost(query))

    def stop(self) -> None:
        """End what runs; see `monitor.query.Stoppable`."""
        self._pool.running.stop()

    def close(self) -> None:
        """Close the databases that wait for their next use."""
        self._pool.close()

    @contextmanager
    def _prepared(self, query: CountQuery) -> Iterator[tuple[Session, Relation, BucketPlan | None]]:
        """A session, what to read and the time arithmetic (None where no window is asked for)."""
        zone = find_zone(query.timestamp.timezone).key
        limit = min(query.timeout, self._timeout)
        with self._opened(query.source, _windows(query), zone, limit) as (session, tables):
            sums = [measure.column for measure in query.measures if measure.column is not None]
            arrived = [query.arrivals.column.column] if query.arrivals is not None else []
            named = (*query.dimensions, *query.within.dimensions)
            needed = (query.timestamp.column, *named, *sums, *arrived)
            times = (query.timestamp.column, *arrived)
            relation = _relation(
                session, query.source, tables, query.where, needed=needed, times=times, dimensions=named
            )
            if not relation.columns:
                yield session, relation, None
                return
            for column in sums:
                _check_sum(column, relation)
            yield session, relation, _plan(_clock(query.timestamp.column, relation), query)

    @contextmanager
    def _opened(
        self, ref: SourceRef, windows: Windows | None, zone: str, limit: timedelta
    ) -> Iterator[tuple[Session, tuple[FileTable, ...]]]:
        tables = self._find(ref, windows)
        with self._session(ref, tables, zone, limit) as session:
            yield session, tables

    def _session(
        self, ref: SourceRef, tables: Sequence[FileTable], zone: str, limit: timedelta
    ) -> AbstractContextManager[Session]:
        seconds = limit.total_seconds()
        # A query is a team's own SELECT: what it may touch and has made is no other one's.
        if ref.query is None and len(tables[0].files) <= MOST_FILES:
            return self._pool.session(ref.name, [file.path for file in tables[0].files], zone, seconds)
        paths = {file.path: None for table in tables for file in (*table.kept, *table.sample)}
        return open_session(ref.name, tuple(paths), zone, seconds, self._threads, self._pool.running)

    def _find(self, ref: SourceRef, windows: Windows | None) -> tuple[FileTable, ...]:
        """The tables a rule reads. A query may look at any time of its tables, so none of their files is left out."""
        if ref.query is None:
            name = ".".join(ref.table)
            return (find_table(ref.name, self._patterns(name), windows),)
        names = check_select(ref.query, _DIALECT)
        return tuple(find_table(name, self._patterns(name), None) for name in sorted(names))

    def _patterns(self, name: str) -> tuple[str, ...]:
        if name in self._tables:
            return self._tables[name]
        close = suggest(name, self._tables)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise QueryRefusedError(f"{name!r} is not a table of {self.name}{hint}", subject=name, suggestions=close)


def family(kind: str) -> str:
    """The family (see `monitor.query.Column`) of a DuckDB type."""
    if kind in _INTEGERS or (kind.startswith("DECIMAL") and kind.endswith(",0)")):
        return "integer"
    if kind in {"FLOAT", "DOUBLE"} or kind.startswith("DECIMAL"):
        return "float"
    if kind.startswith("TIMESTAMP"):
        return "time"
    if kind == "VARCHAR" or kind.startswith("ENUM"):
        return "string"
    return {"DATE": "date", "BOOLEAN": "boolean"}.get(kind, "other")


def _windows(query: CountQuery) -> Windows:
    return tuple((_naive(window.start), _naive(window.end)) for window in query.windows)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _plan(clock: Clock, query: CountQuery) -> BucketPlan | None:
    if not merge_windows(query.windows):
        return None
    return plan_buckets(clock, query.timestamp.timezone, query.bucket, query.timezone, query.windows)


def _relation(
    session: Session,
    ref: SourceRef,
    tables: Sequence[FileTable],
    where: str | None,
    *,
    needed: Sequence[str],
    times: Sequence[str],
    dimensions: Sequence[str] = (),
) -> Relation:
    """What to select from, with all the columns a rule names (some of which hold `times`), or refused."""
    filtered = check_where(where, _DIALECT) if where is not None else frozenset()
    compared = {name.casefold() for name in filtered}
    # A filter may compare a dimension with a number: then it keeps the type that the format gives it.
    as_text = [name for name in dimensions if name.casefold() not in compared]
    if ref.query is None:
        relation = relate(session, tables[0], needed=(*needed, *filtered), as_text=as_text, times=times)
    else:
        relation = _query(session, ref, tables)
    if not relation.columns:
        return relation  # files without a byte: nothing came, and nobody can say which columns it lacks
    for name in needed:
        if name not in relation.columns:
            raise unknown_column(name, relation.name, relation.columns)
    known = {name.casefold() for name in relation.columns}
    for name in sorted(filtered):
        if name.casefold() not in known:
            raise unknown_column(name, relation.name, relation.columns)
    return relation


def _query(session: Session, ref: SourceRef, tables: Sequence[FileTable]) -> Relation:
    """A rule's own SELECT, over its tables by their configured names."""
    assert ref.query is not None
    for table in tables:
        session.view(table.name, relate(session, table).sql)
    sql = f"(\n{strip_end(ref.query)}\n)"
    rows = session.rows(f"DESCRIBE SELECT * FROM {sql}")
    return Relation(ref.name, sql, {str(row[0]): str(row[1]) for row in rows})


def _clock(column: str, relation: Relation) -> Clock:
    kind = relation.columns[column]
    if family(kind) == "date":
        return Clock.DATE
    if family(kind) == "time":
        return Clock.AWARE if "TIME ZONE" in kind or "TZ" in kind else Clock.NAIVE
    raise QueryRefusedError(
        f"{column!r} of {relation.name} is {kind}: a time column must be a TIMESTAMP or a DATE", subject=column
    )


def _check_sum(column: str, relation: Relation) -> None:
    kind = relation.columns[column]
    if family(kind) != "integer":
        raise refuse_fraction(column, kind)


def _count_sql(query: CountQuery, relation: Relation, plan: BucketPlan, bound: _Bound) -> str:
    """Three layers: rows near the windows that pass the filter; their UTC time and keys; the groups.

    Each layer names its columns anew, so no name of the table can be taken for one of ours.
    """
    names = [f"d{i}" for i in range(len(query.dimensions))]
    dimensions = (
        f", CAST({_ROWS}.{quoted(d)} AS VARCHAR) AS {n}" for d, n in zip(query.dimensions, names, strict=True)
    )
    inputs = (f", {_ROWS}.{quoted(m.column)} AS x{i}" for i, m in enumerate(query.measures) if m.column is not None)
    rows = f"(SELECT * FROM {relation.sql} AS {_ROWS} WHERE {_near(query, relation, plan, bound)}) AS {_ROWS}"
    utc = _shifted(_micros(f"{_ROWS}.{quoted(query.timestamp.column)}", plan.clock), "-", plan.naive)
    arrival = f", {_arrival(query.arrivals, relation, plan)} AS a" if query.arrivals is not None else ""
    keyed = f"SELECT {utc} AS u{''.join(dimensions)}{''.join(inputs)}{arrival} FROM {rows}"
    measures = [_measure(i, m.column is not None) for i, m in enumerate(query.measures)]
    key = f"({_shifted('u', '+', plan.local)} - {plan.origin * _MICROS}) // {plan.size * _MICROS} AS b"
    inside = "" if plan.exact else f" WHERE {_inside(plan)}"
    limit = "" if query.most is None else f" LIMIT {query.most}"
    if query.arrivals is None:
        groups = ", ".join(["b", *names])
        return f"SELECT {', '.join([key, *names, *measures])} FROM ({keyed}){inside} GROUP BY {groups}{limit}"
    arrived = _arrivals(query.arrivals, relation, plan)
    kept = [*names, *(f"x{i}" for i, m in enumerate(query.measures) if m.column is not None), "a"]
    numbered = f"SELECT {', '.join([key, *kept])} FROM ({keyed}){inside}"
    seen = f"a IS NULL OR a <= {arrived.until}"
    selected = ", ".join(["b", *names, *measures, f"{_lag(arrived, plan)} AS lag"])
    return f"SELECT {selected} FROM ({numbered}) WHERE {seen} GROUP BY {', '.join(['b', *names, 'lag'])}{limit}"


def _arrivals(arrivals: Arrivals, relation: Relation, plan: BucketPlan) -> ArrivalPlan:
    return plan_arrivals(_clock(arrivals.column.column, relation), arrivals, plan)


def _arrival(arrivals: Arrivals, relation: Relation, plan: BucketPlan) -> str:
    """Whole seconds since the epoch at which an event arrived; NULL where nobody noted it."""
    arrived = _arrivals(arrivals, relation, plan)
    raw = _micros(f"{_ROWS}.{quoted(arrivals.column.column)}", arrived.clock)
    return f"{_shifted(raw, '-', arrived.naive)} // {_MICROS}"


def _lag(arrived: ArrivalPlan, plan: BucketPlan) -> str:
    """The class of lateness of an event that arrived at `a`, in bucket `b`."""
    wall = f"((b + 1) * {plan.size} + {plan.origin})"
    end = _shifted(wall, "-", arrived.ends, unit=1)
    cases = "".join(f" WHEN a - {end} <= {limit} THEN {i}" for i, limit in enumerate(arrived.lags[:-1]))
    return f"CASE WHEN a IS NULL THEN 0{cases} ELSE {len(arrived.lags) - 1} END"


def _watermark_sql(query: CountQuery, relation: Relation, plan: BucketPlan, bound: _Bound) -> str:
    """The last arrival seen among the events near the windows."""
    assert query.arrivals is not None
    arrival = _arrival(query.arrivals, relation, plan)
    near = _near(query, relation, plan, bound)
    until = _arrivals(query.arrivals, relation, plan).until
    rows = f"SELECT {arrival} AS a FROM (SELECT * FROM {relation.sql} AS {_ROWS} WHERE {near}) AS {_ROWS}"
    return f"SELECT max(a) FROM ({rows}) WHERE a <= {until}"


def _near(query: CountQuery, relation: Relation, plan: BucketPlan, bound: _Bound) -> str:
    """Bounds on the raw column, which statistics of files and row groups can answer, and the rule's filter."""
    column = f"{_ROWS}.{quoted(query.timestamp.column)}"
    kind = relation.columns[query.timestamp.column]
    low, high = (f"CAST({bound.mark(moment.isoformat(' '))} AS {kind})" for moment in (plan.low, plan.high))
    conditions = [f"{column} >= {low} AND {column} < {high}", *_of_slice(query.within, bound)]
    # Last, and with a line's end: it may end with a comment.
    return " AND ".join([*conditions, *([f"({query.where}\n)"] if query.where is not None else [])])


def _of_slice(item: Slice, bound: _Bound) -> Iterator[str]:
    """Conditions that a row is of a slice; a cast makes NULL of NULL alone."""
    for name, value in item:
        column = f"CAST({_ROWS}.{quoted(name)} AS VARCHAR)"
        yield f"{column} IS NULL" if value is None else f"{column} = {bound.mark(str(value))}"


def _micros(column: str, clock: Clock) -> str:
    """Microseconds since the epoch; DuckDB has no such function for instants in nanoseconds."""
    return f"epoch_us(CAST({column} AS TIMESTAMPTZ))" if clock is Clock.AWARE else f"epoch_us({column})"


def _shifted(micros: str, sign: str, offsets: Offsets, unit: int = _MICROS) -> str:
    """`micros` (or what `unit` a second makes of it) with the offset added or taken away that holds for it."""
    if offsets.zero:
        return micros
    cases = "".join(f" WHEN {micros} < {before * unit} THEN {value * unit}" for before, value in offsets.steps)
    last = offsets.last * unit
    return f"({micros} {sign} CASE{cases} ELSE {last} END)" if cases else f"({micros} {sign} ({last}))"


def _inside(plan: BucketPlan) -> str:
    return " OR ".join(f"(u >= {start * _MICROS} AND u < {end * _MICROS})" for start, end in plan.windows)


def _measure(index: int, summed: bool) -> str:
    if not summed:
        return f"count(*) AS m{index}"
    return f"TRY_CAST(coalesce(sum(x{index}), 0) AS BIGINT) AS m{index}, bool_or(x{index} < 0) AS n{index}"


def _to_frame(query: CountQuery, plan: BucketPlan, table: pa.Table) -> pd.DataFrame:
    for i, measure in enumerate(query.measures):
        if measure.column is not None and pc.any(table[f"n{i}"]).as_py():
            raise refuse_negative(measure.column)
        if measure.column is not None and table[f"m{i}"].null_count:
            raise too_large(measure.column)
    numbers = table["b"].to_numpy().astype("int64", copy=False)
    dimensions = [_texts(table[f"d{i}"]) for i in range(len(query.dimensions))]
    measures = [table[f"m{i}"].to_numpy() for i in range(len(query.measures))]
    lags = None if query.arrivals is None else table["lag"].to_numpy().astype("int64", copy=False)
    return leaf_frame(query, plan, numbers, dimensions, measures, lags)


def _texts(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Strings and None as objects; each distinct value becomes one Python object, however often it occurs."""
    encoded = pa.chunked_array([column.combine_chunks()], type=pa.string()).dictionary_encode().combine_chunks()
    values = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    taken: npt.NDArray[Any] = values[encoded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)]
    return taken


def open_duckdb(name: str, config: SourceConfig) -> DuckDBFiles:
    """Engine of `kind = "duckdb"`."""
    return DuckDBFiles(name, config.tables, config.timeout, limits=config.limits)
