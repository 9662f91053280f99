"""`slicewatch init`: a first slicewatch.toml and a first rule file. Never overwrites."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from monitor.commands import HELP
from monitor.commands.check import FINDINGS, FINE, NOT_CHECKED, OpenSource
from monitor.first_rule import (
    EXAMPLE,
    EXAMPLE_RULE,
    Lake,
    NoSuchEventsError,
    Warehouse,
    first_rule,
    lake_of,
    rules_text,
    settings_text,
)
from monitor.opening import open_source
from monitor.query import SourceError
from monitor.settings import Settings, SettingsError, load_settings, parse_settings
from rules.model import SourceRef


@dataclass(frozen=True)
class _Begin:
    """Where to begin: the operators' file, what was named, and the world to look at it."""

    config: Path
    data: str | None
    variable: str | None
    env: Mapping[str, str]
    opener: OpenSource | None

    def files(self) -> list[tuple[Path, str]]:
        """Path and text of each file to write. Raises `NoSuchEventsError`."""
        rules = self.config.parent / "rules"
        if self.data is None:
            return [(self.config, settings_text(EXAMPLE)), (rules / "example.yaml", rules_text(EXAMPLE_RULE))]
        if (settings := self._existing()) is not None:
            name, _, table = self.data.partition(".")
            return [(rules / f"{table}.yaml", self._rule(settings, SourceRef(name, tuple(table.split(".")))))]
        place = self._place(self.data)
        text = settings_text(place)
        settings = parse_settings(text, self.config.as_posix(), self.config.parent, self.env)
        return [(self.config, text), (rules / "example.yaml", self._rule(settings, place.ref))]

    def _existing(self) -> Settings | None:
        """The settings that are there, where a table of one of their sources is named."""
        if self.variable is not None or not self.config.exists():
            return None
        try:
            settings = load_settings(self.config, self.env)
        except SettingsError:
            return None
        name, _, table = (self.data or "").partition(".")
        return settings if settings.source(name) and table else None

    def _place(self, data: str) -> Lake | Warehouse:
        return lake_of(data, self.config.parent) if self.variable is None else Warehouse(data, self.variable)

    def _rule(self, settings: Settings, ref: SourceRef) -> str:
        if self.opener is None:
            raise NoSuchEventsError("no source can be opened here")
        try:
            return first_rule(self.opener(settings, ref.source), ref)
        except (SourceError, SettingsError) as error:
            raise NoSuchEventsError(f"{ref.name}: cannot be read: {error}") from None


def run_init(
    config: Path,
    *,
    data: str | None,
    env: Mapping[str, str],
    out: TextIO,
    variable: str | None = None,
    as_json: bool = False,
    opener: OpenSource | None = None,
) -> int:
    """Write what is not there yet and say what was done; the exit code of `check`.

    `data` is what the first rule is to watch: a file, a folder or a glob; with `variable`, which holds a URL, a table
    of that database; or SOURCE.TABLE of the settings that are there. Looking at it needs `opener`. Exits with 1 where
    it cannot be watched, with 2 where nothing can be written.
    """
    try:
        written = [(path, _write(path, text)) for path, text in _Begin(config, data, variable, env, opener).files()]
    except NoSuchEventsError as error:
        out.write(f"{error}\n")
        return FINDINGS
    except OSError as error:
        out.write(f"{error.filename}: cannot be written: {error.strerror}\n")
        return NOT_CHECKED
    lines = _json_lines(written) if as_json else _text(written, config, example=data is None)
    out.writelines(f"{line}\n" for line in lines)
    return FINE


def _write(path: Path, text: str) -> bool:
    """Whether the file was written; one that exists is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _json_lines(written: Sequence[tuple[Path, bool]]) -> list[str]:
    return [json.dumps({"file": path.as_posix(), "written": done}) for path, done in written]


def _text(written: Sequence[tuple[Path, bool]], config: Path, *, example: bool) -> list[str]:
    lines = [f"{path}: {'written' if done else 'exists, left as it is'}" for path, done in written]
    option = "" if config == Path("slicewatch.toml") else f" --config {config}"
    if example:
        lines.append("Both hold an example: name your own files, columns and receivers in them.")
    return [*lines, f"Next: slicewatch check{option} --online"]


@click.command("init", context_settings=HELP)
@click.argument("data", metavar="PATH_OR_TABLE", required=False)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("slicewatch.toml"),
    show_default=True,
    help="The operators' file to write.",
)
@click.option(
    "--url", "variable", metavar="VARIABLE", help="The environment variable with the URL of the table's database."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file.")
def init(data: str | None, config: Path, *, variable: str | None, as_json: bool) -> None:
    """Write a first slicewatch.toml and rules/example.yaml beside it; what exists is left as it is.

    PATH_OR_TABLE is what the first rule is to watch: a file, a folder or a quoted glob of Parquet, CSV or JSON files; with
    --url a table of a database, such as events.playback; or, where slicewatch.toml is there, SOURCE.TABLE of it.
    The rule is made from what the table holds, as `suggest` does.
    """
    if variable is not None and data is None:
        raise click.UsageError("--url needs a table")
    out, env = sys.stdout, os.environ
    code = run_init(config, data=data, variable=variable, env=env, out=out, as_json=as_json, opener=open_source)
    raise SystemExit(code)
