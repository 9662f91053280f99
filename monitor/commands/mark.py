"""`slicewatch mark`: what has changed, for whoever wonders why something broke."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from alerts.actions import name_of
from alerts.marks import Mark
from alerts.operations import matches
from alerts.silences import Scope
from monitor import store
from monitor.app import App
from monitor.commands import HELP
from monitor.commands.common import Moment, config_option, json_option
from monitor.commands.people import as_option, desk
from monitor.replay import stamp
from rules.vocabulary import did_you_mean

LISTED = timedelta(days=30)


@click.command("mark", context_settings=HELP)
@click.argument("text", required=False)
@click.option("--at", "moment", type=Moment(), help="When it changed; now by default.")
@click.option("--rule", "pattern", default="*", help="Only for this rule, or for rules of a pattern; all by default.")
@click.option("--owner", help="Only for rules of this owner.")
@click.option("--remove", "removed", metavar="MARK", help="Take a mark back, by its id.")
@as_option
@config_option
@json_option
def mark(
    text: str | None,
    moment: datetime | None,
    pattern: str,
    owner: str | None,
    removed: str | None,
    name: str | None,
    config: Path,
    *,
    as_json: bool,
) -> None:
    """Mark what has changed: a release, a migration. Without TEXT, list the marks of the last 30 days.

    Alerts that begin shortly after a mark name it, charts show it, and so does `explain`. A deployment can call this.
    """
    now = datetime.now(UTC)
    with desk(config, name) as (people, who):
        if removed is not None and people.remove_mark(removed, who, now) is None:
            raise click.UsageError(f"no mark is called {removed!r}: `slicewatch mark` lists them")
        if text is not None:
            _known(people.app, pattern)
            _show([people.mark(text, moment or now, Scope(pattern, owner=owner), who, now)], as_json=as_json)
        elif removed is None:
            with people.app.state.read() as tx:
                found = store.marks(tx, now - LISTED)
            _show(found, as_json=as_json)


def _known(app: App, pattern: str) -> None:
    """A mark for rules that there are not would be seen by nobody."""
    if not any(matches(pattern, rule) for rule in app.rules.rules):
        names = [rule.name for rule in app.rules.rules]
        hint = did_you_mean(pattern, names)
        raise click.UsageError(f"no rule is called {pattern!r}" + (f": {hint}" if hint else ""))


def _show(found: Sequence[Mark], *, as_json: bool) -> None:
    for item in found:
        scope = "" if item.scope == Scope() else f" ({item.scope.label()})"
        line = f"{item.id}  {stamp(item.at)}  {item.text}{scope}, by {name_of(item.by)}"
        click.echo(json.dumps(mark_to_json(item), ensure_ascii=False) if as_json else line)
    if not found and not as_json:
        click.echo("No marks in the last 30 days.")


def mark_to_json(item: Mark) -> dict[str, object]:
    """A mark as one object."""
    by = {"kind": item.by.kind, "id": item.by.id, "name": item.by.name}
    return {"id": item.id, "at": stamp(item.at), "text": item.text, "scope": item.scope.label(), "by": by}
