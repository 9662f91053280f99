"""`slicewatch silence`: for a while nobody is told of some rules or slices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from alerts.operations import matches
from alerts.silences import LONGEST_SILENCE, Scope, Silence
from monitor import store
from monitor.app import App
from monitor.commands import HELP
from monitor.commands.common import Length, Moment, config_option, json_option
from monitor.commands.explain import slice_of
from monitor.commands.people import as_option, desk
from monitor.replay import stamp
from rules.model import Rule
from rules.slices import Slice, slice_to_json
from rules.vocabulary import did_you_mean


@click.command("silence", context_settings=HELP)
@click.argument("do", type=click.Choice(["add", "list", "end"]))
@click.argument("target", nargs=-1)
@click.option("--for", "lasting", type=Length(), help="How long it holds, such as 2h.")
@click.option("--from", "starts", type=Moment(), help="When it begins; now by default.")
@click.option("--until", "ends", type=Moment(), help="When it ends, instead of --for.")
@click.option("--reason", help="Why: whoever wonders at night reads it.")
@click.option("--owner", help="Only rules of this owner.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only rules with this label.")
@click.option("--all", "every", is_flag=True, help="List those that are over as well.")
@as_option
@config_option
@json_option
def silence(do: str, target: tuple[str, ...], config: Path, name: str | None, **given: Any) -> None:
    r"""Tell nobody of some rules or slices for a while: add, list or end silences.

    \b
    silence add RULE [SLICE] --for 2h --reason TEXT
    silence list
    silence end SILENCE

    RULE is a rule's name or a pattern, `*` for all; SLICE is `device=ios`, which covers `device=ios,country=NO`.
    Incidents are judged and shown as ever; the end of what was told before is told; what is still bad at the end of the
    silence is told once, and says so.
    """
    now = datetime.now(UTC)
    with desk(config, name) as (people, who):
        if do == "add":
            ends = _end(now, given)
            scope = scope_called(people.app, target, given["owner"], given["labels"])
            made = people.silence(scope, who, now, ends, given["reason"] or "", given["starts"])
            _show([made], now, as_json=given["as_json"])
        elif do == "end":
            _show([people.end_silence(_only(target), who, now)], now, as_json=given["as_json"])
        else:
            with people.app.state.read() as tx:
                found = store.silences(tx, datetime.min.replace(tzinfo=UTC) if given["every"] else now)
            _show(found, now, as_json=given["as_json"])


def _end(now: datetime, given: dict[str, Any]) -> datetime:
    lasting: timedelta | None = given["lasting"]
    ends: datetime | None = given["ends"]
    if (lasting is None) == (ends is None):
        raise click.UsageError(f"say how long: --for 2h, or --until TIME; at most {LONGEST_SILENCE.days} days")
    start: datetime = given["starts"] or now
    return ends or start + min(lasting or timedelta(0), 2 * LONGEST_SILENCE)


def _only(target: Sequence[str]) -> str:
    if len(target) != 1:
        raise click.UsageError("name the silence to end: `slicewatch silence list` shows them")
    return target[0]


def scope_called(app: App, target: Sequence[str], owner: str | None = None, labels: Sequence[str] = ()) -> Scope:
    """What a person means by `RULE [SLICE]`; a usage error where it names nothing."""
    if not 1 <= len(target) <= 2:
        raise click.UsageError("name a rule (or a pattern, `*` for all) and perhaps a slice: add RULE device=ios")
    rules = _named(app, target[0])
    dimensions = dict.fromkeys(dimension for rule in rules for dimension in rule.dimensions)
    item = slice_of(target[1], tuple(dimensions), target[0]) if len(target) == 2 else Slice()
    return Scope(target[0], item, owner, tuple(_label(text) for text in labels))


def _named(app: App, pattern: str) -> list[Rule]:
    """The rules of a pattern; one that names none is a mistake, for it would silence nothing."""
    found = [rule for rule in app.rules.rules if matches(pattern, rule)]
    if not found:
        known = [rule.name for rule in app.rules.rules]
        raise click.UsageError(" - ".join(filter(None, (f"{pattern!r} names no rule", did_you_mean(pattern, known)))))
    return found


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.UsageError(f"{text!r} is no label: write KEY=VALUE")
    return key, value


def _show(found: Iterable[Silence], now: datetime, *, as_json: bool) -> None:
    lines = [json.dumps(silence_to_json(item), ensure_ascii=False) if as_json else _line(item, now) for item in found]
    click.echo("\n".join(lines) if lines or as_json else "no silence holds")


def _line(item: Silence, now: datetime) -> str:
    over = " (over)" if item.ends <= now else f" (from {stamp(item.starts)})" if item.starts > now else ""
    return f"{item.id}  {item.scope.label()}  {item.label()}{over}"


def silence_to_json(item: Silence) -> dict[str, Any]:
    """A silence as every command prints it."""
    scope = item.scope
    return {
        "id": item.id,
        "rules": scope.rules,
        "slice": slice_to_json(scope.slice),
        "owner": scope.owner,
        "labels": dict(scope.labels),
        "starts": stamp(item.starts),
        "ends": stamp(item.ends),
        "by": dict(vars(item.by)),
        "reason": item.reason,
    }
