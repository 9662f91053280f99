"""`slicewatch explain`: why a slice was, or was not, alarmed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from alerts.model import Incident, Kind, Reprocess
from alerts.reprocess import csv_of, stretches_of
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.chain_text import explanation_text, explanation_to_json, told_text, told_to_json
from monitor.commands import HELP
from monitor.commands.common import Moment, config_option, json_option, opened, rule_called
from monitor.explaining import Told, explained, told_of
from monitor.watched import Watched
from rules.model import Rule
from rules.slices import Slice, Value
from rules.vocabulary import did_you_mean


@click.command("explain", context_settings=HELP)
@click.argument("target", metavar="INCIDENT | RULE SLICE TIME", nargs=-1, required=True)
@click.option(
    "--csv", "as_csv", is_flag=True, help="What an INCIDENT leaves to be loaded again, as CSV; so far, of an open one."
)
@config_option
@json_option
def explain(target: tuple[str, ...], config: Path, *, as_csv: bool, as_json: bool) -> None:
    """Say why a slice was, or was not, alarmed: the whole chain from counts to deliveries.

    SLICE is `device=ios,country=NO` or `total` (`country=NULL` for NULL), TIME any moment of the bucket. An INCIDENT
    is explained at the bucket at which it was raised. Reads slicewatch's own store, with the counts known today.
    """
    if as_csv and (as_json or len(target) != 1):
        raise click.UsageError("--csv is of one INCIDENT, and is no --json")
    with opened(config) as app:
        if as_csv:
            click.echo(_csv(app, target[0]), nl=False)
            return
        orphan = orphan_of(app, target)
        if orphan is not None:
            click.echo(json.dumps(told_to_json(orphan), ensure_ascii=False) if as_json else told_text(orphan))
            return
        rule, item, moment = _wanted(app, target)
        found = explained(app, rule, item, moment)
        if not found.chains:
            raise click.UsageError(f"{rule.name} has counted nothing yet: `slicewatch once` reads its history")
    click.echo(json.dumps(explanation_to_json(found), ensure_ascii=False) if as_json else explanation_text(found))


def orphan_of(app: App, target: tuple[str, ...]) -> Told | None:
    """What became of the incident that is asked for, where its rule is no more: its counts went with it."""
    with app.state.read() as tx:
        incident = store.incident(tx, target[0]) if len(target) == 1 else None
        return told_of(tx, incident) if incident is not None and app.rule(incident.rule) is None else None


def _wanted(app: App, target: tuple[str, ...]) -> tuple[Rule, Slice, datetime]:
    if len(target) == 1:
        return _of_incident(app, target[0])
    if len(target) != 3:
        raise click.UsageError("name an incident, or a rule, a slice and a time: RULE device=ios 2026-01-31T14:00Z")
    rule = rule_called(app, target[0])
    return rule, slice_called(rule, target[1]), Moment().convert(target[2], None, None)


def _csv(app: App, name: str) -> str:
    """What an incident leaves to be loaded again, by its rule where that still is."""
    incident = _incident(app, name)
    if incident.kind is not Kind.DROP:
        raise click.UsageError(f"{name} lost nothing that could be loaded again: it is of kind {incident.kind}")
    rule, stretches = app.rule(incident.rule), stretches_of(incident)
    named = dict.fromkeys(dimension for stretch in stretches for dimension in stretch.slice.dimensions)
    source, dimensions = (rule.source.name, rule.dimensions) if rule is not None else ("", tuple(named))
    return csv_of(incident.rule, Reprocess(source, incident.metric, dimensions, stretches))


def _incident(app: App, name: str) -> Incident:
    with app.state.read() as tx:
        incident = store.incident(tx, name)
    if incident is None:
        raise click.UsageError(f"no incident is called {name!r}: `slicewatch status` lists those that are open")
    return incident


def _of_incident(app: App, name: str) -> tuple[Rule, Slice, datetime]:
    incident = _incident(app, name)
    rule = rule_called(app, incident.rule)
    raised = incident.raised_at or incident.first_seen_at
    newest = Watched.of(rule).schedule.newest(to_epoch(raised))
    return rule, incident.cause, to_datetime(newest)


def slice_called(rule: Rule, text: str) -> Slice:
    """The slice of a rule that a person means; see `slice_of`."""
    return slice_of(text, rule.dimensions, rule.name)


def slice_of(text: str, dimensions: Sequence[str], whose: str) -> Slice:
    """The slice a person means by `device=ios,country=NO`; a value may hold commas. A wrong one is a usage error."""
    if text == "total":
        return Slice()
    names = "|".join(re.escape(name) for name in sorted(dimensions, key=len, reverse=True))
    parts = re.split(rf"(?:^|,\s*)({names})=", text)
    if parts[0] or len(parts) < 3:
        meant = did_you_mean(text.partition("=")[0], dimensions)
        known = ", ".join(dimensions)
        raise click.UsageError(
            " - ".join(filter(None, (f"{text!r} names no slice of {whose} (dimensions: {known})", meant)))
        )
    values = {name: _value(value) for name, value in zip(parts[1::2], parts[2::2], strict=True)}
    return Slice.of((name, values[name]) for name in dimensions if name in values)


def _value(text: str) -> Value:
    """NULL is NULL; `'NULL'` and `''` are these strings."""
    if text == "NULL":
        return None
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text
