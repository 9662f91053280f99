"""One engine per file; each implements `monitor.query.Source`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from monitor.query import Source, SourceError

MOST_ROWS = 10_000_000
"""Rows of an answer that are taken into memory, where the operators do not say."""

# An engine's module is imported when a source of its kind is opened: a driver that is not used is not loaded.
ENGINES: Mapping[str, str] = MappingProxyType(
    {
        "duckdb": "monitor.sources.duckdb_files:open_duckdb",
        "sql": "monitor.sources.sql:open_sql",
    }
)


@dataclass(frozen=True)
class Limits:
    """What is asked of a source at once: queries, bytes that one may read, rows that it may answer with."""

    concurrency: int = 4
    max_scan: int | None = None
    max_rows: int = MOST_ROWS


@dataclass(frozen=True)
class SourceConfig:
    """A source of slicewatch.toml: `tables` (name to absolute globs) for files, `url` (with its secrets) for SQL."""

    kind: str
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    url: str | None = field(default=None, repr=False)
    timeout: timedelta = timedelta(minutes=5)
    limits: Limits = field(default_factory=Limits)


def open_source(name: str, config: SourceConfig) -> Source:
    """The source called `name`. Nothing is connected or read before it is first asked."""
    target = ENGINES.get(config.kind)
    if target is None:
        raise SourceError(f"source {name}: {config.kind!r} is no kind of source; there are {', '.join(ENGINES)}")
    module, _, factory = target.partition(":")
    opened: Callable[[str, SourceConfig], Source] = getattr(importlib.import_module(module), factory)
    return opened(name, config)
