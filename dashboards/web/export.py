"""What a page shows, as CSV or JSON to take along."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

from starlette.responses import Response

from dashboards.views.common import Table
from rules.slices import Slice

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings by which a spreadsheet takes a text for a formula to run."""


def as_csv(table: Table, name: str) -> Response:
    """A download. Texts that a spreadsheet would run begin with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(out.getvalue().encode("utf-8", "backslashreplace"), media_type="text/csv", headers=headers)


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Slice):
        return _text(value.label())
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _text(value)
    return "; ".join(str(_cell(item)) for item in value) if isinstance(value, Iterable) else str(value)


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA) else value
