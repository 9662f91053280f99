"""A backtest as one HTML file that holds all it shows: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape

from alerts.model import Incident, Series
from alerts.wording import counted, number
from dashboards.backtest import Difference, Report
from dashboards.backtest_text import label_line, moment, span

WIDE, HIGH = 900.0, 22.0
CHART = (240.0, 44.0)
STYLE = """\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1c1e21}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2.2rem;border-top:1px solid #d8dce0;padding-top:1rem}
h3{font-size:1rem;margin:1.2rem 0 .3rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .7rem .25rem 0;border-bottom:1px solid #e6e9ec;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}.quiet{color:#5d6670}
.added{background:#e9f6ec}.removed{background:#fdeceb}.missed{color:#b3261e;font-weight:600}
svg{display:block}@media(prefers-color-scheme:dark){body{background:#16181b;color:#e3e5e8}
th,td{border-color:#33383d}h2{border-color:#33383d}.added{background:#16321d}.removed{background:#3a1a18}}
"""


def page(reports: Sequence[Report]) -> str:
    """The whole document."""
    body = "\n".join(part for report in reports for part in _report(report))
    title = f"Backtest of {counted(len(reports), 'rule')}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def _report(report: Report) -> Iterator[str]:
    work, noise = report.work, report.noise
    yield f"<h2>{escape(report.rule)}</h2>"
    yield (
        f'<p class="quiet">{escape(report.place)} · {moment(report.stretch.start)} to {moment(report.stretch.end)} UTC · '
        f"{counted(work.evaluations, 'evaluation')} of {counted(work.slices, 'slice')}</p>"
    )
    yield _facts(report)
    yield _timeline(report)
    if report.incidents:
        yield "<h3>Would have fired</h3>" + _incidents(report.incidents)
    if report.difference is not None:
        yield from _difference(report.difference)
    if report.labels:
        yield "<h3>Known incidents</h3><ul>"
        for label in report.labels:
            mark = ' class="missed"' if label.found is None else ""
            yield f"<li{mark}>{escape(label_line(label))}</li>"
        yield "</ul>"
    if noise.fired:
        rows = [
            (escape(row.slice.label()), str(row.incidents), str(row.buckets), number(row.missing))
            for row in report.noisiest
        ]
        yield "<h3>Noisiest slices</h3>" + _table(("slice", "incidents", "bad buckets", "missing events"), rows)


def _facts(report: Report) -> str:
    noise = report.noise
    rows = [
        ("Fired", str(noise.fired)),
        ("Not among the known", str(noise.unlabelled)),
        ("The budget allows", f"{noise.nominal:.2g} ({noise.budget_per_week:g} a week)"),
    ]
    if report.delay is not None:
        rows.append(("Told after", f"{span(report.delay.median)} (median), {span(report.delay.longest)} at most"))
    if report.recall is not None:
        rows.append(("Known incidents told", f"{report.recall:.0%}"))
    if report.precision is not None:
        rows.append(("Of what fired, known", f"{report.precision:.0%}"))
    if report.work.unknown:
        rows.append(("Evaluations without an answer", str(report.work.unknown)))
    return _table(("", ""), rows)


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML; all but the first column are numbers or short."""
    named = [name for name in head if name]
    first = f"<tr>{''.join(f'<th>{name}</th>' for name in named)}</tr>" if named else ""
    lines = (f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{first}{''.join(lines)}</table>"


def _incidents(incidents: Sequence[Incident], mark: str = "") -> str:
    lines = []
    for item in incidents:
        cells = (
            moment(item.raised_at),
            f"{item.severity.value} {item.kind.value}",
            escape(item.cause.label()),
            f"{number(item.observed)} of {number(item.expected)}",
            f"{moment(item.since)} to {moment(item.until)}",
            "open" if item.resolved_at is None else moment(item.resolved_at),
            _chart(item.evidence.series) if item.evidence is not None and item.evidence.series is not None else "",
        )
        lines.append(f'<tr class="{mark}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    head = ("told (UTC)", "what", "cause", "observed", "bad", "resolved", "observed and expected")
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{''.join(lines)}</table>"


def _difference(difference: Difference) -> Iterator[str]:
    note = f" ({escape(difference.note)})" if difference.note else ""
    yield f"<h3>Against {escape(difference.revision)}{note}</h3>"
    yield (
        f"<p>{len(difference.added)} added, {len(difference.removed)} removed, {len(difference.kept)} as before.</p>"
    )
    if difference.added:
        yield "<p>Added:</p>" + _incidents(difference.added, "added")
    if difference.removed:
        yield "<p>Removed:</p>" + _incidents(difference.removed, "removed")


# --- drawings ----------------------------------------------------------------------------------------------------


def _timeline(report: Report) -> str:
    """The stretch as a bar: what was told in red, what is known in blue below."""
    start, end = report.stretch.start, report.stretch.end

    def bar(first: datetime, last: datetime, top: float, colour: str, text: str) -> str:
        left, right = (WIDE * min(max((at - start) / (end - start), 0.0), 1.0) for at in (first, last))
        return (
            f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 2.0):.1f}" height="9" fill="{colour}">'
            f"<title>{escape(text)}</title></rect>"
        )

    bars = [
        bar(i.since, i.until, 1.0, "#c4362b", f"{i.cause.label()}, told {moment(i.raised_at)}")
        for i in report.incidents
    ]
    bars += [bar(x.known.during.start, x.known.during.end, 12.0, "#2b62c4", label_line(x)) for x in report.labels]
    return (
        f'<svg viewBox="0 0 {WIDE:.0f} {HIGH:.0f}" width="100%" role="img" aria-label="when incidents were bad">'
        f'<rect width="{WIDE:.0f}" height="{HIGH:.0f}" fill="#8884" rx="3"/>{"".join(bars)}</svg>'
    )


def _chart(series: Series) -> str:
    """What came (dark) beside what was expected (grey)."""
    most = max((value for part in (series.observed, series.expected) for value in part if value is not None), default=0)
    if not most:
        return ""
    lines = f"{_line(series.expected, most, '#9aa3ab', '5 3')}{_line(series.observed, most, '#c4362b', '')}"
    return (
        f'<svg viewBox="0 0 {CHART[0]:.0f} {CHART[1]:.0f}" width="{CHART[0]:.0f}" height="{CHART[1]:.0f}" role="img" '
        f'aria-label="observed and expected">{lines}</svg>'
    )


def _line(values: Sequence[float | None], most: float, colour: str, dash: str) -> str:
    step = CHART[0] / max(len(values) - 1, 1)
    points: list[str] = []
    parts: list[list[str]] = []
    for at, value in enumerate(values):
        if value is None:
            parts, points = [*parts, points], []
        else:
            points.append(f"{at * step:.1f},{CHART[1] - 1 - (CHART[1] - 2) * value / most:.1f}")
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return "".join(
        f'<polyline points="{" ".join(part)}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes}/>'
        for part in [*parts, points]
        if part
    )
