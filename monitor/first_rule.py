"""A first configuration for events that are there: the source, and a rule that fits what it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from monitor.profile import NothingToSuggestError, profile_of
from monitor.query import Column, Source, SourceError
from monitor.suggest import rule_text, yaml_word
from rules.model import SourceRef

SUFFIXES = ("parquet", "csv", "csv.gz", "json", "jsonl", "ndjson")
FEW_ROWS = 100
"""Rows a day below which what columns hold says little about what they will hold."""


class NoSuchEventsError(Exception):
    """The events that were named cannot be watched; the message says why."""


@dataclass(frozen=True)
class Lake:
    """A table over files; `files` is a glob, as slicewatch.toml is to name it."""

    table: str
    files: str

    @property
    def ref(self) -> SourceRef:
        """What a rule names."""
        return SourceRef("lake", (self.table,))


@dataclass(frozen=True)
class Warehouse:
    """A table of a database, whose URL stands in a variable."""

    table: str
    variable: str

    @property
    def ref(self) -> SourceRef:
        """What a rule names."""
        return SourceRef("warehouse", tuple(self.table.split(".")))


@dataclass(frozen=True)
class FirstRule:
    """What the first rule file watches, by the types of columns alone."""

    ref: SourceRef
    timestamp: str
    dimensions: tuple[str, ...]
    daily: bool = False
    """Whether the time column is a date, so that buckets are days."""
    integers: tuple[str, ...] = ()
    """Integer columns, any of which may be a count of events that are already aggregated."""


EXAMPLE = Lake("playback", "lake/playback/**/*.parquet")
EXAMPLE_RULE = FirstRule(EXAMPLE.ref, "event_time", ("device", "os", "country"))
"""What is written where no events are named: to be changed by hand."""


def lake_of(data: str, folder: Path) -> Lake:
    """The files that are named by a file, a folder or a glob. Raises `NoSuchEventsError`."""
    return Lake(_table_name(data), _relative(_glob(data), folder))


def settings_text(place: Lake | Warehouse) -> str:
    """A slicewatch.toml with one source that tells the terminal."""
    return f"""\
rules = ["rules/*.yaml"]                   # paths are relative to this file
fallback = "terminal"                      # receiver of rules that name none

[store]
url = "sqlite:///slicewatch.db"            # or {{env = "SLICEWATCH_STORE"}} for postgresql+psycopg://...

{_sources(place)}
[receivers.terminal]
kind = "console"

# [receivers.oncall]
# kind = "slack"
# channel = "#oncall"
# token = {{env = "SLACK_BOT_TOKEN"}}
"""


def _sources(place: Lake | Warehouse) -> str:
    if isinstance(place, Warehouse):
        return f"""\
[sources.warehouse]
kind = "sql"
url = {{env = {json.dumps(place.variable)}}}            # any SQLAlchemy URL
"""
    return f"""\
[sources.lake]
kind = "duckdb"                            # files: Parquet, CSV, JSON; globs and hive partitions
tables.{_toml_key(place.table)} = {json.dumps(place.files, ensure_ascii=False)}

# [sources.warehouse]
# kind = "sql"
# url = {{env = "WAREHOUSE_URL"}}            # any SQLAlchemy URL
"""


def first_rule(source: Source, ref: SourceRef) -> str:
    """A rule file for a table, from what it holds; from its columns alone where it holds little. Closes the source.

    Raises `NoSuchEventsError`.
    """
    try:
        with closing(source):
            columns = source.columns(ref)
            try:
                profile = profile_of(source, ref)
            except NothingToSuggestError:
                profile = None
    except SourceError as error:
        raise NoSuchEventsError(f"{ref.name}: cannot be read: {error}") from None
    if profile is not None and profile.rows_a_day >= FEW_ROWS:
        return rule_text(profile)
    return rules_text(_by_columns(ref, columns))


def _by_columns(ref: SourceRef, columns: Sequence[Column]) -> FirstRule:
    times = [column for column in columns if column.family in {"time", "date"}]
    strings = [column.name for column in columns if column.family == "string"]
    if not times:
        raise NoSuchEventsError(f"{ref.name}: no column is a time: {_listed(columns)}")
    if not strings:
        raise NoSuchEventsError(f"{ref.name}: no column is text to slice by: {_listed(columns)}")
    integers = tuple(column.name for column in columns if column.family == "integer")
    return FirstRule(ref, times[0].name, tuple(strings[:3]), times[0].family == "date", integers)


def rules_text(first: FirstRule) -> str:
    """A rule file with one rule."""
    dimensions = ", ".join(map(yaml_word, first.dimensions))
    lines = [
        "version: 1",
        "rules:",
        f"  - name: {first.ref.table[-1]}_volume",
        f"    source: {first.ref.name}",
        f"    timestamp: {yaml_word(first.timestamp)}",
        f"    dimensions: [{dimensions}]",
    ]
    if first.daily:
        lines.append("    time_bucket: 1d")
    if first.integers:
        column = yaml_word(first.integers[0])
        lines.append(f"    # metrics: [{{sum: {column}}}]  # where a row stands for many events: sum, do not count")
    return "\n".join([*lines, '    # notify: "#oncall"', ""])


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


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
