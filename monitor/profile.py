"""What a table holds, as far as a rule needs to know: times, values by column, how they hang together, how much comes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.query import Column, CountQuery, Source
from rules.model import Interval, Metric, SourceRef, Timestamp

DAYS = 7
"""Newest days that are looked at."""
MOST_VALUES = 2_000
"""Values from which on a column names single things, not groups of them."""
MOST_INTEGERS = 60
"""Whole numbers with more values are amounts, not names."""
MOST_TOGETHER = 6
"""Columns whose combinations are counted."""
FOLLOWS = 0.05
"""Share of a column's entropy that may be left where another is known, for it to follow from that one."""
ALONE = 0.98
"""Share of combinations and buckets of one row from which on a row is a count."""
EVENT_TIMES = ("event_time", "event_timestamp", "occurred_at", "timestamp", "time", "ts", "hour", "date", "day")
ARRIVALS = ("ingest", "arriv", "receiv", "load", "insert", "process", "creat")

Floats = NDArray[np.float64]


class NothingToSuggestError(Exception):
    """The table cannot be watched; the message says why."""


@dataclass(frozen=True)
class Values:
    """One column that events may be sliced by: how many values it has, and how evenly they are spread, in bits."""

    column: Column
    count: int
    entropy: float
    follows: str | None = None
    """The column that its value follows from."""


@dataclass(frozen=True)
class Profile:
    """What the newest days of a table hold."""

    source: SourceRef
    timestamp: Column
    arrived_at: Column | None
    other_times: tuple[str, ...]
    events: Interval
    """First and last event."""
    daily: bool
    """Whether all events are of whole days."""
    rows_a_day: float
    values: tuple[Values, ...]
    """Columns to slice by, the richest first."""
    constant: tuple[str, ...]
    too_many: tuple[Values, ...]
    amounts: tuple[str, ...]
    """Integer columns that are no names."""
    summed: str | None
    """The amount to sum, where a row stands for many events."""
    leaves: int
    """Combinations of the columns to slice by that occur."""


@dataclass(frozen=True)
class Times:
    """The columns that are times, and the first and last event."""

    event: Column
    arrived: Column | None
    others: tuple[str, ...]
    events: Interval


def profile_of(source: Source, ref: SourceRef) -> Profile:
    """Ask a source for the newest days of a table. The source's errors go through; raises `NothingToSuggestError`."""
    columns = source.columns(ref)
    time, arrived, others = times_of(columns)
    if time is None:
        raise NothingToSuggestError(f"{ref.name}: no column is a time: {_listed(columns)}")
    events = source.span(ref, Timestamp(time.name), None)
    if events is None:
        raise NothingToSuggestError(f"{ref.name} holds no events")
    times = Times(time, arrived, others, events)
    return _profile(_Ask(source, ref, Timestamp(time.name), _newest(events)), columns, times)


def _profile(ask: _Ask, columns: Sequence[Column], times: Times) -> Profile:
    found = [ask.values(column) for column in columns if column.family in {"string", "boolean", "integer"}]
    names = [item for item in found if 1 < item.count <= _most(item.column)]
    if not names:
        raise NothingToSuggestError(f"{ask.ref.name}: no column holds a few values to slice by: {_listed(columns)}")
    names = sorted(names, key=lambda item: -item.entropy)[:MOST_TOGETHER]
    joint = ask.counts([item.column.name for item in names])
    daily = times.event.family == "date" or ask.of_whole_days(names[0].column.name)
    amounts = _amounts(columns, names)
    kept = followed(names, joint)
    return Profile(
        source=ask.ref,
        timestamp=times.event,
        arrived_at=times.arrived,
        other_times=times.others,
        events=times.events,
        daily=daily,
        rows_a_day=float(joint["m0"].sum()) / max(joint["bucket"].nunique(), 1),
        values=kept,
        constant=tuple(item.column.name for item in found if item.count == 1),
        too_many=tuple(i for i in found if i.count > _most(i.column) and i.column.family != "integer"),
        amounts=amounts,
        summed=next(iter(amounts), None) if amounts and ask.one_row_each(names, daily=daily) else None,
        leaves=len(joint.drop_duplicates([item.column.name for item in kept if item.follows is None])),
    )


