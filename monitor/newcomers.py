"""Values never seen before in a history that was complete: what `slices.new` speaks of."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.model import Finding, Kind
from monitor import store
from monitor.buckets import to_datetime
from monitor.counts import Counts, Terms
from monitor.watched import Watched
from rules.slices import Folded, Slice, Value

MOST_TOLD = 5
"""New values of one evaluation that are told one by one, the largest first."""

Key = tuple[int, Value]
"""Position of a dimension, and one of its values."""


def first_sights(terms: Sequence[Terms], first_seen: Sequence[int]) -> dict[Key, int]:
    """When each value of each dimension was first seen (epoch seconds); the folded rest is no value."""
    found: dict[Key, int] = {}
    for term, seen in zip(terms, first_seen, strict=True):
        for d, value in enumerate(term):
            if not isinstance(value, Folded):
                found[d, value] = min(seen, found.get((d, value), seen))
    return found


def complete_from(tx: store.Tx, watched: Watched) -> float:
    """From when on (epoch seconds) a value can be new: evaluated, with events over a whole lookback before; else never.

    What a first contact reads of the past is not in the order of time: who was first seen when is known from then on.
    """
    run, events = store.first_run(tx, watched.rule.name), store.first_events(tx, watched.rule.name)
    return math.inf if run is None or events is None else max(run, events + watched.lookback)


def newcomers(
    watched: Watched, terms: Sequence[Terms], first_seen: Sequence[int], complete: float
) -> tuple[Slice, ...]:
    """Values first seen from the moment `complete` on; those that `slices.expected` names are left out.

    `first_seen` [S] is when each leaf was. Times are epoch seconds.
    """
    sights, rule = first_sights(terms, first_seen), watched.rule
    expected = {(name, value) for name, values in rule.slices.expected for value in values}
    late = ((rule.dimensions[d], value) for (d, value), seen in sights.items() if seen >= complete)
    return tuple(Slice((term,)) for term in late if term not in expected)


def seen_first(fresh: Counts, known: int) -> NDArray[np.int64]:
    """Start of the first bucket of each leaf from position `known` on."""
    if len(fresh.terms) == known:
        return np.zeros(0, dtype=np.int64)
    return np.asarray(fresh.starts[np.argmax(fresh.values[:, known:].any(axis=0), axis=1)])


def appeared(watched: Watched, fresh: Counts, before: Sequence[Slice], now: Sequence[Slice]) -> list[Finding]:
    """The values of `now` that were none of `before`, as findings, the largest first, at most `MOST_TOLD` of them."""
    known: Collection[Slice] = set(before)
    found = [_finding(watched, fresh, item) for item in now if item not in known]
    return sorted(found, key=lambda finding: (-finding.observed, repr(finding.slice)))[:MOST_TOLD]


def _finding(watched: Watched, fresh: Counts, item: Slice) -> Finding:
    ((name, value),) = item.terms
    d = watched.rule.dimensions.index(name)
    rows = np.array([term[d] == value for term in fresh.terms])
    counts = fresh.values[0][rows].sum(axis=0)
    # Rows whose sums are all nothing are there without a trace of when.
    seen = fresh.starts[fresh.values[:, rows].any(axis=(0, 1))]
    seen = seen if len(seen) else fresh.starts
    first, last = int(seen[0]), int(seen[-1])
    return Finding(
        rule=watched.rule.name,
        metric=watched.rule.metrics[0].name,
        kind=Kind.NEW,
        slice=item,
        since=to_datetime(first),
        until=to_datetime(watched.grid.end(last)),
        observed=float(counts.sum()),
        expected=0.0,
        p=0.0,
    )
