"""Any warehouse with an SQLAlchemy dialect: one GROUP BY in a read-only transaction with a time limit."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.sql.elements import quoted_name

from monitor.query import Column, Cost, CountQuery, QueryRefusedError, QueryTimeoutError, SourceError
from monitor.sources import Limits, SourceConfig
from monitor.sources.buckets import (
    EPOCH,
    ArrivalPlan,
    BucketPlan,
    Clock,
    Offsets,
    find_zone,
    merge_windows,
    plan_arrivals,
    plan_buckets,
)
from monitor.sources.dialects import Anything, Dialect, Whole, dialect_of
from monitor.sources.expressions import check_select, check_table, check_where, suggest, unknown_column
from monitor.sources.leaves import INT64_MAX, empty_frame, leaf_frame, refuse_fraction, refuse_negative, too_large
from monitor.sources.limits import refuse_large_scan, refuse_many_rows, row_limited, scan_limit
from monitor.sources.postgresql import estimated_bytes
from monitor.sources.sql_tables import SqlColumn, SqlRelation, Verbatim, all_tables, relate
from monitor.sources.watch import Alarm, Running
from rules.model import Interval, Metric, SourceRef, Timestamp
from rules.slices import Slice

_CONNECT_SECONDS = 10
_GRACE = 2.0  # the server's own limit comes first; ours stands behind it
_LONGEST_VALUE = 100_000_000  # bytes: SQLite would make a value of a thousand million of them
_CANCELLED = "57014"
_NOT_THERE = frozenset({"42P01", "3F000"})
_NOT_ALLOWED = "42501"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY = timedelta(days=1)
_A = "slicewatch_"  # begins every name we give, so that a filter's column is never taken for one of ours


class SqlSource:
    """A `Source` over one database. `url` may hold secrets: no message repeats them.

    SQLite holds times as text: columns declared TIMESTAMP, DATETIME or DATE with ISO 8601 values are read, and a
    value with an offset is an instant.
    """

    def __init__(self, name: str, url: sa.URL | str, timeout: timedelta, limits: Limits | None = None) -> None:
        self.name = name
        self._timeout = timeout
        self._limits = limits or Limits()
        self._url = _parse(name, url)
        self._dialect = dialect_of(self._url.get_backend_name())
        self._engine = _engine(name, self._url, self._limits.concurrency)
        self._running = Running()

    def count(self, query: CountQuery) -> pd.DataFrame:
        """Leaves of the query's windows; see `monitor.query.Source`."""
        with self._connected(query.source, min(query.timeout, self._timeout)) as connection:
            asked = self._asked(connection, query)
            if asked is None:
                return empty_frame(query)
            statement = _statement(row_limited(query, self._limits), asked, self._dialect)
            refuse_large_scan(query, self._cost(connection, query, statement))
            rows = connection.execute(statement).fetchall()
        refuse_many_rows(query, len(rows), self._limits)
        return _to_frame(query, asked.plan, [tuple(row) for row in rows], self._dialect)

    def watermark(self, query: CountQuery) -> datetime | None:
        """The last arrival among the events of the windows; see `monitor.query.Source`."""
        if query.arrivals is None:
            raise ValueError("a query without arrivals has no watermark")
        everything = replace(query, where=None, dimensions=(), measures=())
        with self._connected(query.source, min(query.timeout, self._timeout)) as connection:
            asked = self._asked(connection, everything)
            if asked is None:
                return None
            statement = _watermark(everything, asked, self._dialect)
            refuse_large_scan(query, self._cost(connection, query, statement))
            last = connection.execute(statement).scalar()
        return None if last is None else EPOCH + timedelta(seconds=int(last))

    def _asked(self, connection: sa.Connection, query: CountQuery) -> _Asked | None:
        """The query's columns, proven usable, and its arithmetic; None where no window is asked for."""
        relation = self._relation(connection, query.source, query.where)
        time = _time_column(query.timestamp, relation, self._dialect)
        arrived = None if query.arrivals is None else _time_column(query.arrivals.column, relation, self._dialect)
        for name in (*query.dimensions, *query.within.dimensions):
            _column(name, relation)
        for measure in query.measures:
            _check_sum(measure, relation)
        if not merge_windows(query.windows):
            return None
        if self._dialect.text_times:
            for column in filter(None, (time, arrived)):
                _first_and_last(connection, relation, column, None, self._dialect)  # refuses what is not ISO text
        plan = plan_buckets(_clock(time), query.timestamp.timezone, query.bucket, query.timezone, query.windows)
        if query.arrivals is None or arrived is None:
            return _Asked(relation, time, plan)
        return _Asked(relation, time, plan, plan_arrivals(_clock(arrived), query.arrivals, plan))

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        """Columns of a table or query; the type is "" where the engine does not say it."""
        with self._connected(ref, self._timeout) as connection:
            return tuple(found.column for found in self._relation(connection, ref, None).columns.values())

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        """First and last event time; see `monitor.query.Source`."""
        zone = find_zone(timestamp.timezone)
        with self._connected(ref, self._timeout) as connection:
            relation = self._relation(connection, ref, where)
            time = _time_column(timestamp, relation, self._dialect)
            first, last = _first_and_last(connection, relation, time, where, self._dialect)
        if first is None or last is None:
            return None
        return Interval(_moment(first, time, zone), _moment(last, time, zone))

    def cost(self, query: CountQuery) -> Cost:
        """What PostgreSQL's planner expects to read; other engines do not say it before they are asked."""
        if not self._dialect.explains:
            return Cost(limit=scan_limit(query, self._limits))
        with self._connected(query.source, min(query.timeout, self._timeout)) as connection:
            asked = self._asked(connection, query)
            if asked is None:
                return Cost(limit=scan_limit(query, self._limits))
            return self._estimate(connection, query, _statement(query, asked, self._dialect))

    def _cost(self, connection: sa.Connection, query: CountQuery, statement: sa.Select[Any]) -> Cost:
        """Asked for only where there is a limit to hold it against."""
        limited = self._dialect.explains and scan_limit(query, self._limits) is not None
        return self._estimate(connection, query, statement) if limited else Cost()

    def _estimate(self, connection: sa.Connection, query: CountQuery, statement: sa.Select[Any]) -> Cost:
        return Cost(bytes=estimated_bytes(connection, statement), limit=scan_limit(query, self._limits))

    def tables(self) -> tuple[tuple[str, ...], ...]:
        """Tables and views outside of the engine's own schemas; see `monitor.query.Listing`."""
        with self._connected(SourceRef(self.name), self._timeout) as connection:
            return all_tables(connection)

    def stop(self) -> None:
        """Cancel what runs at the server; see `monitor.query.Stoppable`."""
        self._running.stop()

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    def _relation(self, connection: sa.Connection, ref: SourceRef, where: str | None) -> SqlRelation:
        """What to read, once the rule's SQL is proven harmless and its columns are known to be there."""
        if ref.query is not None:
            check_select(ref.query, self._dialect.sqlglot)
        else:
            check_table(".".join(ref.table), self._dialect.sqlglot)
        filtered = check_where(where, self._dialect.sqlglot) if where is not None else frozenset()
        relation = relate(connection, ref, self._dialect)
        known = {name.casefold() for name in relation.columns}
        for name in sorted(filtered):
            if name.casefold() not in known:
                raise unknown_column(name, relation.name, relation.columns)
        return relation

    @contextmanager
    def _connected(self, ref: SourceRef, limit: timedelta) -> Iterator[sa.Connection]:
        """A read-only transaction that ends after `limit`; errors come out as the source's."""
        seconds = limit.total_seconds()
        alarm: Alarm | None = None
        try:
            with self._engine.connect() as connection:
                raw = connection.connection.driver_connection
                grace = _GRACE if any("{" in opening for opening in self._dialect.opening) else 0.0
                with self._running.limited(seconds + grace, lambda: _interrupt(raw)) as alarm:
                    for opening in self._dialect.opening:
                        connection.exec_driver_sql(opening.format(ms=_millis(seconds), s=max(1, round(seconds))))
                    yield connection
        except NoSuchTableError as error:
            raise self._unknown_table(ref) from error
        except DBAPIError as error:
            if _state(error) in _NOT_THERE and ref.query is None:
                raise self._unknown_table(ref) from error
            late = _ran_out(error) or (alarm is not None and alarm.expired)
            raise self._explained(ref, error, f"timed out after {seconds:g} s" if late else None) from error
        except SQLAlchemyError as error:
            raise SourceError(f"{ref.name}: {self._line(error)}") from error

    def _explained(self, ref: SourceRef, error: DBAPIError, late: str | None) -> SourceError:
        if late is not None:
            return QueryTimeoutError(f"{ref.name}: {late}")
        kind = QueryRefusedError if _refuses(error) else SourceError
        return kind(f"{ref.name}: {self._line(error.orig or error)}")

    def _unknown_table(self, ref: SourceRef) -> QueryRefusedError:
        """Refusal of a table, with the ones of its schema that are like it."""
        shown = ".".join(ref.table)
        try:
            inspector = sa.inspect(self._engine)
            schema = ".".join(ref.table[:-1]) or None
            names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        except SQLAlchemyError:
            names = []
        close = suggest(ref.table[-1], names)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return QueryRefusedError(f"{shown!r} is not a table of {self.name}{hint}", subject=shown, suggestions=close)

    def _line(self, error: BaseException) -> str:
        """The first line of an error, without the URL's secrets."""
        line = next((part.strip() for part in str(error).splitlines() if part.strip()), type(error).__name__)
        for secret in _secrets(self._url):
            line = line.replace(secret, "***")
        return line


