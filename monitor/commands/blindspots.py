"""`slicewatch blindspots`: what a rule would not notice."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from dashboards.blindspots import BlindSpots, Spot, blindspots_text
from monitor import store
from monitor.app import App, definition_of
from monitor.blindspots_report import Outlook
from monitor.buckets import to_datetime, to_epoch
from monitor.commands import HELP
from monitor.commands.common import (
    FAILED,
    Moment,
    config_option,
    json_option,
    newest_bucket,
    opened,
    progress,
    rule_called,
)
from monitor.learned import Knowledge, newest
from monitor.replay import Replay, stamp
from monitor.watched import Watched
from rules.model import Rule
from rules.slices import slice_to_json

FOREVER = 2**62


@click.command("blindspots", context_settings=HELP)
@click.argument("rule")
@click.option("--at", type=Moment(), help="Learn from the events before this time.")
@config_option
@json_option
def blindspots(rule: str, at: datetime | None, config: Path, *, as_json: bool) -> None:
    """Tell for each slice the smallest loss that RULE would notice within 1, 6 and 24 hours, and what it would not.

    From baseline, scatter, calibration and budget alone: as the daemon has learned them last, or from the source where it
    has not. A slice is protected where its total silence is noticed. A loss of the size told is noticed as often as not.
    """
    with opened(config) as app:
        chosen = rule_called(app, rule)
        known = None if at is not None else _stored(app, chosen)
        known = known or _learn(app, chosen, at)
    if known is None:
        click.echo(f"{rule}: no events to learn from", err=True)
        raise SystemExit(FAILED)
    for metric, learned, recent in zip(chosen.metrics, known.learned, known.recent, strict=True):
        found = Outlook(chosen, metric.name, known.lattice, learned, recent).report()
        click.echo(json.dumps(report_to_json(found), ensure_ascii=False) if as_json else blindspots_text(found))


def _stored(app: App, rule: Rule) -> Knowledge | None:
    """What the daemon learned last, of what the rule counts now."""
    with app.state.read() as tx:
        same = store.definition(tx, rule.name) == definition_of(rule)
    return newest(app.state, rule, FOREVER) if same else None


def _learn(app: App, rule: Rule, at: datetime | None) -> Knowledge | None:
    """Read the history before a time, in memory, and learn from it."""
    moment = at if at is not None else newest_bucket(app, rule)
    if moment is None:
        return None
    grid, state = Watched.of(rule).grid, store.Store.open("sqlite://")
    begin = grid.floor(to_epoch(moment))
    try:
        replay = Replay(rule, app.source(rule.source.source), state, to_datetime(begin), to_datetime(grid.end(begin)))
        with progress(rule.name) as show:
            for done, total in replay.run():
                show(done, total)
        return newest(state, rule, begin)
    finally:
        state.close()


def report_to_json(found: BlindSpots) -> dict[str, Any]:
    """The report as `--json` prints it; the keys are part of the public surface."""
    return {
        "rule": found.rule,
        "metric": found.metric,
        "as_of": stamp(found.as_of),
        "horizons_seconds": [horizon.total_seconds() for horizon in found.horizons],
        "cover": [
            {
                "dimensions": list(row.dimensions),
                "slices": row.slices,
                "protected": list(row.protected),
                "traffic": [round(share, 6) for share in row.traffic],
            }
            for row in found.cover
        ],
        "slices": [_spot(spot) for spot in found.spots],
    }


def _spot(spot: Spot) -> dict[str, Any]:
    return {
        "slice": slice_to_json(spot.slice),
        "events_a_bucket": round(spot.usual, 2),
        "least": [None if share is None else round(share, 4) for share in spot.least],
        "silence_seconds": None if spot.silence is None else spot.silence.total_seconds(),
        "silence_worst_seconds": None if spot.silence_worst is None else spot.silence_worst.total_seconds(),
    }
