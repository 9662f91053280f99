"""Ids of leaves and their places: ids are for ever, places are those of an array without gaps.

A leaf keeps its id as long as there is one; its id is never given to another one. Once leaves are dropped, ids have
gaps, and arrays over all leaves would be mostly nothing: so everything outside of the store counts the leaves that are
left, from 0 in the order of their ids. Where none was dropped both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LeafIds:
    """From places to ids and back. `dropped` [D]: ids that stand for nothing any more, ascending."""

    dropped: Ids

    def __bool__(self) -> bool:
        return bool(self.dropped.size)

    def ids(self, places: npt.NDArray[np.integer[Any]]) -> Ids:
        """The id at each place."""
        if not self:
            return places.astype(np.int64)
        left_before = self.dropped - np.arange(self.dropped.size)
        return places + np.searchsorted(left_before, places, side="right")

    def places(self, ids: npt.NDArray[np.integer[Any]]) -> Ids:
        """The place of each id; -1 for one that was dropped."""
        if not self:
            return ids.astype(np.int64)
        before = np.searchsorted(self.dropped, ids, side="left")
        gone = self.dropped[np.minimum(before, self.dropped.size - 1)] == ids
        return np.where(gone, -1, ids - before)

    def id_after(self, places: int) -> int:
        """An id above those of the first `places` leaves, and not above that of the next one."""
        return 0 if places == 0 else int(self.ids(np.array([places - 1]))[0]) + 1

    def without(self, places: npt.NDArray[np.integer[Any]]) -> LeafIds:
        """With the leaves at these places dropped as well."""
        return LeafIds(np.union1d(self.dropped, self.ids(places)))


NONE_DROPPED = LeafIds(np.zeros(0, dtype=np.int64))
