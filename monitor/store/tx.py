"""A transaction, and the statements that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table
from sqlalchemy.dialects import postgresql, sqlite

from monitor.store.leaf_ids import LeafIds


@dataclass(frozen=True)
class Tx:
    """One transaction on the store. `connection` is for the store's own modules."""

    connection: Connection
    writes: bool
    rule_keys: dict[str, int] = field(default_factory=dict)
    """Keys of the rules this transaction has looked up."""
    leaf_ids: dict[int, LeafIds] = field(default_factory=dict)
    """Which leaves of a rule, by its key, are no more; as far as it was looked up."""

    def pairs(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> dict[Any, Any]:
        """The rows of a query of two columns, the first as key; `values` are those of its parameters."""
        return {row[0]: row[1] for row in self.connection.execute(query, values)}

    def put(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, or replace those of the same primary key. All rows name the same columns."""
        if not rows:
            return
        self.connection.execute(_upsert(self._dialect(), table, tuple(rows[0])), list(rows))

    def put_new(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Insert a row unless one of the same key exists, primary or unique; whether it was inserted."""
        return self.connection.execute(_insert_new(self._dialect(), table), dict(row)).rowcount == 1

    def put_where(self, table: Table, row: Mapping[str, Any], condition: ColumnElement[bool]) -> bool:
        """Insert a row, or replace that of the same primary key where the condition holds for it; whether either was done."""
        keys = [column.name for column in table.primary_key]
        statement = _insert(self._dialect(), table)
        new = {name: statement.excluded[name] for name in row if name not in keys}
        guarded = statement.on_conflict_do_update(index_elements=keys, set_=new, where=condition)
        counted = guarded.execution_options(preserve_rowcount=True)
        return self.connection.execute(counted, dict(row)).rowcount == 1

    def _dialect(self) -> str:
        assert self.writes, "a reading transaction writes nothing"
        return self.connection.dialect.name


# A statement is built once: to build one takes longer than to run it.
@cache
def _upsert(dialect: str, table: Table, names: tuple[str, ...]) -> Any:
    keys = [column.name for column in table.primary_key]
    statement = _insert(dialect, table)
    new = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=new)


@cache
def _insert_new(dialect: str, table: Table) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def _insert(dialect: str, table: Table) -> Any:
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
