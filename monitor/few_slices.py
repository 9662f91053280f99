"""Whether a detector that judges few slices is given more: asks the source for one day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from monitor.buckets import DAY, to_epoch
from monitor.counts import Counts
from monitor.detectors import open_detector
from monitor.lattice import Lattice, Leaves
from monitor.query import Source
from monitor.ripeness import LAG_SECONDS
from monitor.watched import Watched
from rules.model import Rule
from rules.problem import Problem


def too_many_slices(rule: Rule, source: Source, end: datetime) -> Iterator[Problem]:
    """One problem where the last day before `end` has more slices than the detector judges. Raises `SourceError`."""
    most = open_detector(rule.detector, rule.metrics[0].name).most_slices
    if most is None:
        return
    found = _slices(rule, source, end)
    if found > most:
        message = f"{rule.detector.name} judges at most {most} slices, and the last day has {found}"
        hint = "name fewer dimensions, a smaller depth, or detector: default"
        yield rule.span("detector").problem("too-many-slices", message, hint)


def _slices(rule: Rule, source: Source, end: datetime) -> int:
    watched = Watched.of(rule)
    grid = watched.grid
    stop = grid.end(grid.floor(to_epoch(end)))
    starts = grid.starts(grid.floor(stop - DAY), stop)
    frame = source.count(watched.query(watched.windows([int(start) for start in starts]), stop + LAG_SECONDS[-1]))
    counts = Counts.from_frame(frame, dimensions=rule.dimensions, measures=len(rule.metrics), starts=starts, known=())
    return len(Lattice.of(Leaves.of(rule.dimensions, counts.terms), rule.depth)) if counts.terms else 0
