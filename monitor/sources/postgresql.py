"""What PostgreSQL alone can be asked for: how much a statement will read, by its planner."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

_WHOLE = frozenset({"Seq Scan", "Parallel Seq Scan", "Sample Scan"})
"""Scans that read a table from its beginning to its end, whatever they keep."""


def estimated_bytes(connection: sa.Connection, statement: sa.Select[Any]) -> int:
    """Bytes that the statement reads from tables: all of one that is scanned, of one found by an index its rows.

    Nothing is run. Rows are the planner's own estimate, as good as the statistics of the last ANALYZE.
    """
    compiled = statement.compile(connection)
    explained = connection.exec_driver_sql(f"EXPLAIN (VERBOSE, FORMAT JSON) {compiled}", compiled.params).scalar()
    plan: Any = json.loads(explained) if isinstance(explained, str) else explained
    return sum(_read(connection, node) for node in _nodes(plan[0]["Plan"]))


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _read(connection: sa.Connection, node: Mapping[str, Any]) -> int:
    if "Relation Name" not in node:
        return 0
    width = int(node["Plan Rows"]) * int(node["Plan Width"])
    size, rows = _size(connection, str(node.get("Schema", "")), str(node["Relation Name"]))
    if node["Node Type"] in _WHOLE:
        return size
    # Of a foreign table nothing lies here: the rows that come over are all that is known.
    return width if not size else min(size, max(width, int(node["Plan Rows"]) * size // max(rows, 1)))


def _size(connection: sa.Connection, schema: str, name: str) -> tuple[int, int]:
    """Bytes and rows of a table."""
    sql = (
        "SELECT pg_catalog.pg_relation_size(c.oid), greatest(c.reltuples, 0)::bigint FROM pg_catalog.pg_class AS c "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %(schema)s AND c.relname = %(name)s"
    )
    row = connection.exec_driver_sql(sql, {"schema": schema, "name": name}).first()
    return (0, 0) if row is None else (int(row[0] or 0), int(row[1]))
