"""A curve with its band as SVG, for pages that run no script: what came, over what was expected and what is normal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC

from markupsafe import Markup

from alerts.wording import number
from dashboards.views.common import Curve

WIDE, HIGH = 760.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 8.0, 8.0, 22.0
LABELS = 5
"""Times under the curve, at most."""


def area(curve: Curve, name: str) -> Markup:
    """The picture; `name` says what it shows. Unknown buckets leave a gap."""
    values = (*curve.observed, *curve.expected, *curve.high)
    most = max((v for v in values if v is not None), default=0.0) or 1.0
    parts = [*_grid(most), *_times(curve), *_band(curve, most)]
    for role, line in (("expected", curve.expected), ("observed", curve.observed)):
        parts.append(Markup('<path class="{}" d="{}"/>').format(role, " ".join(_line(line, most))))
    return Markup('<svg class="area" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>').format(
        WIDE, HIGH, name, Markup("").join(parts)
    )


def _x(i: int, count: int) -> float:
    return LEFT + (WIDE - LEFT - RIGHT) * i / max(count - 1, 1)


def _y(value: float, most: float) -> float:
    return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * value / most


def _grid(most: float) -> Iterator[Markup]:
    for share in (0.0, 0.5, 1.0):
        y = _y(share * most, most)
        yield Markup(
            '<path class="grid" d="M{:g} {:.1f}H{:g}"/><text x="{:g}" y="{:.1f}" class="left">{}</text>'
        ).format(LEFT, y, WIDE - RIGHT, LEFT - 6, y + 4, number(share * most))


def _times(curve: Curve) -> Iterator[Markup]:
    count = len(curve.starts)
    for i in range(0, count, max(1, -(-count // LABELS))):
        at = curve.starts[i].astimezone(UTC)
        yield Markup('<text x="{:.1f}" y="{:g}">{}</text>').format(_x(i, count), HIGH - 6, f"{at:%-d %b %H:%M}")


def _band(curve: Curve, most: float) -> Iterator[Markup]:
    """One polygon for each stretch of known buckets."""
    count, stretch = len(curve.starts), list[int]()
    for i in range(len(curve.low) + 1):
        if i < len(curve.low) and curve.low[i] is not None and curve.high[i] is not None:
            stretch.append(i)
            continue
        if stretch:
            there = [f"{_x(j, count):.1f} {_y(curve.high[j] or 0.0, most):.1f}" for j in stretch]
            back = [f"{_x(j, count):.1f} {_y(curve.low[j] or 0.0, most):.1f}" for j in reversed(stretch)]
            yield Markup('<path class="band" d="M{}Z"/>').format("L".join([*there, *back]))
        stretch = []


def _line(values: Sequence[float | None], most: float) -> Iterator[str]:
    pen = "M"
    for i, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        yield f"{pen}{_x(i, len(values)):.1f} {_y(value, most):.1f}" + ("h0" if pen == "M" else "")
        pen = "L"
