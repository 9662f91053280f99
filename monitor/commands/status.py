"""`slicewatch status`: how every rule stands, from the store alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from dashboards.read import CanaryState, Overview
from dashboards.text import overview_text
from monitor.commands import HELP
from monitor.commands.common import config_option, json_option, opened
from monitor.commands.silence import silence_to_json
from monitor.replay import incident_to_json, stamp
from monitor.views.status import overview_of


@click.command("status", context_settings=HELP)
@config_option
@json_option
def status(config: Path, *, as_json: bool) -> None:
    """Show every rule: last run, history, stage of protection, open incidents; the deliveries and the daemons."""
    with opened(config) as app:
        view = overview_of(app, app.state.clock() or datetime.now(UTC))
    click.echo(json.dumps(_to_json(view), ensure_ascii=False) if as_json else overview_text(view))


def _canary(canary: CanaryState) -> dict[str, Any]:
    return {
        "due": stamp(canary.due),
        "arrived": canary.arrived,
        "problem": canary.problem or None,
        "last": stamp(canary.last),
        "seconds": canary.seconds,
    }


def _to_json(view: Overview) -> dict[str, Any]:
    return {
        "rules": [
            {
                "rule": rule.name,
                "owner": rule.owner,
                "source": rule.source,
                "health": rule.health.value,
                "last_run": stamp(rule.last_run),
                "last_error": rule.last_error or None,
                "overdue": rule.overdue,
                "history": {"from": stamp(rule.history_from), "to": stamp(rule.history_to), "slices": rule.leaves},
                "protection": rule.stage.value,
                "full_from": stamp(rule.full_from),
                "arrivals": rule.arrivals.value,
                "arrivals_from": stamp(rule.arrivals_from),
                "precision": {
                    "incidents": rule.fired.told,
                    "no_problem": rule.fired.false,
                    "precision": None if rule.fired.precision is None else round(rule.fired.precision, 4),
                },
                "notices": [{"at": stamp(at), "text": text} for at, text in rule.notices],
                "open": [incident_to_json(i) | {"held": rule.held.get(i.id)} for i in rule.open],
            }
            for rule in view.rules
        ],
        "deliveries": {"queued": view.queued, "done": view.delivered, "dead": view.dead},
        "silences": [silence_to_json(item) for item in view.silences],
        "problems": view.problems,
        "daemons": [
            {
                "daemon": item.id,
                "host": item.host,
                "pid": item.pid,
                "version": item.version,
                "started_at": stamp(item.started_at),
                "seen_at": stamp(item.seen_at),
                "alive": item.alive,
                "clock_ahead_seconds": round(item.ahead_seconds, 3),
                "evaluating": item.evaluating,
            }
            for item in view.daemons
        ],
        "unchecked": list(view.unchecked),
        "canary": None if view.canary is None else _canary(view.canary),
    }
