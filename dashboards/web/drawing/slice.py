"""Figures of the page of one slice: its weeks with what would have fired, and its parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.views.common import Curve
from dashboards.views.slice import Decomposition, SlicePage
from dashboards.web.drawing.band import Line, Shade, add_line, add_shade, band_of, clock, plain

MOST_LINES = 12
"""Marks that are drawn, the newest ones."""


def weeks(page: SlicePage, curve: Curve) -> dict[str, Any]:
    """The slice with its band; earlier weeks, hidden until somebody asks; and a place for what would have fired."""
    figure = band_of(curve, 380, legend=True)
    x = [clock(at) for at in curve.starts]
    for back, values in enumerate(page.earlier, start=1):
        name = "a week before" if back == 1 else f"{back} weeks before"
        figure.add_trace(
            go.Scatter(x=x, y=list(values), mode="lines", name=name, meta="earlier", visible=False, connectgaps=False)
        )
    figure.add_trace(go.Scatter(x=[], y=[], mode="markers", name="would have fired", meta="fired"))
    for shaded in page.shaded:
        add_shade(figure, Shade(shaded.kind, shaded.start, shaded.end))
    end = curve.starts[-1] + timedelta(seconds=page.bucket_seconds)
    for mark in [m for m in page.marks if curve.starts[0] <= m.at <= end][-MOST_LINES:]:
        add_line(figure, Line(mark.at, mark.text))
    figure.update_layout(xaxis={"range": [x[0], clock(end)]})
    return plain(figure)


def parts(found: Decomposition) -> dict[str, Any]:
    """A row for each part, over the same time."""
    x = [clock(at) for at in found.starts]
    figure = make_subplots(
        rows=len(found.parts), cols=1, shared_xaxes=True, vertical_spacing=0.05,
        subplot_titles=[name for name, _ in found.parts],
    )  # fmt: skip
    for row, (name, values) in enumerate(found.parts, start=1):
        figure.add_trace(go.Scatter(x=x, y=list(values), mode="lines", name=name, meta="observed"), row=row, col=1)
    figure.update_layout(
        height=140 * len(found.parts), showlegend=False, dragmode=False, hovermode="x unified",
        margin={"l": 48, "r": 12, "t": 26, "b": 40},
    )  # fmt: skip
    figure.update_yaxes(tickformat="~s")
    return plain(figure)
