"""`slicewatch suggest`: a rule for a table, from what it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from monitor import store
from monitor.app import App
from monitor.backtest import work_of
from monitor.buckets import to_datetime, to_epoch
from monitor.commands import HELP
from monitor.commands.common import FAILED, config_option, json_option, newest_bucket, opened, progress
from monitor.profile import NothingToSuggestError, Profile, profile_of
from monitor.query import Listing, SourceError
from monitor.replay import Replay
from monitor.settings import SettingsError, SourceSettings
from monitor.suggest import FULL, Noise, bucket_of, dimensions_of, rule_text
from monitor.watched import Watched
from rules.model import SourceRef
from rules.parse import parse_rules
from rules.vocabulary import did_you_mean

FINDINGS = 1
TRIED = 24
TRIED_OF_DAYS = 7
"""Buckets of history that the suggestion is tried on."""


@click.command("suggest", context_settings=HELP)
@click.argument("table", metavar="SOURCE.TABLE", required=False)
@click.option("--no-trial", is_flag=True, help="Do not try the rule on the newest history.")
@config_option
@json_option
def suggest(table: str | None, config: Path, *, no_trial: bool, as_json: bool) -> None:
    """Print a commented rule for SOURCE.TABLE: time column, dimensions, bucket, and what it told of late.

    Dimensions are columns of few values, the richest first, without those that follow from another (an os from the device).
    Without SOURCE.TABLE the tables that no rule watches are listed. Nothing is written: redirect it to a rule file.
    """
    with opened(config, store_url="sqlite://") as app:
        if table is None:
            _list(*unwatched(app), as_json=as_json)
            return
        ref = _ref(app, table)
        try:
            profile = profile_of(app.source(ref.source), ref)
        except NothingToSuggestError as error:
            click.echo(str(error), err=True)
            raise SystemExit(FINDINGS) from None
        text = rule_text(profile, None if no_trial else _try(app, profile))
        click.echo(json.dumps(_to_json(profile, text), ensure_ascii=False) if as_json else text, nl=as_json)
        others = [name for name in unwatched(app)[0] if name != table]
        if others:
            click.echo(f"no rule watches: {', '.join(others)}", err=True)


def _list(names: list[str], unasked: list[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"unwatched": names}, ensure_ascii=False))
    elif names or not unasked:
        click.echo("\n".join(f"no rule watches {name}" for name in names) or "every table is watched by a rule")
    for error in unasked:
        click.echo(error, err=True)
    if unasked:
        raise SystemExit(FAILED)


def unwatched(app: App) -> tuple[list[str], list[str]]:
    """Tables that no rule names: of files those in the settings, of databases those there are. And what went wrong."""
    found: list[str] = []
    unasked: list[str] = []
    for source in app.settings.sources:
        watched = [rule.source.table for rule in app.rules.rules if rule.source.source == source.name]
        try:
            tables = _tables(app, source)
        except (SourceError, SettingsError) as error:
            unasked.append(f"{source.name} could not be asked: {error}")
            continue
        found += [".".join((source.name, *table)) for table in not_named(tables, watched)]
    return found, unasked


def _tables(app: App, source: SourceSettings) -> Sequence[tuple[str, ...]]:
    if source.kind != "sql":
        return [tuple(table.split(".")) for table, _ in source.tables]
    opened = app.source(source.name)
    return opened.tables() if isinstance(opened, Listing) else ()


def not_named(tables: Sequence[tuple[str, ...]], named: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The tables that no rule names. A rule may write the default schema, which the list leaves out."""
    schemas = {table[:-1] for table in tables}
    watched = {table if table[:-1] in schemas else table[-1:] for table in named}
    return [table for table in tables if table not in watched]


def _ref(app: App, table: str) -> SourceRef:
    """The table that is meant; a source that is not there, or a name without a table, is a usage error."""
    name, _, rest = table.partition(".")
    known = [source.name for source in app.settings.sources]
    if name not in known:
        raise click.UsageError(" - ".join(filter(None, (f"no source is called {name!r}", did_you_mean(name, known)))))
    if not rest:
        raise click.UsageError(f"name a table of {name}: {name}.TABLE")
    return SourceRef(name, tuple(rest.split(".")))


def _try(app: App, profile: Profile) -> Noise | None:
    """What the suggested rule tells over the newest history; None where there is too little to learn from."""
    bucket = bucket_of(profile)
    count = TRIED_OF_DAYS if bucket >= timedelta(days=1) else TRIED
    (rule,) = parse_rules(rule_text(profile), "suggested").rules
    newest = newest_bucket(app, rule)
    if newest is None or profile.events.end - profile.events.start < FULL / 2 + count * bucket:
        return None
    grid, state = Watched.of(rule).grid, store.Store.open("sqlite://")
    end = grid.end(to_epoch(newest))
    start = grid.shift(end, -count)
    try:
        replay = Replay(rule, app.source(rule.source.source), state, to_datetime(start), to_datetime(end))
        with progress(rule.name) as show:
            for done, total in replay.run():
                show(done, total)
        return Noise(count * bucket, len(replay.incidents()), work_of(replay, 0.0).slices)
    finally:
        state.close()


def _to_json(profile: Profile, text: str) -> dict[str, Any]:
    return {
        "source": profile.source.name,
        "timestamp": profile.timestamp.name,
        "arrived_at": None if profile.arrived_at is None else profile.arrived_at.name,
        "dimensions": [item.column.name for item in dimensions_of(profile)],
        "columns": [
            {
                "column": item.column.name,
                "values": item.count,
                "entropy": round(item.entropy, 3),
                "follows": item.follows,
            }
            for item in (*profile.values, *profile.too_many)
        ],
        "sum": profile.summed,
        "time_bucket_seconds": bucket_of(profile).total_seconds(),
        "combinations": profile.leaves,
        "rule": text,
    }
