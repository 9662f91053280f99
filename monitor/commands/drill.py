"""`slicewatch drill`: lose every slice on purpose, and see which losses a rule tells."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from dashboards.drill import Drilled, DrillReport, drill_text
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.commands import HELP
from monitor.commands.common import (
    FAILED,
    Length,
    Moment,
    Share,
    config_option,
    json_option,
    newest_bucket,
    opened,
    progress,
    rule_called,
)
from monitor.drill import Drill, Loss, NothingToDrillError, report_of, sample, scene_of
from monitor.replay import Replay, stamp
from monitor.watched import Watched
from rules.model import Rule
from rules.slices import slice_to_json


@click.command("drill", context_settings=HELP)
@click.argument("rule")
@click.option("--loss", type=Share(), default="100%", show_default=True, help="Share of the events that is lost.")
@click.option("--lasting", type=Length(), default="6h", show_default=True, help="How long; a bucket at least.")
@click.option("--at", type=Moment(), help="When it begins; by default so that it ends with the newest events.")
@click.option("--slices", "most", type=click.IntRange(min=1), help="Lose so many only, the heaviest.")
@click.option("--spread", is_flag=True, help="With --slices: evenly from the heaviest to the lightest.")
@config_option
@json_option
def drill(
    rule: str,
    loss: float,
    lasting: timedelta,
    at: datetime | None,
    most: int | None,
    config: Path,
    *,
    spread: bool,
    as_json: bool,
) -> None:
    """Inject the loss of every slice into real history, one at a time, and report what RULE would have told.

    Each loss is judged bucket by bucket as the daemon judges. Reported are the losses that were told while they lasted, how
    soon, those that were missed, and how far `slicewatch blindspots` foresaw it. Nothing is sent and nothing is remembered.
    """
    with opened(config, store_url="sqlite://") as app:
        chosen = rule_called(app, rule)
        buckets = max(1, -(-int(lasting.total_seconds()) // int(chosen.time_bucket.total_seconds())))
        try:
            report = _drill(app, chosen, Loss(loss, buckets), at, most, spread=spread)
        except NothingToDrillError as error:
            click.echo(str(error), err=True)
            raise SystemExit(FAILED) from None
    click.echo(json.dumps(report_to_json(report), ensure_ascii=False) if as_json else drill_text(report))


def _drill(app: App, rule: Rule, loss: Loss, at: datetime | None, most: int | None, *, spread: bool) -> DrillReport:
    source, grid = app.source(rule.source.source), Watched.of(rule).grid
    begin = grid.floor(to_epoch(at if at is not None else _latest(app, rule, loss)))
    end = grid.shift(begin, loss.buckets)
    state = store.Store.open("sqlite://")
    try:
        replay = Replay(rule, source, state, to_datetime(begin), to_datetime(end))
        with progress(f"{rule.name}: history") as show:
            for done, total in replay.run():
                show(done, total)
        trial = Drill(scene_of(replay), loss)
    finally:
        state.close()
    rows = sample(trial.scene, most, spread=spread).tolist()
    found = []
    with progress(f"{rule.name}: drills") as show:
        for item in trial.run(rows):
            found.append(item)
            show(len(found), len(rows))
    return report_of(trial, found, len(sample(trial.scene, None)))


def _latest(app: App, rule: Rule, loss: Loss) -> datetime:
    """When a loss begins that ends with the newest whole bucket."""
    newest = newest_bucket(app, rule)
    if newest is None:
        raise NothingToDrillError(f"{rule.name}: {rule.source.name} holds no events")
    grid = Watched.of(rule).grid
    return to_datetime(grid.shift(to_epoch(newest), 1 - loss.buckets))


def report_to_json(report: DrillReport) -> dict[str, Any]:
    """A drill as `--json` prints it; the keys are part of the public surface."""
    found = report.agreement
    return {
        "rule": report.rule,
        "from": stamp(report.stretch.start),
        "to": stamp(report.stretch.end),
        "loss": report.share,
        "slices": report.slices,
        "caught": sum(item.caught for item in report.drilled),
        "drilled": [_drilled(item) for item in report.drilled],
        "blindspots": {
            "both": found.both,
            "unforeseen": found.unforeseen,
            "promised": found.promised,
            "neither": found.neither,
            "sensitivity": found.sensitivity,
            "specificity": found.specificity,
        },
    }


def _drilled(item: Drilled) -> dict[str, Any]:
    return {
        "slice": slice_to_json(item.slice),
        "events_a_bucket": round(item.usual, 2),
        "told_after_seconds": None if item.after is None else item.after.total_seconds(),
        "cause": None if item.cause is None else slice_to_json(item.cause),
        "exact": item.exact,
        "foreseen": item.foreseen,
    }
