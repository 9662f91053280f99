"""What evaluations take: a stopwatch around each, and one around what the source is asked meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from monitor.query import Column, Cost, CountQuery, Source
from monitor.tracing import span
from rules.model import Interval, SourceRef, Timestamp

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Spent:
    """What a source took since it was last asked for it, in one thread."""

    seconds: float = 0.0
    rows: int = 0


@dataclass
class TimedSource:
    """A source that remembers how long it took; `stopwatch` gives seconds that never run backwards."""

    inner: Source
    stopwatch: Callable[[], float]
    _here: threading.local = field(default_factory=threading.local)

    def taken(self) -> Spent:
        """What it took in this thread since the last call."""
        found: Spent = getattr(self._here, "spent", Spent())
        self._here.spent = Spent()
        return found

    def _add(self, begun: float, rows: int = 0) -> None:
        spent: Spent = getattr(self._here, "spent", Spent())
        self._here.spent = Spent(spent.seconds + self.stopwatch() - begun, spent.rows + rows)

    def count(self, query: CountQuery) -> pd.DataFrame:
        """As of the source."""
        begun, rows = self.stopwatch(), 0
        try:
            with span("query", source=query.source.name) as traced:
                found = self.inner.count(query)
                rows = len(found)
                traced.note(rows=rows)
            return found
        finally:
            self._add(begun, rows)

    def watermark(self, query: CountQuery) -> datetime | None:
        """As of the source."""
        begun = self.stopwatch()
        try:
            return self.inner.watermark(query)
        finally:
            self._add(begun)

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        """As of the source."""
        return self.inner.columns(ref)

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        """As of the source."""
        return self.inner.span(ref, timestamp, where)

    def cost(self, query: CountQuery) -> Cost:
        """As of the source."""
        return self.inner.cost(query)

    def close(self) -> None:
        """As of the source."""
        self.inner.close()
