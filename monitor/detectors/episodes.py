"""How often would a test have spoken? Its exceedances of the past as episodes, and the level that so many a week reach.

Exceedances come in runs: windows overlap, slices nest, an excursion lasts. What a person receives are the runs, so
these are counted (runs declustering, Leadbetter et al. 1983, "Extremes and Related Properties of Random Sequences").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import ANY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOLD_NATS = 5.0
"""Calibrated surprise from which on a window of the past is noted as one that might have been told."""
MOST = 4_000
"""Exceedances looked at, the largest ones."""
BASE = 10
"""Rank of the episode from which fewer are extrapolated."""


@dataclass(frozen=True)
class Exceedances:
    """Cells of the past that lost enough to be told: slice `rows` [n], last `columns` [n], calibrated `nats` [n]."""

    rows: Ints
    columns: Ints
    nats: Floats

    @classmethod
    def together(cls, some: list[Exceedances]) -> Exceedances:
        """All of several."""
        if not some:
            return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
        return cls(*(np.concatenate([getattr(one, name) for one in some]) for name in ("rows", "columns", "nats")))

    def of(self, rows: Ints) -> Exceedances:
        """The same where slice i is called `rows[i]`."""
        return Exceedances(rows[self.rows], self.columns, self.nats)

    def only(self, kept: NDArray[np.bool_]) -> Exceedances:
        """Those of some slices, bool[N]."""
        here = kept[self.rows]
        return Exceedances(self.rows[here], self.columns[here], self.nats[here])


def peaks(found: Exceedances, codes: NDArray[np.int32], apart: int) -> Floats:
    """Largest surprise of each episode, falling: what is within `apart` buckets of it in slices that share leaves.

    `codes` [N, D] are those of the lattice, ANY where a dimension is not named.
    """
    order = np.argsort(-found.nats, kind="stable")[:MOST]
    some, columns = codes[found.rows[order]], found.columns[order]
    free = np.ones(len(order), dtype=bool)
    tops = []
    while free.any():
        first = int(np.argmax(free))
        tops.append(float(found.nats[order[first]]))
        free &= ~((np.abs(columns - columns[first]) <= apart) & _overlap(some, some[first]))
    return np.asarray(tops)


def _overlap(codes: NDArray[np.int32], one: NDArray[np.int32]) -> NDArray[np.bool_]:
    return np.asarray(((codes == one) | (codes == ANY) | (one == ANY)).all(axis=1))


def level_reached(tops: Floats, wanted: float, least: float) -> float:
    """Surprise that `wanted` episodes would have reached, given the peaks of all above `least` nats.

    Read off where there were so many; beyond, a calibrated surprise is a probability and falls with e^-x.
    Few are as many as there may well have been (one standard error more, and one).
    """
    if wanted >= 1.0 and len(tops) > np.ceil(wanted):
        return float(np.interp(wanted, np.arange(1, len(tops) + 1), tops))
    rank = min(len(tops), BASE)
    base = float(tops[rank - 1]) if rank == BASE else least
    return base + float(np.log((rank + np.sqrt(rank) + 1.0) / wanted))
