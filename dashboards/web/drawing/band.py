"""A slice over time as a figure: what came, over what was expected and the band that chance leaves.

Figures hold no colours: each trace says by `meta`, each shape by `name`, what it is, and the page's script gives it the
colours of the page. Times are UTC as a clock shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go

from alerts.wording import clean, shorten
from dashboards.views.common import Curve

LABELLED = 28
"""Characters of a mark's text that stand in a chart."""


@dataclass(frozen=True)
class Shade:
    """A stretch that is shaded; `kind` is one that the page's script knows."""

    kind: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Line:
    """A moment with a word beside it."""

    at: datetime
    text: str


def band(
    curve: Curve, *, height: int, shades: Iterable[Shade] = (), lines: Sequence[Line] = (), legend: bool = True
) -> dict[str, Any]:
    """The figure as plain data, for `Plotly.react`."""
    figure = band_of(curve, height, legend=legend)
    for shade in shades:
        add_shade(figure, shade)
    for line in lines:
        add_line(figure, line)
    return plain(figure)


def band_of(curve: Curve, height: int, *, legend: bool) -> go.Figure:
    """The figure to add more to; `plain` makes data of it."""
    x = [clock(at) for at in curve.starts]
    figure = go.Figure()
    if curve.low:
        figure.add_trace(_trace(x, curve.low, "low", "lowest by chance", legend=False))
        figure.add_trace(_trace(x, curve.high, "high", "normal", legend=legend))
    figure.add_trace(_trace(x, curve.expected, "expected", "expected", legend=legend))
    figure.add_trace(_trace(x, curve.observed, "observed", "observed", legend=legend))
    _lay_out(figure, height, legend=legend)
    return figure


def _trace(x: list[str], y: Sequence[float | None], role: str, name: str, *, legend: bool) -> go.Scatter:
    mode = "lines" if role != "observed" else "lines+markers" if _lonely(y) else "lines"
    return go.Scatter(x=x, y=list(y), mode=mode, name=name, meta=role, showlegend=legend, connectgaps=False)


def _lonely(y: Sequence[float | None]) -> bool:
    """Whether a value stands between two gaps: a line would not show it."""
    padded = [None, *y, None]
    return any(v is not None and padded[i] is None and padded[i + 2] is None for i, v in enumerate(y))


def _lay_out(figure: go.Figure, height: int, *, legend: bool) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 48, "r": 12, "t": 26 if legend else 8, "b": 40},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        showlegend=legend,
        xaxis={"type": "date"},
        yaxis={"rangemode": "tozero", "tickformat": "~s"},
        dragmode=False,
    )


def add_shade(figure: go.Figure, shade: Shade) -> None:
    """Shade a stretch of a figure over its whole height."""
    figure.add_shape(
        type="rect", name=shade.kind, xref="x", yref="paper", layer="below",
        x0=clock(shade.start), x1=clock(shade.end), y0=0, y1=1,
    )  # fmt: skip


def add_line(figure: go.Figure, line: Line) -> None:
    """Draw a moment into a figure, with its word."""
    at = clock(line.at)
    figure.add_shape(type="line", name="mark", xref="x", yref="paper", x0=at, x1=at, y0=0, y1=1)
    text = shorten(clean(line.text), LABELLED)
    # plotly.js reads a few tags in texts; there must be none.
    harmless = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    figure.add_annotation(
        x=at, y=1, xref="x", yref="paper", text=harmless, showarrow=False, xanchor=_side(figure, at), yanchor="top",
        font={"size": 11},
    )  # fmt: skip


def _side(figure: go.Figure, at: str) -> str:
    """Which end of its word stands at a moment: late ones have no room to their right."""
    x = figure.data[0].x
    return "right" if at > x[len(x) * 2 // 3] else "left"


def plain(figure: go.Figure) -> dict[str, Any]:
    """As JSON takes it, without the template of 7 KB that would give it colours."""
    found: dict[str, Any] = figure.to_plotly_json()
    found["layout"].pop("template", None)
    return found


def clock(at: datetime) -> str:
    """`2026-03-04 08:00`, UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
