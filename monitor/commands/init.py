"""`slicewatch init`: a first slicewatch.toml and a first rule file. Never overwrites."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from monitor.commands import HELP
from monitor.commands.check import FINDINGS, FINE, NOT_CHECKED, OpenSource
from monitor.opening import open_source
from monitor.query import Column, SourceError
from monitor.settings import SettingsError, parse_settings
from rules.model import SourceRef

SUFFIXES = ("parquet", "csv", "csv.gz", "json", "jsonl", "ndjson")


@dataclass(frozen=True)
class FirstRule:
    """What the first rule file watches: a table over files, its time column and dimensions."""

    table: str
    files: str
    """A glob, as slicewatch.toml is to name it."""
    timestamp: str
    dimensions: tuple[str, ...]
    daily: bool = False
    """Whether the time column is a date, so that buckets are days."""
    integers: tuple[str, ...] = ()
    """Integer columns, any of which may be a count of events that are already aggregated."""


EXAMPLE = FirstRule("playback", "lake/playback/**/*.parquet", "event_time", ("device", "os", "country"))
"""What is written where no data are named: to be changed by hand."""


class NoSuchEventsError(Exception):
    """The data that were named cannot be watched; the message says why."""


def run_init(
    config: Path,
    *,
    data: str | None,
    env: Mapping[str, str],
    out: TextIO,
    as_json: bool = False,
    opener: OpenSource | None = None,
) -> int:
    """Write what is not there yet and say what was done; the exit code of `check`.

    `data` is a file, a folder or a glob of Parquet, CSV or JSON files that the first rule is to watch; looking
    at them needs `opener`. Exits with 1 where they cannot be watched, with 2 where nothing can be written.
    """
    try:
        first = EXAMPLE if data is None else _look_at(data, config.parent, env, opener)
        written = [
            (path, _write(path, text))
            for path, text in (
                (config, settings_text(first)),
                (config.parent / "rules" / "example.yaml", rules_text(first)),
            )
        ]
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


def settings_text(first: FirstRule) -> str:
    """A slicewatch.toml that reads files and tells the terminal."""
    return f"""\
rules = ["rules/*.yaml"]                   # paths are relative to this file
fallback = "terminal"                      # receiver of rules that name none

[store]
url = "sqlite:///slicewatch.db"            # or {{env = "SLICEWATCH_STORE"}} for postgresql+psycopg://...

[sources.lake]
kind = "duckdb"                            # files: Parquet, CSV, JSON; globs and hive partitions
tables.{_toml_key(first.table)} = {json.dumps(first.files, ensure_ascii=False)}

# [sources.warehouse]
# kind = "sql"
# url = {{env = "WAREHOUSE_URL"}}            # any SQLAlchemy URL

[receivers.terminal]
kind = "console"

# [receivers.oncall]
# kind = "slack"
# channel = "#oncall"
# token = {{env = "SLACK_BOT_TOKEN"}}
"""


def rules_text(first: FirstRule) -> str:
    """A rule file with one rule."""
    dimensions = ", ".join(map(_yaml_word, first.dimensions))
    lines = [
        "version: 1",
        "rules:",
        f"  - name: {first.table}_volume",
        f"    source: lake.{first.table}",
        f"    timestamp: {_yaml_word(first.timestamp)}",
        f"    dimensions: [{dimensions}]",
    ]
    if first.daily:
        lines.append("    time_bucket: 1d")
    if first.integers:
        column = _yaml_word(first.integers[0])
        lines.append(f"    # metrics: [{{sum: {column}}}]  # where a row stands for many events: sum, do not count")
    return "\n".join([*lines, '    # notify: "#oncall"', ""])


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _yaml_word(name: str) -> str:
    """A column's name in a flow list, quoted where it would be read as anything else."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in {"true", "false", "null"}
    return name if plain else json.dumps(name, ensure_ascii=False)


def _look_at(data: str, folder: Path, env: Mapping[str, str], opener: OpenSource | None) -> FirstRule:
    """The first rule over the files that are named, as their columns suggest."""
    files = _glob(data)
    table = _table_name(data)
    columns = _columns(files, table, folder, env, opener)
    times = [column for column in columns if column.family in {"time", "date"}]
    strings = [column.name for column in columns if column.family == "string"]
    if not times:
        raise NoSuchEventsError(f"{data}: no column is a time: {_listed(columns)}")
    if not strings:
        raise NoSuchEventsError(f"{data}: no column is text to slice by: {_listed(columns)}")
    return FirstRule(
        table=table,
        files=_relative(files, folder),
        timestamp=times[0].name,
        dimensions=tuple(strings[:3]),
        daily=times[0].family == "date",
        integers=tuple(column.name for column in columns if column.family == "integer"),
    )


def _listed(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.name} ({column.type})" for column in columns)


def _glob(data: str) -> str:
    """A folder as the glob of its files; a file or a glob as it is."""
    path = Path(data)
    if not path.is_dir():
        return data
    for suffix in SUFFIXES:
        if next(path.rglob(f"*.{suffix}"), None):
            return (path / "**" / f"*.{suffix}").as_posix()
    raise NoSuchEventsError(f"{data}: holds no Parquet, CSV or JSON file")


def _table_name(data: str) -> str:
    """A word made of the last part of the path that is no pattern."""
    parts = [part for part in Path(data).parts if "*" not in part and "?" not in part]
    stem = Path(parts[-1]).name.split(".")[0] if parts else ""
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_") or "events"


def _relative(files: str, folder: Path) -> str:
    """The glob as slicewatch.toml, which lies in `folder`, is to name it."""
    if "://" in files:
        return files
    absolute = Path(files).absolute()
    base = folder.absolute()
    return (absolute.relative_to(base) if absolute.is_relative_to(base) else absolute).as_posix()


def _columns(
    files: str, table: str, folder: Path, env: Mapping[str, str], opener: OpenSource | None
) -> tuple[Column, ...]:
    if opener is None:
        raise NoSuchEventsError("no source can be opened here")
    text = settings_text(FirstRule(table, _relative(files, folder), "", ()))
    try:
        settings = parse_settings(text, "slicewatch.toml", folder, env)
        with closing(opener(settings, "lake")) as source:
            return source.columns(SourceRef("lake", (table,)))
    except (SourceError, SettingsError) as error:
        raise NoSuchEventsError(f"{files}: cannot be read: {error}") from None


@click.command("init", context_settings=HELP)
@click.argument("data", required=False)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("slicewatch.toml"),
    show_default=True,
    help="The operators' file to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file.")
def init(data: str | None, config: Path, *, as_json: bool) -> None:
    """Write a first slicewatch.toml and rules/example.yaml beside it; what exists is left as it is.

    DATA is a file, a folder or a quoted glob of Parquet, CSV or JSON files that the first rule is to watch.
    """
    code = run_init(config, data=data, env=os.environ, out=sys.stdout, as_json=as_json, opener=open_source)
    raise SystemExit(code)