@dataclass(frozen=True)
class _Asked:
    """What a query reads, and its arithmetic."""

    relation: SqlRelation
    time: SqlColumn
    plan: BucketPlan
    arrived: ArrivalPlan | None = None


def open_sql(name: str, config: SourceConfig) -> SqlSource:
    """Engine of `kind = "sql"`."""
    if not config.url:
        raise SourceError(f'source {name}: kind "sql" needs a url')
    return SqlSource(name, config.url, config.timeout, config.limits)


def _parse(name: str, url: sa.URL | str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text itself may hold a password, so it is not repeated
        raise SourceError(
            f"source {name}: its url is no SQLAlchemy URL (dialect://user:password@host/database)"
        ) from error


def _engine(name: str, url: sa.URL, concurrency: int) -> sa.Engine:
    """An engine that has not connected yet."""
    try:
        if url.get_backend_name() == "sqlite":
            return sa.create_engine(url, creator=lambda: _open_sqlite(url), poolclass=sa.NullPool, hide_parameters=True)
        arguments = {"connect_timeout": _CONNECT_SECONDS} if url.get_backend_name() == "postgresql" else {}
        return sa.create_engine(
            url, connect_args=arguments, pool_size=concurrency, pool_pre_ping=True, hide_parameters=True
        )
    except NoSuchModuleError as error:
        raise SourceError(f"source {name}: no SQLAlchemy dialect for {url.drivername} is installed") from error
    except ModuleNotFoundError as error:
        raise SourceError(f"source {name}: the driver {error.name} of {url.drivername} is not installed") from error


def _open_sqlite(url: sa.URL) -> sqlite3.Connection:
    """SQLite's own read-only mode: it neither writes nor creates the file."""
    path = Path(url.database or "").absolute()
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    return connection


def _interrupt(raw: Any) -> None:
    """Ask a driver's connection to stop, from another thread."""
    stop = getattr(raw, "interrupt", None) or getattr(raw, "cancel", None)
    if stop is not None:
        stop()


def _millis(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")


def _ran_out(error: DBAPIError) -> bool:
    """Whether the server's own limit ended it; a person there, or ourselves, may cancel a query too."""
    return _state(error) == _CANCELLED and "user request" not in str(error.orig)


def _refuses(error: DBAPIError) -> bool:
    """Whether the rule is at fault, so that asking again is of no use."""
    state = _state(error)
    if state:
        return (state.startswith("42") and state != _NOT_ALLOWED) or state.startswith("0A")
    text = str(error.orig)
    return any(
        sign in text for sign in ("no such column", "no such function", "syntax error", "misuse of", "wrong number")
    )


def _secrets(url: sa.URL) -> list[str]:
    values = [str(url.password)] if url.password else []
    for key, value in url.query.items():
        if any(word in key.lower() for word in ("password", "token", "secret", "key", "credential")):
            values += [value] if isinstance(value, str) else list(value)
    return [form for value in values if value for form in {value, quote(value), quote(value, safe="")}]


def _column(name: str, relation: SqlRelation) -> SqlColumn:
    found = relation.columns.get(name)
    if found is None:
        raise unknown_column(name, relation.name, relation.columns)
    return found


def _time_column(timestamp: Timestamp, relation: SqlRelation, dialect: Dialect) -> SqlColumn:
    """The column of event time, or refused where it does not hold times."""
    found = _column(timestamp.column, relation)
    if found.known and found.clock is None:
        raise QueryRefusedError(
            f"{timestamp.column!r} of {relation.name} is {found.column.type}: "
            "a time column must be a TIMESTAMP or a DATE",
            subject=timestamp.column,
        )
    if not found.known and not dialect.text_times and timestamp.timezone != "UTC":
        raise QueryRefusedError(
            f"the engine does not say whether {timestamp.column!r} holds instants: read it as UTC, or from a table",
            subject=timestamp.column,
        )
    return found


def _clock(column: SqlColumn) -> Clock:
    return column.clock or Clock.NAIVE


def _check_sum(measure: Metric, relation: SqlRelation) -> None:
    if measure.column is None:
        return
    found = _column(measure.column, relation)
    if found.known and found.column.family != "integer":
        raise refuse_fraction(measure.column, found.column.type)


def _first_and_last(
    connection: sa.Connection, relation: SqlRelation, time: SqlColumn, where: str | None, dialect: Dialect
) -> tuple[Any, Any]:
    """The least and the greatest raw time, each by itself so that an index can answer.

    Where times are text, the two also show whether it is ISO text: anything else sorts before or after it.
    """
    column = _named(time.column.name)
    ends = [
        sa.select(pick(column)).select_from(relation.selectable).where(*_filter(where)).scalar_subquery()
        for pick in (sa.func.min, sa.func.max)
    ]
    first, last = connection.execute(sa.select(*ends)).one()
    if dialect.text_times:
        for value in (first, last):
            _check_text(value, time.column.name, relation)
    return first, last


def _check_text(value: Any, name: str, relation: SqlRelation) -> None:
    if value is not None and _iso(value) is None:
        raise QueryRefusedError(
            f"{name!r} of {relation.name} holds {value!r}: times must be ISO 8601 text, such as 2026-01-31 07:00:00",
            subject=name,
        )


def _iso(value: Any) -> datetime | None:
    if not isinstance(value, str) or not _ISO.match(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _moment(value: Any, time: SqlColumn, zone: ZoneInfo) -> datetime:
    """The UTC time of a raw value as a driver returns it."""
    found = _iso(value) if isinstance(value, str) else value
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, datetime.min.time())
    if not isinstance(found, datetime):
        raise SourceError(f"{time.column.name!r} holds {value!r}, which is no time")
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC if _clock(time) is Clock.AWARE else zone)
    return found.astimezone(UTC)


def _statement(query: CountQuery, asked: _Asked, dialect: Dialect) -> sa.Select[Any]:
    """Three layers: rows near the windows that pass the filter; those inside, with their keys; the groups.

    With arrivals a fourth one between the last two: the class of lateness of each row.
    """
    plan = asked.plan
    rows = _rows(query, asked, dialect)
    seconds = _utc(rows, plan.naive, dialect)
    local = _shifted(seconds, 1, plan.local) - _whole(plan.origin)
    key = (local - dialect.remainder(local, _whole(plan.size))).label(f"{_A}b")
    inside = sa.true() if plan.exact and not dialect.text_times else _inside(seconds, plan)
    kept = [column for column in rows.c if column.name[len(_A)] in "dx"]
    groups = [f"{_A}b", *(f"{_A}d{i}" for i in range(len(query.dimensions)))]
    if asked.arrived is not None:
        kept.append(_utc(rows, asked.arrived.naive, dialect, of="a").label(f"{_A}at"))
        groups.append(f"{_A}lag")
    keyed = sa.select(key, *kept).where(inside).subquery(f"{_A}keyed")
    if asked.arrived is not None:
        keyed = _classed(keyed, asked.arrived, plan)
    measures = [part for i, m in enumerate(query.measures) for part in _aggregates(i, m, keyed, dialect)]
    columns = [keyed.c[name] for name in groups]
    return sa.select(*columns, *measures).group_by(*columns).limit(query.most)


def _classed(keyed: sa.Subquery, arrived: ArrivalPlan, plan: BucketPlan) -> sa.Subquery:
    """The rows that had arrived, each with its class of lateness."""
    at: Whole = keyed.c[f"{_A}at"]
    end = _shifted(keyed.c[f"{_A}b"] + _whole(plan.origin + plan.size), -1, arrived.ends)
    last = _whole(len(arrived.lags) - 1)
    cases = [(at - end <= _whole(limit), _whole(i)) for i, limit in enumerate(arrived.lags[:-1])]
    lag = sa.case((at.is_(None), _whole(0)), *cases, else_=last).label(f"{_A}lag")
    seen = sa.or_(at.is_(None), at <= _whole(arrived.until))
    return sa.select(*keyed.c, lag).where(seen).subquery(f"{_A}classed")


def _watermark(query: CountQuery, asked: _Asked, dialect: Dialect) -> sa.Select[Any]:
    """The last arrival seen among the rows near the windows."""
    assert asked.arrived is not None
    rows = _rows(query, asked, dialect)
    at = _utc(rows, asked.arrived.naive, dialect, of="a").label(f"{_A}at")
    arrivals = sa.select(at).subquery(f"{_A}arrivals")
    found = arrivals.c[f"{_A}at"]
    return sa.select(sa.func.max(found)).where(found <= _whole(asked.arrived.until))


def _rows(query: CountQuery, asked: _Asked, dialect: Dialect) -> sa.Subquery:
    relation = asked.relation
    raw = _named(asked.time.column.name)
    columns = _seconds(raw, "s", dialect)
    if query.arrivals is not None:
        columns += _seconds(_named(query.arrivals.column.column), "a", dialect)
    for i, name in enumerate(query.dimensions):
        columns.append(_as_text(relation.columns[name], dialect).label(f"{_A}d{i}"))
    for i, measure in enumerate(query.measures):
        if measure.column is not None:
            columns.append(_named(measure.column).label(f"{_A}x{i}"))
    near = _near(raw, asked.time, asked.plan, dialect)
    return (
        sa.select(*columns)
        .select_from(relation.selectable)
        .where(*near, *_filter(query.where), *_of_slice(query.within, relation, dialect))
        .subquery(f"{_A}rows")
    )


def _seconds(raw: Anything, name: str, dialect: Dialect) -> list[Anything]:
    """Seconds of a time column as the engine reads it, and for times that are text whether each has an offset."""
    columns: list[Anything] = [dialect.epoch(raw).label(f"{_A}{name}")]
    return [*columns, _has_offset(raw).label(f"{_A}o{name}")] if dialect.text_times else columns


def _near(raw: Anything, time: SqlColumn, plan: BucketPlan, dialect: Dialect) -> tuple[sa.ColumnElement[bool], ...]:
    """Bounds on the raw column, which an index or a partition can answer."""
    low: Any = plan.low
    high: Any = plan.high
    kind: Any = sa.DateTime(timezone=plan.clock is Clock.AWARE and not time.instant)
    if dialect.text_times:
        kind, low, high = sa.String(), (low - _DAY).date().isoformat(), (high + _DAY).date().isoformat()
    elif plan.clock is Clock.DATE:
        kind, low, high = sa.Date(), low.date(), (high + _DAY).date()
    elif time.instant:
        low, high = low.replace(tzinfo=None), high.replace(tzinfo=None)
    return raw >= sa.literal(low, kind), raw < sa.literal(high, kind)


def _utc(rows: sa.Subquery, naive: Offsets, dialect: Dialect, of: str = "s") -> Whole:
    """Seconds since the epoch of each row's event time (or its arrival, "a"), wall clocks resolved."""
    seconds: Whole = rows.c[f"{_A}{of}"]
    if naive.zero:
        return seconds
    resolved = _shifted(seconds, -1, naive)
    return sa.case((rows.c[f"{_A}o{of}"], seconds), else_=resolved) if dialect.text_times else resolved


def _shifted(seconds: Whole, sign: int, offsets: Offsets) -> Whole:
    """`seconds` with the offset added or taken away that holds for it."""
    if offsets.zero:
        return seconds
    if not offsets.steps:
        return seconds + _whole(sign * offsets.last)
    cases = [(seconds < _whole(before), _whole(sign * value)) for before, value in offsets.steps]
    return seconds + sa.case(*cases, else_=_whole(sign * offsets.last))


def _inside(seconds: Whole, plan: BucketPlan) -> sa.ColumnElement[bool]:
    return sa.or_(*(sa.and_(seconds >= _whole(start), seconds < _whole(end)) for start, end in plan.windows))


def _aggregates(index: int, measure: Metric, keyed: sa.Subquery, dialect: Dialect) -> list[Anything]:
    """A measure, and for sums what shows that it may not be summed: least value, and values that are no integers."""
    if measure.column is None:
        return [sa.func.count()]
    x = keyed.c[f"{_A}x{index}"]
    parts: list[Anything] = [sa.func.coalesce(sa.func.sum(x), _whole(0)), sa.func.min(x)]
    if dialect.text_times:
        strange = sa.func.typeof(x).not_in(["integer", "null"])
        parts.append(sa.func.sum(sa.case((strange, _whole(1)), else_=_whole(0))))
    return parts


def _named(name: str) -> Anything:
    return sa.column(quoted_name(name, quote=True))


def _as_text(found: SqlColumn, dialect: Dialect) -> Anything:
    column = _named(found.column.name)
    plain = found.column.family == "string" and not dialect.text_times
    return column if plain else sa.cast(column, sa.String)


def _filter(where: str | None) -> tuple[Any, ...]:
    return () if where is None else (Verbatim(f"({where}\n)"),)


def _of_slice(item: Slice, relation: SqlRelation, dialect: Dialect) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that a row is of a slice; a cast makes NULL of NULL alone."""
    for name, value in item:
        column = _as_text(relation.columns[name], dialect)
        yield column.is_(None) if value is None else column == sa.literal(str(value), sa.String)


def _has_offset(raw: Anything) -> sa.ColumnElement[bool]:
    return sa.or_(raw.op("GLOB")("*[Zz]"), raw.op("GLOB")("*[+-]??:??"))


def _whole(number: int) -> Whole:
    """A constant of ours, in the statement's text: as a parameter it would differ between SELECT and GROUP BY."""
    return sa.literal_column(str(number), sa.BigInteger)


def _to_frame(query: CountQuery, plan: BucketPlan, rows: Sequence[tuple[Any, ...]], dialect: Dialect) -> pd.DataFrame:
    if not rows:
        return empty_frame(query)
    columns = iter(list(zip(*rows, strict=True)))
    numbers = np.array([int(key) // plan.size for key in next(columns)], dtype="int64")
    dimensions = [_objects(next(columns)) for _ in query.dimensions]
    lags = None if query.arrivals is None else np.array([int(lag) for lag in next(columns)], dtype="int64")
    measures = [_checked(measure, columns, dialect) for measure in query.measures]
    return leaf_frame(query, plan, numbers, dimensions, measures, lags)


def _objects(values: Sequence[Any]) -> npt.NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    found[:] = [None if value is None else str(value) for value in values]
    return found


def _checked(measure: Metric, columns: Iterator[tuple[Any, ...]], dialect: Dialect) -> npt.NDArray[np.int64]:
    """One measure's values, proven to be sums of non-negative integers that fit."""
    values = next(columns)
    if measure.column is not None:
        least = next(columns)
        if dialect.text_times and any(next(columns)):
            raise refuse_fraction(measure.column, "not always an integer")
        if any(value is not None and value < 0 for value in least):
            raise refuse_negative(measure.column)
        if any(value != int(value) for value in values):
            raise refuse_fraction(measure.column, "not always an integer")
        if any(value > INT64_MAX for value in values):
            raise too_large(measure.column)
    return np.array([int(value) for value in values], dtype="int64")
