"""A curve the size of a word, as SVG: observed over what was expected. Buckets that are unknown leave a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from alerts.wording import number
from dashboards.views.common import Curve

WIDE, HIGH = 160.0, 32.0
PAD = 2.0


def sparkline(curve: Curve) -> Markup:
    """The curve; its `title` says in words what it shows."""
    most = max((v for v in (*curve.observed, *curve.expected) if v is not None), default=0.0) or 1.0
    count = max(len(curve.starts) - 1, 1)
    expected = " ".join(_strokes(curve.expected, most, count))
    observed = " ".join(_strokes(curve.observed, most, count))
    return Markup(
        '<svg class="spark" viewBox="0 0 {:g} {:g}" width="{:g}" height="{:g}" role="img"><title>{}</title>'
        '<path class="expected" d="{}"/><path class="observed" d="{}"/></svg>'
    ).format(WIDE, HIGH, WIDE, HIGH, _words(curve), expected, observed)


def _words(curve: Curve) -> str:
    known = [y for y in curve.observed if y is not None]
    if not known:
        return "nothing is known"
    return f"the last {len(curve.starts)} buckets: {number(known[-1])} in the newest, at most {number(max(known))}"


def _strokes(values: Sequence[float | None], most: float, count: int) -> Iterator[str]:
    """SVG path commands: a new stroke after every gap."""
    pen = "M"
    for i, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x, y = PAD + (WIDE - 2 * PAD) * i / count, HIGH - PAD - (HIGH - 2 * PAD) * value / most
        # A bucket between two gaps is a dot: a stroke of no length with a round cap.
        yield f"{pen}{x:.1f} {y:.1f}" + ("h0" if pen == "M" else "")
        pen = "L"
