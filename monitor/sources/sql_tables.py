"""Tables and queries of an SQL engine: what to select from, and what its columns are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import TextClause, quoted_name
from sqlalchemy.types import TypeEngine

from monitor.query import Column
from monitor.sources.buckets import Clock
from monitor.sources.dialects import Dialect
from monitor.sources.expressions import strip_end
from rules.model import SourceRef

# PostgreSQL's types by their ids, which every driver reports: the one way that serves tables and queries alike.
_POSTGRESQL_TYPES: Mapping[int, tuple[str, str, Clock | None]] = {
    16: ("boolean", "boolean", None),
    20: ("bigint", "integer", None),
    21: ("smallint", "integer", None),
    23: ("integer", "integer", None),
    700: ("real", "float", None),
    701: ("double precision", "float", None),
    1700: ("numeric", "float", None),
    18: ("char", "string", None),
    19: ("name", "string", None),
    25: ("text", "string", None),
    1042: ("character", "string", None),
    1043: ("character varying", "string", None),
    1082: ("date", "date", Clock.DATE),
    1114: ("timestamp without time zone", "time", Clock.NAIVE),
    1184: ("timestamp with time zone", "time", Clock.AWARE),
}
_NUMERIC = 1700


@dataclass(frozen=True)
class SqlColumn:
    """A column, and what its times mean; `known` is False where the engine does not say what it holds."""

    column: Column
    clock: Clock | None
    known: bool = True
    instant: bool = False
    """An instant by its type's nature, compared with UTC wall clocks."""


@dataclass(frozen=True)
class SqlRelation:
    """Something to select from, and its columns by name."""

    name: str
    selectable: sa.FromClause | TextClause
    columns: Mapping[str, SqlColumn]


class Verbatim(TextClause):
    """Checked SQL text that goes to the engine as it stands: no `:name` in it is a parameter."""

    inherit_cache = False

    def __init__(self, sql: str) -> None:
        super().__init__("")
        self.sql = sql


@compiles(Verbatim)
def _compile_verbatim(element: Verbatim, compiler: SQLCompiler, **_: Any) -> str:
    text: str = compiler.escape_literal_column(element.sql)  # type: ignore[no-untyped-call]
    return text


def select_from(ref: SourceRef, dialect: sa.Dialect) -> sa.FromClause | TextClause:
    """A table of one to three parts, each quoted, or the rule's query in parentheses."""
    if ref.query is not None:
        return Verbatim(f"(\n{strip_end(ref.query)}\n) AS slicewatch_query")
    *outer, name = ref.table
    quote = dialect.identifier_preparer.quote_identifier
    schema = quoted_name(".".join(quote(part) for part in outer), quote=False) if outer else None
    return sa.table(quoted_name(name, quote=True), schema=schema)


def relate(connection: sa.Connection, ref: SourceRef, dialect: Dialect) -> SqlRelation:
    """What a rule reads. Raises SQLAlchemy's errors where it is not there."""
    selectable = select_from(ref, connection.dialect)
    if connection.dialect.name == "postgresql":
        columns = _from_cursor(connection, selectable, typed=True)
    elif ref.query is not None:
        columns = _from_cursor(connection, selectable, typed=False)
    else:
        columns = _from_catalog(connection, ref.table, dialect)
    return SqlRelation(ref.name, selectable, {found.column.name: found for found in columns})


def _from_cursor(
    connection: sa.Connection, selectable: sa.FromClause | TextClause, *, typed: bool
) -> Sequence[SqlColumn]:
    """Columns as the cursor of an empty result describes them."""
    with connection.execute(sa.select(sa.text("*")).select_from(selectable).where(sa.false())) as result:
        cursor = result.cursor
        described = [] if cursor is None else list(cursor.description or ())
    return [_postgresql_column(entry) if typed else _unknown(str(entry[0])) for entry in described]


def _postgresql_column(entry: Sequence[Any]) -> SqlColumn:
    name, oid, scale = str(entry[0]), int(entry[1]), entry[5]
    kind, group, clock = _POSTGRESQL_TYPES.get(oid, (f"type {oid}", "other", None))
    if oid == _NUMERIC and scale == 0:
        group = "integer"
    return SqlColumn(Column(name, kind, group), clock)


def _from_catalog(connection: sa.Connection, table: Sequence[str], dialect: Dialect) -> Sequence[SqlColumn]:
    schema = ".".join(table[:-1]) or None
    found = sa.inspect(connection).get_columns(table[-1], schema=schema)
    return [_typed(str(entry["name"]), entry["type"], dialect) for entry in found]


def _typed(name: str, kind: TypeEngine[Any], dialect: Dialect) -> SqlColumn:
    if isinstance(kind, sa.types.NullType):
        return _unknown(name)
    shown = str(kind)
    instant = kind.__visit_name__.upper() in dialect.instants
    group, clock = _family(kind)
    if clock is Clock.NAIVE and (instant or getattr(kind, "timezone", False)):
        # SQLite's times are text: each value says for itself whether it has an offset
        clock = Clock.NAIVE if dialect.text_times else Clock.AWARE
    return SqlColumn(Column(name, shown, group), clock, instant=instant)


def _family(kind: TypeEngine[Any]) -> tuple[str, Clock | None]:
    if isinstance(kind, sa.DateTime):
        return "time", Clock.NAIVE
    if isinstance(kind, sa.Date):
        return "date", Clock.DATE
    if isinstance(kind, sa.Boolean):
        return "boolean", None
    if isinstance(kind, sa.Integer) or (isinstance(kind, sa.Numeric) and kind.scale == 0):
        return "integer", None
    if isinstance(kind, sa.Numeric | sa.Float):
        return "float", None
    return ("string", None) if isinstance(kind, sa.String | sa.Enum) else ("other", None)


def _unknown(name: str) -> SqlColumn:
    return SqlColumn(Column(name, "", "other"), None, known=False)


_OWN_SCHEMAS = re.compile(
    r"information_schema|pg_.*|sys|mysql|performance_schema|system|_.*|crdb_internal", re.IGNORECASE
)
"""Schemas that engines keep for themselves."""


def all_tables(connection: sa.Connection) -> tuple[tuple[str, ...], ...]:
    """(table,) of the default schema, and (schema, table) of the others."""
    inspector = sa.inspect(connection)
    default = inspector.default_schema_name
    found: list[tuple[str, ...]] = [(name,) for name in _names(inspector, None)]
    for schema in inspector.get_schema_names():
        if schema not in {default, "main"} and not _OWN_SCHEMAS.fullmatch(schema):
            found += [(schema, name) for name in _names(inspector, schema)]
    return tuple(sorted(found, key=lambda path: (len(path), path)))


def _names(inspector: sa.Inspector, schema: str | None) -> list[str]:
    return [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
