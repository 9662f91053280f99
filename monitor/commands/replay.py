"""`slicewatch replay`: a stretch of history, evaluated as if live."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from monitor import store
from monitor.commands import HELP
from monitor.commands.common import Moment, config_option, opened, progress, rules_called
from monitor.replay import Replay, incidents_to_text, line_of


@click.command("replay", context_settings=HELP)
@click.argument("rules", nargs=-1)
@click.option("--from", "start", type=Moment(), required=True, help="Start of the first bucket.")
@click.option("--to", "end", type=Moment(), required=True, help="End: the first bucket that is left out.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, one object per incident.")
def replay(rules: tuple[str, ...], start: datetime, end: datetime, config: Path, *, as_json: bool) -> None:
    """Evaluate every tick whose bucket starts in [FROM, TO), in order, as if live.

    Data before FROM is history. Nothing is sent and nothing is remembered. Exits with 0 even where incidents
    are found.
    """
    if end <= start:
        raise click.UsageError("--to is not after --from: there is nothing to evaluate")
    # A state of its own, in memory: neither read from nor written to the configured one.
    with opened(config, store_url="sqlite://") as app:
        for rule in rules_called(app, rules):
            run = Replay(rule, app.source(rule.source.source), store.Store.open("sqlite://"), start, end)
            with progress(rule.name) as show:
                for done, total in run.run():
                    show(done, total)
            found = run.incidents()
            if as_json:
                for incident in found:
                    click.echo(json.dumps(line_of(incident), ensure_ascii=False))
            else:
                click.echo(
                    f"{rule.name}: {len(run.ticks())} evaluations from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
                )
                click.echo(incidents_to_text(found))
            click.echo(run.noise(), err=True)
            run.state.close()
