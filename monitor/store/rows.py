"""Everything the store knows, row by row: for comparing two stores, and for looking."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from monitor.store.schema import OPERATION, metadata
from monitor.store.tx import Tx


def dump(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of every table by its name, in the order of their keys, columns as in `schema`.

    What evaluations took and which daemons are there is left out: no two runs are alike in that.
    """
    return {
        table.name: [tuple(row) for row in tx.connection.execute(select(table).order_by(*table.primary_key))]
        for table in metadata.sorted_tables
        if table.name not in OPERATION
    }