def _amounts(columns: Sequence[Column], names: Sequence[Values]) -> tuple[str, ...]:
    sliced = {item.column.name for item in names}
    return tuple(c.name for c in columns if c.family == "integer" and c.name not in sliced and not _is_id(c.name))


def times_of(columns: Sequence[Column]) -> tuple[Column | None, Column | None, tuple[str, ...]]:
    """(event time, time of arrival, other times): by their names, else the first is the time of the event."""
    times = [column for column in columns if column.family in {"time", "date"}]
    late = [column for column in times if any(word in column.name.lower() for word in ARRIVALS)]
    events = [column for column in times if column not in late] or times
    known = [column for name in EVENT_TIMES for column in events if column.name.lower() == name]
    time = next(iter(known or events), None)
    arrived = next((column for column in late if column is not time and column.family == "time"), None)
    return time, arrived, tuple(column.name for column in times if column not in (time, arrived))


def _newest(events: Interval) -> Interval:
    """Whole days, the newest ones."""
    last = events.end.replace(hour=0, minute=0, second=0, microsecond=0)
    first = max(last - timedelta(days=DAYS - 1), events.start.replace(hour=0, minute=0, second=0, microsecond=0))
    return Interval(first, last + timedelta(days=1))


def _is_id(name: str) -> bool:
    """Whether a number names somebody or something."""
    return re.search(r"(^|_)(id|key|uuid|hash)$|[a-z]Id$", name) is not None


def is_name(column: Column) -> bool:
    """Whether a column may name a group of events: no id of somebody or something."""
    return not _is_id(column.name)


def _most(column: Column) -> int:
    return MOST_INTEGERS if column.family == "integer" else MOST_VALUES


def _listed(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.name} ({column.type})" for column in columns)


@dataclass(frozen=True)
class _Ask:
    source: Source
    ref: SourceRef
    timestamp: Timestamp
    newest: Interval

    def counts(self, dimensions: Sequence[str], bucket: timedelta = timedelta(days=1)) -> pd.DataFrame:
        """Rows by day and values of some columns."""
        query = CountQuery(
            source=self.ref,
            timestamp=self.timestamp,
            bucket=bucket,
            windows=(self.newest,),
            dimensions=tuple(dimensions),
            measures=(Metric("count"),),
        )
        return self.source.count(query)

    def values(self, column: Column) -> Values:
        frame = self.counts([column.name])
        volume = frame.groupby(column.name, dropna=False)["m0"].sum().to_numpy(dtype=float)
        return Values(column, len(volume), entropy(volume))

    def of_whole_days(self, dimension: str) -> bool:
        """Whether every event's time is a midnight, on more than one day: a date that is written as a time."""
        hours = self.counts([dimension], timedelta(hours=1))["bucket"]
        return len(hours) > 0 and hours.min() < hours.max() and bool((hours == hours.dt.normalize()).all())

    def one_row_each(self, names: Sequence[Values], *, daily: bool) -> bool:
        """Whether each combination has one row at most in any bucket: then a row is a count, not an event."""
        dimensions = [item.column.name for item in names]
        frame = self.counts(dimensions, timedelta(days=1) if daily else timedelta(hours=1))
        return bool(len(frame)) and float((frame["m0"] == 1).mean()) > ALONE


def entropy(volume: Floats) -> float:
    """Bits of a distribution [n] of counts."""
    share = volume[volume > 0] / volume.sum()
    return float(-(share * np.log2(share)).sum())


def followed(names: Sequence[Values], joint: pd.DataFrame) -> tuple[Values, ...]:
    """The columns with what each follows from: a richer one that leaves next to none of its entropy open."""
    out: list[Values] = []
    for item in names:
        mine = item.column.name
        source = next(
            (
                other.column.name
                for other in out
                if other.follows is None and _left(joint, other, mine) <= FOLLOWS * item.entropy
            ),
            None,
        )
        out.append(Values(item.column, item.count, item.entropy, source))
    return tuple(out)


def _left(joint: pd.DataFrame, known: Values, name: str) -> float:
    """Entropy of a column that is left where another is known."""
    both = joint.groupby([known.column.name, name], dropna=False)["m0"].sum().to_numpy(dtype=float)
    return entropy(both) - known.entropy
