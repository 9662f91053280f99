"""What is to be loaded again once a loss is over: which slice, and from when to when; as data and as CSV. Pure.

An incident keeps its oldest start when its cause changes, and the sums of the cause it has now. What earlier causes and
incidents it took over were short of outside of that stands beside it, so that nothing is loaded again that was not lost.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO

from alerts.model import Finding, Incident, Reprocess, Series, Stretch
from rules.slices import Folded, Slice, Value, label_of

NEARLY_ALL = 0.9
"""Share of a cause's loss from which on a narrower one is what it was all along."""
QUOTED = ("=", "+", "-", "@", "\t", "\r", "'", label_of(Folded()))
"""Beginnings by which a spreadsheet takes a cell for a formula, or a person for something else than a value."""
COLUMNS_BEFORE = ("rule", "source", "metric")
COLUMNS_AFTER = ("start", "end", "expected", "observed", "lost")


# --- while an incident goes on -----------------------------------------------------------------------------------


def own_start(incident: Incident) -> datetime:
    """From when on the cause that an incident has now was lost."""
    return incident.cause_since or incident.since


def left_over(incident: Incident, finding: Finding, *, wider: bool, narrower: bool) -> Stretch | None:
    """What a cause was short of that the finding which takes its place does not hold; None where there is nothing.

    A wider cause holds it from its own beginning on. A narrower one is taken for what was lost all along where nearly
    all of the loss is its own; where it is not, what is no part of it has come back.
    """
    first, last = own_start(incident), incident.until
    if wider:
        last = min(last, finding.since)
    elif narrower and _lost(finding) >= NEARLY_ALL * _lost(incident):
        return None
    return stretch_of(incident, first, last) if last > first else None


def start_of(incident: Incident, finding: Finding, left: Stretch | None, *, narrower: bool) -> datetime:
    """From when on the cause of a finding that takes an incident's place is to be loaded again.

    A narrower one from the beginning; where something of the wider one is left over, that holds it until its end.
    """
    if not narrower:
        return finding.since
    return min(own_start(incident), finding.since) if left is None else max(finding.since, left.until)


def _lost(item: Incident | Finding) -> float:
    return item.expected - item.observed


def stretch_of(incident: Incident, first: datetime, last: datetime) -> Stretch:
    """The cause of an incident from `first` to `last`, with its sums as far as they are known."""
    if (first, last) == (incident.since, incident.until):
        return Stretch(incident.cause, first, last, incident.observed, incident.expected)
    series = incident.evidence.series if incident.evidence is not None else None
    return Stretch(incident.cause, first, last, *sums_within(series, first, last))


def sums_within(series: Series | None, first: datetime, last: datetime) -> tuple[float | None, float | None]:
    """(observed, expected) of the buckets that start in [first, last); None where one of them is not known."""
    if series is None or not series.starts or first < series.starts[0] or series.starts[-1] < first:
        return None, None
    inside = [n for n, start in enumerate(series.starts) if first <= start < last]
    known = [(series.observed[n], series.expected[n]) for n in inside]
    observed = [pair[0] for pair in known if pair[0] is not None]
    expected = [pair[1] for pair in known if pair[1] is not None]
    if not len(known) == len(observed) == len(expected):
        return None, None
    return sum(observed), sum(expected)


# --- once it is over ---------------------------------------------------------------------------------------------


def stretches_of(incident: Incident) -> tuple[Stretch, ...]:
    """What an incident's loss leaves to be loaded again, oldest first."""
    first = own_start(incident)
    own = stretch_of(incident, first if first < incident.until else incident.since, incident.until)
    found = {stretch for stretch in (*incident.earlier, own) if stretch.since < stretch.until}
    return tuple(sorted(found, key=lambda s: (s.since, s.until, repr(s.slice.terms))))


def csv_of(rule: str, what: Reprocess) -> str:
    """A head line and a line for each stretch; times are UTC, the end is not included.

    An empty cell of a dimension is any value. NULL is NULL; a value that is empty or reads like something else stands in
    single quotes.
    """
    head = [*COLUMNS_BEFORE, *what.dimensions, *COLUMNS_AFTER]
    return "".join(_written(cells) for cells in (head, *(_line(rule, what, stretch) for stretch in what.stretches)))


def file_name(key: str) -> str:
    """What the file of an incident is called."""
    return f"reprocess-{key}.csv"


def _written(cells: Sequence[str]) -> str:
    """A line that ends as lines do here; the library quotes a carriage return only where its own lines end with one."""
    out = StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n") + "\n"


def _line(rule: str, what: Reprocess, stretch: Stretch) -> list[str]:
    return [
        *(_text(text) for text in (rule, what.source, what.metric)),
        *_cells(what.dimensions, stretch.slice),
        *(f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (stretch.since, stretch.until)),
        *(_amount(value) for value in (stretch.expected, stretch.observed, lost_of(stretch))),
    ]


def lost_of(stretch: Stretch) -> float | None:
    """Events lost in a stretch; None where its sums are not known."""
    if stretch.expected is None or stretch.observed is None:
        return None
    return max(stretch.expected - stretch.observed, 0.0)


def _cells(dimensions: Sequence[str], item: Slice) -> Iterator[str]:
    named = dict(item.terms)
    for name in dimensions:
        yield _value(named[name]) if name in named else ""


def _value(value: Value) -> str:
    label = label_of(value)
    return _text(label) if label == value else label


def _text(text: str) -> str:
    return f"'{text}'" if text.startswith(QUOTED) else text


def _amount(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
