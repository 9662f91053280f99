"""A fire drill as plain data and on a terminal: which losses a rule would have told, how fast, and which not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from alerts.wording import number
from dashboards.backtest_text import moment, span
from rules.model import Interval
from rules.slices import Slice

LISTED = 10
"""Slices that a list names before it says "and N more"."""


@dataclass(frozen=True)
class Drilled:
    """One slice that was lost on purpose; `usual` is its mean of events a bucket."""

    slice: Slice
    usual: float
    after: timedelta | None
    """From the beginning of the loss to when it was told; None where it was not while it lasted."""
    cause: Slice | None
    """What was told as the cause."""
    exact: bool
    """Whether the cause holds exactly the events that were lost."""
    foreseen: bool
    """Whether the blind spots say that it would be noticed."""

    @property
    def caught(self) -> bool:
        """Whether it was told while it lasted."""
        return self.after is not None


@dataclass(frozen=True)
class Agreement:
    """Drills against blind spots, as numbers of slices."""

    both: int
    """Foreseen and caught."""
    unforeseen: int
    """Caught, though the blind spots said otherwise."""
    promised: int
    """Missed, though the blind spots said that it would be noticed."""
    neither: int

    @property
    def sensitivity(self) -> float | None:
        """Of what was caught, the share that was foreseen."""
        caught = self.both + self.unforeseen
        return self.both / caught if caught else None

    @property
    def specificity(self) -> float | None:
        """Of what was missed, the share that was foreseen to be."""
        missed = self.promised + self.neither
        return self.neither / missed if missed else None


@dataclass(frozen=True)
class DrillReport:
    """All losses of one drill, heaviest slice first."""

    rule: str
    place: str
    stretch: Interval
    share: float
    slices: int
    """How many could have been lost."""
    drilled: tuple[Drilled, ...]

    @property
    def agreement(self) -> Agreement:
        """How far the blind spots foresaw it."""
        pairs = [(item.foreseen, item.caught) for item in self.drilled]
        return Agreement(*(pairs.count(pair) for pair in ((True, True), (False, True), (True, False), (False, False))))


def drill_text(report: DrillReport) -> str:
    """What was lost, what was caught by size of slice, what was missed, and whether the blind spots knew."""
    return "\n".join([*_head(report), *_by_size(report.drilled), *_missed(report.drilled), *_agreement(report)])


def _head(report: DrillReport) -> Iterator[str]:
    drilled = report.drilled
    which = "every slice" if len(drilled) == report.slices else f"{len(drilled):,} of {report.slices:,} slices"
    yield f"{report.rule}  {report.place}"
    yield (
        f"  {which} lost {report.share:.0%} from {moment(report.stretch.start)} to {moment(report.stretch.end)} UTC, "
        "one at a time"
    )
    caught = [item for item in drilled if item.caught]
    share = f" ({len(caught) / len(drilled):.0%})" if drilled else ""
    exact = sum(item.exact for item in caught)
    named = f", {exact:,} of them under exactly their name" if caught else ""
    yield f"  caught: {len(caught):,} of {len(drilled):,}{share}{named}"


def _by_size(drilled: Sequence[Drilled]) -> Iterator[str]:
    yield f"  {'events a bucket':<18}{'slices':>8}{'caught':>8}{'share':>8}   {'told after, median and longest'}"
    for low, high, name in _SIZES:
        part = [item for item in drilled if low <= item.usual < high]
        if part:
            delays = sorted(item.after for item in part if item.after is not None)
            times = f"{span(median_of(delays))}, {span(delays[-1])}" if delays else "never"
            yield f"  {name:<18}{len(part):>8,}{len(delays):>8,}{len(delays) / len(part):>8.0%}   {times}"


_SIZES = (
    (1000.0, float("inf"), "1,000 and more"),
    (100.0, 1000.0, "100 to 1,000"),
    (10.0, 100.0, "10 to 100"),
    (1.0, 10.0, "1 to 10"),
    (0.0, 1.0, "less than 1"),
)


def median_of(delays: Sequence[timedelta]) -> timedelta:
    """The middle one."""
    return timedelta(seconds=median(delay.total_seconds() for delay in delays))


def _missed(drilled: Sequence[Drilled]) -> Iterator[str]:
    missed = [item for item in drilled if not item.caught]
    if not missed:
        return
    yield "  missed, heaviest first:"
    for item in missed[:LISTED]:
        yield f"    {item.slice.label()} ({number(item.usual)} a bucket)"
    if len(missed) > LISTED:
        yield f"    and {len(missed) - LISTED:,} more"


def _agreement(report: DrillReport) -> Iterator[str]:
    found = report.agreement
    yield f"  {'blind spots said':<22}{'caught':>8}{'missed':>8}"
    yield f"  {'it is noticed':<22}{found.both:>8,}{found.promised:>8,}"
    yield f"  {'it is not':<22}{found.unforeseen:>8,}{found.neither:>8,}"
    shares = [
        f"{word} {value:.2f}"
        for word, value in (("sensitivity", found.sensitivity), ("specificity", found.specificity))
        if value is not None
    ]
    if shares:
        yield f"  {', '.join(shares)}"
