"""A transaction, and the statements that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import postgresql, sqlite


@dataclass(frozen=True)
class Tx:
    """One transaction on the store. `connection` is for the store's own modules."""

    connection: Connection
    writes: bool
    rule_keys: dict[str, int] = field(default_factory=dict)
    """Keys of the rules this transaction has looked up."""

    def pairs(self, query: Select[Any]) -> dict[Any, Any]:
        """The rows of a query of two columns, the first as key."""
        return {row[0]: row[1] for row in self.connection.execute(query)}

    def put(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, or replace those of the same primary key. All rows name the same columns."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        rest = [name for name in rows[0] if name not in keys]
        statement = self._insert(table)
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in rest}
        )
        self.connection.execute(statement, list(rows))

    def put_new(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Insert a row unless one of the same key exists, primary or unique; whether it was inserted."""
        statement = self._insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
        return self.connection.execute(statement, dict(row)).rowcount == 1

    def _insert(self, table: Table) -> Any:
        assert self.writes, "a reading transaction writes nothing"
        insert = postgresql.insert if self.connection.dialect.name == "postgresql" else sqlite.insert
        return insert(table)
