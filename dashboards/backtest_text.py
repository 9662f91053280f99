"""A backtest on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from alerts.model import Incident
from alerts.wording import counted, number
from dashboards.backtest import Difference, Label, Report
from rules.duration import format_duration


def report_text(report: Report) -> str:
    """One block: what would have fired, how noisy, how late, what was missed, what a change adds and removes."""
    parts = (_head(report), _incidents(report), _noise(report), _labels(report), _difference(report.difference))
    return "\n".join(line for part in parts for line in part)


def _head(report: Report) -> Iterator[str]:
    work, unknown = report.work, ""
    if work.unknown:
        unknown = f", {work.unknown} of them without an answer"
    yield f"{report.rule}  {report.place}"
    yield (
        f"  {moment(report.stretch.start)} to {moment(report.stretch.end)} UTC: "
        f"{counted(work.evaluations, 'evaluation')} of {work.slices:,} slices{unknown}"
    )


def _incidents(report: Report) -> Iterator[str]:
    yield f"  would have fired: {counted(len(report.incidents), 'incident') if report.incidents else 'nothing'}"
    for incident in report.incidents:
        yield f"    {incident_line(incident, report.bucket)}"
    if report.delay is not None:
        yield (
            f"  told after {span(report.delay.median)} (median), {span(report.delay.longest)} at most, "
            "from the start of the first bad bucket"
        )


def _noise(report: Report) -> Iterator[str]:
    noise = report.noise
    unlabelled = f", {noise.unlabelled} of them not among the known" if report.labels else ", true ones included"
    yield (
        f"  noise: the budget ({noise.budget_per_week:g} a week) allows {noise.nominal:.2g} false incidents here; "
        f"{noise.fired} fired{unlabelled}"
    )
    if len(report.noisiest) > 1:
        yield "  noisiest slices:"
        for row in report.noisiest:
            told = counted(row.incidents, "incident")
            yield f"    {row.slice.label()}: {told}, bad for {counted(row.buckets, 'bucket')}"


def _labels(report: Report) -> Iterator[str]:
    if not report.labels:
        yield "  known incidents (`known:` of the rule): none in this stretch"
        return
    told = sum(label.found is not None for label in report.labels)
    precision = "" if report.precision is None else f"; {report.precision:.0%} of what fired is known"
    yield f"  known incidents: {told} of {len(report.labels)} told ({report.recall:.0%}){precision}"
    for label in report.labels:
        yield f"    {label_line(label)}"


def _difference(difference: Difference | None) -> Iterator[str]:
    if difference is None:
        return
    note = f" ({difference.note})" if difference.note else ""
    added, removed, kept = (len(part) for part in (difference.added, difference.removed, difference.kept))
    yield f"  against {difference.revision}{note}: {added} added, {removed} removed, {kept} as before"
    for incident in difference.added:
        yield f"    + {incident_line(incident)}"
    for incident in difference.removed:
        yield f"    - {incident_line(incident)}"
    for later in difference.kept:
        if later.by:
            word = "later" if later.by > timedelta(0) else "sooner"
            yield f"    = {incident_line(later.incident)}: {span(abs(later.by))} {word}"


def incident_line(incident: Incident, bucket: timedelta | None = None) -> str:
    """`2026-03-04 07:00 critical drop device=ios: 0 of 5k since ...`."""
    metric = f" {incident.metric}" if incident.metric != "count" else ""
    ended = "still open" if incident.resolved_at is None else f"resolved {moment(incident.resolved_at)}"
    bad = f", bad for {counted(round((incident.until - incident.since) / bucket), 'bucket')}" if bucket else ""
    return (
        f"{moment(incident.raised_at)}  {incident.severity.value} {incident.kind.value}  {incident.cause.label()}:{metric} "
        f"{number(incident.observed)} of {number(incident.expected)} since {moment(incident.since)}{bad}, {ended}"
    )


def label_line(label: Label) -> str:
    """A known incident: told when and as what, or missed."""
    known = label.known
    name = f" ({known.name})" if known.name else ""
    what = f"{known.slice.label()}{name} from {moment(known.during.start)} to {moment(known.during.end)}"
    if label.found is None or label.delay is None:
        return f"MISSED  {what}"
    # Of what was labelled after it had been told: nobody waited.
    delay = f"after {span(label.delay)}" if label.delay >= timedelta(0) else "before it is said to have begun"
    return f"told    {what}: {delay}, as {label.found.kind.value} of {label.found.cause.label()}"


def moment(at: datetime | None) -> str:
    """`2026-03-04 07:00`, UTC."""
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}"


def span(length: timedelta) -> str:
    """`1h30m`, to the minute."""
    return format_duration(timedelta(minutes=round(length / timedelta(minutes=1))))
