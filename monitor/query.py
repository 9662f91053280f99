"""What the program asks of a source, and the Protocol a source implements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log10
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rules.model import Interval, Metric, SourceRef, Timestamp
from rules.slices import Slice

if TYPE_CHECKING:
    import pandas as pd  # half a second: whoever checks rules offline needs none


@dataclass(frozen=True)
class Arrivals:
    """When events could be read, and by which classes of lateness they are counted apart.

    An event is of the first class whose `lags` entry, counted from its bucket's end, is not before its arrival; of the
    last class where there is none. One without a time of arrival is of the first class. Times are compared in whole
    seconds.
    """

    column: Timestamp
    lags: tuple[timedelta, ...]
    """Ascending, at least one."""
    seen_until: datetime
    """Events that arrived later are not there yet."""


@dataclass(frozen=True)
class CountQuery:
    """One GROUP BY: leaf counts of all measures of a rule, by class of lateness where `arrivals` are given.

    `windows` are half-open [start, end) in UTC, aligned to buckets, sorted and disjoint. `timezone` is that
    of day buckets: a bucket of 1 d starts at local midnight; shorter buckets are aligned to the epoch (UTC).
    """

    source: SourceRef
    timestamp: Timestamp
    bucket: timedelta
    windows: tuple[Interval, ...]
    dimensions: tuple[str, ...]
    measures: tuple[Metric, ...]
    where: str | None = None
    timezone: str = "UTC"
    timeout: timedelta = timedelta.max
    """How long it may take, where that is less than its source allows."""
    arrivals: Arrivals | None = None
    within: Slice = field(default_factory=Slice)
    """Rows of this slice only, its values compared as text; it names no folded rest."""
    most: int | None = None
    """Rows of the answer at most; which ones are left out is not said."""
    max_scan: int | None = None
    """Bytes that it may read by the engine's own estimate, where that is less than its source allows."""


@dataclass(frozen=True)
class Column:
    """A column as the engine describes it; `family` is one of string, integer, float, time, date, boolean, other."""

    name: str
    type: str
    family: str


@dataclass(frozen=True)
class Cost:
    """What a query will read: files and bytes where the engine knows, else None."""

    files: int | None = None
    files_total: int | None = None
    bytes: int | None = None
    limit: int | None = None
    """Bytes that may be read at once, by the source and the rule; None: as many as there are."""

    @property
    def too_large(self) -> bool:
        """Whether it is known to be more than may be read."""
        return self.bytes is not None and self.limit is not None and self.bytes > self.limit


class SourceError(Exception):
    """The source could not be asked, or refused: the answer is unknown. The message is one line for a person."""


class QueryRefusedError(SourceError):
    """The rule asks for what the source cannot give (no such column, wrong type): not cured by a retry.

    `subject` is the name in the rule that is at fault, `suggestions` are existing names like it.
    """

    def __init__(self, message: str, *, subject: str = "", suggestions: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.subject = subject
        self.suggestions = tuple(suggestions)


class QueryTimeoutError(SourceError):
    """The query took longer than it may, and was ended at the engine."""


class ScanTooLargeError(QueryRefusedError):
    """The query would read more than `max_scan`; it did not run."""

    @classmethod
    def of(cls, what: str, cost: Cost) -> ScanTooLargeError:
        """What would be read, what may be, and what to do."""
        read, most = (size(n or 0) for n in (cost.bytes, cost.limit))
        return cls(
            f"{what} would read about {read}, and max_scan is {most}: name a partition or an index column in `where`, "
            "take a shorter lookback, or raise max_scan",
            subject="max_scan",
        )


class AskingStoppedError(Exception):
    """The program is ending and asks nobody any more. It says nothing about the source."""


def size(amount: float) -> str:
    """Bytes for a person: `12.5 GB`."""
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    step = min(int(log10(max(amount, 1)) // 3), len(units) - 1)
    return f"{amount / 1000**step:.3g} {units[step]}"


class Source(Protocol):
    """Where events are. Read-only, thread-safe; every method raises `SourceError` or `QueryRefusedError`."""

    def count(self, query: CountQuery) -> pd.DataFrame:
        """Count leaves, in one GROUP BY.

        Columns: `bucket` (datetime64[us, UTC], start), one object column per dimension under its own name (str,
        or None for NULL; other types as the engine prints them), int64 columns `m0`, `m1`... in the order of
        `query.measures`, and with `query.arrivals` a last one, `lag` (int64), the class of lateness. Leaves without
        rows have no row; rows whose time is NULL are left out.
        """
        ...

    def watermark(self, query: CountQuery) -> datetime | None:
        """The last arrival that `query.arrivals` lets see among all events of the windows, whatever `where` says.

        To the second; None where nothing arrived. Raises ValueError for a query without `arrivals`.
        """
        ...

    def columns(self, ref: SourceRef) -> tuple[Column, ...]: ...

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        """First and last event time (last inclusive, as `end`); None for an empty table."""
        ...

    def cost(self, query: CountQuery) -> Cost: ...

    def close(self) -> None: ...


@runtime_checkable
class Stoppable(Protocol):
    """A source whose running queries can be ended from another thread, at the engine."""

    def stop(self) -> None:
        """End whatever runs, and whatever begins after: whoever asks gets a `SourceError`."""
        ...


@runtime_checkable
class Listing(Protocol):
    """A source that knows its tables without being told."""

    def tables(self) -> tuple[tuple[str, ...], ...]:
        """Tables and views that may be read: (table,) in the default schema, (schema, table) elsewhere, sorted.

        The engine's own are left out. Raises `SourceError`.
        """
        ...
