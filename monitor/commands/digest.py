"""`slicewatch digest`: the last week as those who answer for the data see it."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from alerts.message import plain_text
from dashboards.weekly import Week
from dashboards.weekly_message import compose_week
from monitor.app import App
from monitor.commands import HELP
from monitor.commands.common import Moment, config_option, json_option, opened
from monitor.commands.once import deliver_now
from monitor.replay import incident_to_json, stamp
from monitor.weekly import Period, queue, week_of
from rules.slices import slice_to_json
from rules.vocabulary import did_you_mean

LENGTH = timedelta(days=7)


@click.command("digest", context_settings=HELP)
@click.option("--at", type=Moment(), help="The seven days before this time; now by default.")
@click.option("--send", "receivers", multiple=True, metavar="RECEIVER", help="Send it there, too; may be repeated.")
@config_option
@json_option
def digest(at: datetime | None, receivers: tuple[str, ...], config: Path, *, as_json: bool) -> None:
    """Tell of the last seven days: what is protected, what was told, what was no problem, what nobody looks at.

    From slicewatch's own store. `[digest]` of slicewatch.toml has the daemon send it every Monday morning.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    end = at or now
    with opened(config, sends=bool(receivers), out=sys.stderr) as app:
        names = [_receiver(app, name) for name in receivers]
        plan = app.settings.weekly
        week = week_of(app, Period(end - LENGTH, end), plan.timezone if plan is not None else "UTC")
        message = compose_week(week, f"week-asked-{end:%Y%m%dT%H%M%SZ}")
        click.echo(json.dumps(week_to_json(week), ensure_ascii=False) if as_json else plain_text(message))
        if names:
            _send(app, queue(app, message, names, now), now)


def _receiver(app: App, name: str) -> str:
    known = [receiver.name for receiver in app.settings.receivers]
    found = app.settings.receiver(name)
    if found is None:
        raise click.UsageError(" - ".join(filter(None, (f"'{name}' is not a receiver", did_you_mean(name, known)))))
    return found.name


def _send(app: App, queued: int, now: datetime) -> None:
    if not queued:
        click.echo("it was sent there before", err=True)
    began = time.monotonic()
    deliver_now(app, lambda: now + timedelta(seconds=time.monotonic() - began))


def week_to_json(week: Week) -> dict[str, Any]:
    """The digest as `--json` prints it; the keys are part of the public surface."""
    protected, every = week.slices
    return {
        "from": stamp(week.start),
        "to": stamp(week.end),
        "protected": {"share": _rounded(week.share), "slices": protected, "of": every},
        "rules": [
            {
                "rule": rule.name,
                "owner": rule.owner,
                "unchecked": rule.unchecked or None,
                "protected": _rounded(rule.coverage.share) if rule.coverage is not None else None,
            }
            for rule in week.rules
        ],
        "problems": week.problems,
        "incidents": [incident_to_json(incident) for incident in week.incidents],
        "before": week.before,
        "open": [incident.id for incident in week.open],
        "precision": [
            {"rule": name, "incidents": fired.told, "no_problem": fired.false, "precision": _rounded(fired.precision)}
            for name, fired in week.by_rule()
        ],
        "detected_after_seconds": _seconds(week.detected_after),
        "resolved_after_seconds": _seconds(week.resolved_after),
        "blind_spots": [
            {"rule": spot.rule, "slice": slice_to_json(spot.slice), "events_a_week": round(spot.events)}
            for spot in week.worst
        ],
        "silences": [item.id for item in week.silences],
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else time.total_seconds()
