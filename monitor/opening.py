"""From the operators' settings to an open source."""

from __future__ import annotations

from pathlib import Path

from monitor.query import Source, SourceError
from monitor.settings import Settings


def open_source(settings: Settings, name: str) -> Source:
    """The source of this name. Raises `SourceError`, or `MissingSecretError` where its URL cannot be read."""
    from monitor import sources  # noqa: PLC0415  engines load only where one is asked

    found = settings.source(name)
    if found is None:
        raise SourceError(f"'{name}' is not a source of {settings.file}")
    tables = {table: tuple(map(_absolute, globs)) for table, globs in found.tables}
    url = None if found.url is None else found.reveal_url()
    limits = sources.Limits(found.concurrency, found.max_scan, found.max_rows)
    return sources.open_source(name, sources.SourceConfig(found.kind, tables, url, found.timeout, limits))


def _absolute(pattern: str) -> str:
    return pattern if "://" in pattern else Path(pattern).absolute().as_posix()
