"""The cells of a heatmap as compact data: the page's script draws them, a canvas for each row."""

from __future__ import annotations

from typing import Any

from dashboards.views.slices import HeatmapPage, HeatRow
from dashboards.web.drawing.band import clock


def cells(page: HeatmapPage) -> dict[str, Any]:
    """`starts` of the buckets, and for each row what came (`o`, null is unknown), what was expected (`e`), and `a`.

    `a` is the dispersion: the script works out the deviation in the same way as `HeatRow.deviations`.
    """
    return {"starts": [clock(start) for start in page.starts], "rows": [_row(row) for row in page.rows]}


def _row(row: HeatRow) -> dict[str, Any]:
    return {
        "a": row.scatter,
        "o": [None if y is None else _short(y) for y in row.observed],
        "e": [_short(mu) for mu in row.expected],
    }


def _short(value: float) -> float | int:
    """Whole where it is whole or large: more is not seen."""
    return int(value) if value >= 100 or value.is_integer() else round(value, 1)


def words(row: HeatRow) -> str:
    """What a row shows, for whoever does not see it."""
    known = [d for d in row.deviations() if d is not None]
    less, more = sum(d < -3 for d in known), sum(d > 3 for d in known)
    hidden = len(row.observed) - len(known)
    parts = [f"{less} far below", f"{more} far above"] + ([f"{hidden} unknown"] if hidden else [])
    return f"{len(row.observed)} buckets: {', '.join(parts)}"
