"""One slice over the last weeks: what came, what was expected, and what would have fired at another sensitivity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log
from typing import Protocol

from dashboards.views.common import Curve, IncidentLine, MarkLine, Table
from rules.slices import Slice

DAYS = (7, 28)
"""What can be shown."""
BUDGETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 7.0, 14.0, 28.0, 50.0)
"""False incidents a week between which the slider moves."""
NAMED = {0.25: "low", 1.0: "medium", 7.0: "high"}
LOWEST = 3.0
"""No budget lowers a threshold further."""


@dataclass(frozen=True)
class Step:
    """One place of the slider: so many false incidents a week, and the surprise from which that alarms."""

    budget: float
    threshold: float
    name: str = ""
    """The word that a rule may write for it."""
    current: bool = False


@dataclass(frozen=True)
class Shaded:
    """A stretch in which something was other than usual: `unknown`, `flagged`, `incident`, `silenced`."""

    kind: str
    start: datetime
    end: datetime
    why: str


@dataclass(frozen=True)
class SlicePage:
    """One slice of one metric of a rule."""

    now: datetime
    rule: str
    metric: str
    metrics: tuple[str, ...]
    slice: Slice
    name: str
    days: int
    judged: bool
    """Whether it is tested at all."""
    why_not: str
    """Why it is not tested, or why there is nothing to show."""
    volume: float
    """Mean events a bucket."""
    bucket_seconds: int
    curve: Curve | None
    """None where nothing is known of it."""
    earlier: tuple[tuple[float | None, ...], ...]
    """What came in the same buckets one week before, two, and so on."""
    fires_at: tuple[float, ...]
    """For each bucket the highest threshold at which it would have been alarmed, 0 for none; () where that is not known."""
    steps: tuple[Step, ...]
    shaded: tuple[Shaded, ...]
    marks: tuple[MarkLine, ...]
    incidents: tuple[IncidentLine, ...]
    parents: tuple[tuple[str, Slice], ...]
    """Broader slices, by name."""


@dataclass(frozen=True)
class Decomposition:
    """A slice's buckets as a sum: trend, what comes again each day and each week, and what is left."""

    starts: tuple[datetime, ...]
    parts: tuple[tuple[str, tuple[float, ...]], ...]
    filled: int
    """Buckets that are unknown, and were taken to be as expected."""


class SlicePages(Protocol):
    """Where the page of a slice comes from."""

    def slice(self, now: datetime, rule: str, metric: str, item: Slice, days: int) -> SlicePage | None:
        """A slice over the last days; `metric` "" is the first. None where there is no such rule or metric."""
        ...

    def decomposition(self, now: datetime, rule: str, metric: str, item: Slice) -> Decomposition | None:
        """Takes a second. None where too little is known: less than two weeks."""
        ...


def steps(budget: float, threshold: float) -> tuple[Step, ...]:
    """The places of the slider, the most quiet first; `budget` and `threshold` are the rule's own.

    A threshold is the logarithm of tests a week over the budget: as long as as many slices are testable, another budget
    moves it by the logarithm of their ratio.
    """
    every = sorted({*BUDGETS, budget})
    return tuple(
        Step(b, round(max(threshold + log(budget / b), LOWEST), 3), NAMED.get(b, ""), current=b == budget)
        for b in every
    )


def stretches(
    starts: Sequence[datetime], inside: Iterable[bool], bucket: timedelta, kind: str, why: str
) -> tuple[Shaded, ...]:
    """Runs of buckets as stretches of time."""
    found: list[Shaded] = []
    for start, yes in zip(starts, inside, strict=True):
        if not yes:
            continue
        if found and found[-1].end >= start:
            found[-1] = Shaded(kind, found[-1].start, start + bucket, why)
        else:
            found.append(Shaded(kind, start, start + bucket, why))
    return tuple(found)


def table(page: SlicePage) -> Table:
    """One row a bucket."""
    curve = page.curve
    columns = ("start", "observed", "expected", "low", "high", "alarmed_from_threshold")
    if curve is None:
        return Table(columns, ())
    fires = page.fires_at or (None,) * len(curve.starts)
    rows = zip(curve.starts, curve.observed, curve.expected, curve.low, curve.high, fires, strict=True)
    return Table(columns, list(rows))
