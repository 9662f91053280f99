"""`slicewatch show`: a rule with all that it inherits, and where each value comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click

from monitor.checks import load_runnable
from monitor.commands import HELP
from monitor.settings import Settings, SettingsError, load_settings
from rules.model import Rule
from rules.problem import Place
from rules.resolved import Setting, as_yaml, resolved
from rules.vocabulary import did_you_mean

BUILT_IN = "built in"
CANNOT = 2
"""Exit code: the settings cannot be read."""


def shown(rule: Rule, *, origins: bool) -> str:
    """The rule as one would write it with nothing left to defaults; with `origins` each line says where it is from."""
    lines = list(_lines(resolved(rule)))
    width = max(len(text) for text, _ in lines)
    told = (f"{text:<{width}}  # {origin}" if origins and origin else text for text, origin in lines)
    return "\n".join(told)


def _lines(settings: tuple[Setting, ...]) -> Iterator[tuple[str, str]]:
    """Lines of YAML with the origin of their value; a mapping's own line has none."""
    lead = "- "
    for parent, group in groupby(settings, key=lambda setting: setting.key.partition(".")[0]):
        inner = list(group)
        if inner[0].key != parent:
            yield f"{lead}{parent}:", ""
        for setting in inner:
            indent = lead if setting.key == parent else "    "
            key = setting.key.partition(".")[2] or parent
            yield f"{indent}{key}: {as_yaml(setting.value)}", _origin(setting.place)
        lead = "  "


def _origin(place: Place | None) -> str:
    return BUILT_IN if place is None else f"{place.file}:{place.line}"


def as_json(rule: Rule) -> str:
    """One object: the rule's name, and its values with file and line, null where they are built in."""
    values = [
        {
            "key": setting.key,
            "value": setting.value,
            "file": setting.place.file if setting.place else None,
            "line": setting.place.line if setting.place else None,
        }
        for setting in resolved(rule)
    ]
    return json.dumps({"rule": rule.name, "values": values}, ensure_ascii=False)


def _rule(settings: Settings, name: str) -> Rule:
    rules = {rule.name: rule for rule in load_runnable(settings).rules}
    if name not in rules:
        hint = did_you_mean(name, rules)
        raise click.UsageError(" - ".join(filter(None, (f"no rule that can run is called {name!r}", hint))))
    return rules[name]


@click.command("show", context_settings=HELP)
@click.argument("rule")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("slicewatch.toml"),
    show_default=True,
    help="The operators' file.",
)
@click.option("--resolved", "origins", is_flag=True, help="Say of each value which file and line it comes from.")
@click.option("--json", "in_json", is_flag=True, help="Print one JSON object, with files and lines.")
def show(rule: str, config: Path, *, origins: bool, in_json: bool) -> None:
    """Show a RULE with everything that holds for it.

    What the rule does not say is taken from the `defaults` of its file, then from the file it extends, then from
    [defaults] of the operators' file, and else it is built in.
    """
    try:
        found = _rule(load_settings(config, os.environ), rule)
    except SettingsError as error:
        click.echo(str(error), err=True)
        raise SystemExit(CANNOT) from None
    click.echo(as_json(found) if in_json else shown(found, origins=origins))
