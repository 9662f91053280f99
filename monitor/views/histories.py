"""Weeks of history of one metric, all leaves: read once for a tick, since people look at one slice after another."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor import store
from monitor.buckets import DAY, Times
from monitor.context import excluded
from monitor.detectors.fit import from_begin
from monitor.detectors.model import LeafSeries
from monitor.views.panorama import Panorama

WEEKS = 5
"""Four that are shown, and one more, so that their first days have a level as well."""
LARGEST = 64 * 1024 * 1024
"""Bytes of counts that are kept; of more they are read each time."""


@dataclass
class Histories:
    """The newest one that was asked for is kept."""

    state: store.Store
    _kept: tuple[tuple[str, str, int, int], LeafSeries] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, panorama: Panorama) -> LeafSeries:
        """Leaf counts [S, T] float32 of the last weeks up to the newest bucket; what the baseline leaves out is unknown."""
        newest = int(panorama.question.recent.starts[-1])
        key = (panorama.rule.name, panorama.metric, newest, len(panorama.lattice.leaves))
        with self._lock:
            if self._kept is not None and self._kept[0] == key:
                return self._kept[1]
            found = self._read(panorama, newest)
            self._kept = (key, found) if found.values.nbytes <= LARGEST else None
            return found

    def _read(self, panorama: Panorama, newest: int) -> LeafSeries:
        rule, grid, leaves = panorama.rule, panorama.question.grid, len(panorama.lattice.leaves)
        starts: Times = grid.starts(grid.floor(newest - WEEKS * 7 * DAY), grid.end(newest))[-WEEKS * grid.positions :]
        metric = [item.name for item in rule.metrics].index(panorama.metric)
        with self.state.read() as tx:
            block = store.pages(tx, rule.name, starts, n_leaves=leaves, measures=len(rule.metrics), dtype=np.float32)
            flagged = store.flags(tx, rule.name, starts, leaves)
        series = LeafSeries(starts, block.values[metric], flagged, block.lag)
        return excluded(from_begin(series, panorama.fit.begin), rule)


def usual(panorama: Panorama, history: LeafSeries) -> NDArray[np.float64]:
    """[S, T]: the counts with flagged cells replaced by what is usual there: an outage is no part of what is normal."""
    place = panorama.question.grid.position(history.starts)
    values = np.asarray(history.values, dtype=float)
    rows = np.flatnonzero(history.flagged.any(axis=1))
    values[rows] = np.where(history.flagged[rows], panorama.fit.leaf_mean[rows][:, place], values[rows])
    return values
