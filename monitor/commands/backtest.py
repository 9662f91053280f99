"""`slicewatch backtest`: what a rule would have told over a stretch of history, and how well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dashboards.backtest import Difference, Label, Noise, Report
from dashboards.backtest_page import page
from dashboards.backtest_text import report_text
from monitor.app import App
from monitor.backtest import Backtest, Revision
from monitor.commands import HELP
from monitor.commands.common import (
    FAILED,
    Moment,
    config_option,
    json_option,
    opened,
    progress,
    rules_called,
    write_report,
)
from monitor.replay import line_of, stamp
from monitor.revisions import RevisionError, rules_at
from rules.model import Interval, Rule
from rules.slices import slice_to_json


@click.command("backtest", context_settings=HELP)
@click.argument("rules", nargs=-1)
@click.option("--from", "start", type=Moment(), required=True, help="Start of the first bucket.")
@click.option("--to", "end", type=Moment(), required=True, help="End: the first bucket that is left out.")
@click.option("--against", metavar="REV", help="Compare with the rules at a revision of their git repository.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write the report to one HTML file.")
@config_option
@json_option
def backtest(
    rules: tuple[str, ...],
    start: datetime,
    end: datetime,
    against: str | None,
    html: Path | None,
    config: Path,
    *,
    as_json: bool,
) -> None:
    """Evaluate [FROM, TO) as `replay` does, and report what RULES (all by default) would have told.

    Reported are the incidents, the noise that the budget allows and the noise there was, the noisiest slices, how soon
    losses were told, and which of the incidents that a rule knows of (`known:`) were. Nothing is sent and nothing is
    remembered.
    """
    if end <= start:
        raise click.UsageError("--to is not after --from: there is nothing to evaluate")
    with opened(config, store_url="sqlite://") as app:
        trial = Backtest(lambda rule: app.source(rule.source.source), Interval(start, end))
        reports = []
        for report in _reports(trial, rules_called(app, rules), _revision(app, against)):
            click.echo(json.dumps(report_to_json(report), ensure_ascii=False) if as_json else report_text(report))
            speed = f"{report.work.speed:,.0f} slices x buckets a CPU second"
            click.echo(f"{report.rule}: {report.work.cpu_seconds:.1f} CPU seconds, {speed}", err=True)
            reports.append(report)
        if html is not None:
            write_report(html, page(reports))


def _reports(trial: Backtest, rules: list[Rule], revision: Revision | None) -> Iterator[Report]:
    for rule in rules:
        with progress(rule.name) as show:
            report = trial.run(rule, show)
        if revision is not None:
            with progress(f"{rule.name} at {revision.name}") as show:
                report = trial.against(report, rule, revision, show)
        yield report


def _revision(app: App, name: str | None) -> Revision | None:
    if name is None:
        return None
    try:
        found = rules_at(app.settings, name)
    except RevisionError as error:
        click.echo(str(error), err=True)
        raise SystemExit(FAILED) from None
    for problem in (problem for problem in found.problems if problem.severity == "error"):
        click.echo(f"at {name}: {problem.render()}", err=True)
    gone = sorted({rule.name for rule in found.rules} - {rule.name for rule in app.rules.rules})
    if gone:
        click.echo(f"no longer there since {name}: {', '.join(gone)}", err=True)
    return Revision(name, {rule.name: rule for rule in found.rules})


def report_to_json(report: Report) -> dict[str, Any]:
    """A report as `--json` prints it; the keys are part of the public surface."""
    return {
        "rule": report.rule,
        "from": stamp(report.stretch.start),
        "to": stamp(report.stretch.end),
        "evaluations": report.work.evaluations,
        "unknown": report.work.unknown,
        "slices": report.work.slices,
        "incidents": [line_of(incident) for incident in report.incidents],
        "noise": _noise(report.noise),
        "noisiest": [
            {"slice": slice_to_json(row.slice), "incidents": row.incidents, "buckets": row.buckets}
            for row in report.noisiest
        ],
        "delay_seconds": None
        if report.delay is None
        else {
            "median": report.delay.median.total_seconds(),
            "longest": report.delay.longest.total_seconds(),
        },
        "recall": report.recall,
        "precision": report.precision,
        "known": [_label(label) for label in report.labels],
        "against": None if report.difference is None else _difference(report.difference),
    }


def _noise(noise: Noise) -> dict[str, Any]:
    return {
        "budget_per_week": noise.budget_per_week,
        "nominal": round(noise.nominal, 4),
        "fired": noise.fired,
        "unlabelled": noise.unlabelled,
    }


def _label(label: Label) -> dict[str, Any]:
    return {
        "name": label.known.name,
        "slice": slice_to_json(label.known.slice),
        "from": stamp(label.known.during.start),
        "to": stamp(label.known.during.end),
        "told_at": None if label.found is None else stamp(label.found.raised_at),
        "cause": None if label.found is None else slice_to_json(label.found.cause),
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "revision": difference.revision,
        "note": difference.note,
        "added": [line_of(incident) for incident in difference.added],
        "removed": [line_of(incident) for incident in difference.removed],
        "kept": [
            {"later_seconds": later.by.total_seconds(), "incident": line_of(later.incident)}
            for later in difference.kept
        ],
    }
