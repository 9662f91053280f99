"""Changes that were accepted as normal: applied when history is read, as renames are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alerts.model import Incident, Kind
from monitor.buckets import to_epoch
from monitor.detectors.model import LeafSeries
from monitor.lattice import Leaves
from monitor.statistics import constants as k
from rules.slices import Slice


@dataclass(frozen=True)
class Accepted:
    """A slice has had `ratio` of what it had before, from `since` on; told and normal from `until` on (epoch seconds)."""

    metric: str
    slice: Slice
    to: Slice | None
    """Where its events went, for one that moved."""
    since: int
    until: int
    ratio: float


def accepted_of(incidents: Iterable[Incident], before: int) -> tuple[Accepted, ...]:
    """The changes accepted at ticks up to `before` (epoch seconds), in their order."""
    done = [i for i in incidents if i.accepted_at is not None and to_epoch(i.accepted_at) <= before]
    return tuple(_accepted(i) for i in sorted(done, key=lambda i: (i.until, i.id)))


def _accepted(incident: Incident) -> Accepted:
    ratio = incident.observed / incident.expected if incident.expected >= 1.0 else 1.0
    ratio = float(np.clip(ratio, 0.0, k.ACCEPTED_RATIO_MAX))
    to = incident.to if incident.kind is Kind.MOVED else None
    return Accepted(incident.metric, incident.cause, to, to_epoch(incident.since), to_epoch(incident.until), ratio)


def with_accepted(series: LeafSeries, metric: str, leaves: Leaves, accepted: Sequence[Accepted]) -> LeafSeries:
    """The series as if each change had always been: earlier counts scaled, nothing of it flagged.

    Scaled and not forgotten, so that the shape of the week stays known: a slice that was halved is expected at half
    of what it had, one that stopped at nothing.
    """
    if not accepted:
        return series
    values, flagged = series.values.copy(), series.flagged.copy()
    for item in accepted:
        inside, before = leaves.members(item.slice), series.starts < item.since
        if item.metric == metric:
            values[np.ix_(inside, before)] *= item.ratio
        if item.to is not None:
            inside = inside | leaves.members(item.to)
        flagged[np.ix_(inside, ~before & (series.starts < item.until))] = False
    return replace(series, values=values, flagged=flagged)
