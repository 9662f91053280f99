"""When a bucket is read: once at the detection delay, and again as late events arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.buckets import Grid

LAG_SECONDS = (0, 3 * 3600, 24 * 3600, 72 * 3600)
"""Age of a bucket, counted from its detection delay, at which each lag class is read; the last one is final."""

LAGS = len(LAG_SECONDS)
"""How many lag classes there are."""


def lag_class(age: int) -> int:
    """The ripest class that a bucket of this age (seconds since it was due) can be read at; -1 if not due."""
    return sum(age >= lag for lag in LAG_SECONDS) - 1


@dataclass(frozen=True)
class Schedule:
    """The buckets of a rule and when each is due; all times in epoch seconds."""

    grid: Grid
    delay: int

    def due(self, bucket: int) -> int:
        """When a bucket is first judged: its end plus the detection delay."""
        return self.grid.end(bucket) + self.delay

    def newest(self, tick: int) -> int:
        """The newest bucket that is due at a tick."""
        return self.grid.shift(self.grid.floor(tick - self.delay), -1)

    def newly_due(self, after: int | None, tick: int) -> list[int]:
        """Buckets that became due in (after, tick]; only the newest one where nothing was judged before."""
        newest = self.newest(tick)
        if after is None:
            return [newest]
        first = self.grid.shift(self.newest(after), 1)
        return [int(b) for b in self.grid.starts(first, newest + 1)]

    def to_read(self, tick: int, known: Mapping[int, int], first: int) -> dict[int, int]:
        """Buckets from `first` on that are due for a (riper) reading at a tick, with their lag class.

        `known` are the classes that are stored. Buckets older than the final class are left to the backfill.
        """
        newest = self.newest(tick)
        oldest = max(first, self.grid.floor(newest - LAG_SECONDS[-1]))
        wanted = {}
        for bucket in (int(b) for b in self.grid.starts(oldest, newest + 1)):
            ripe = lag_class(tick - self.due(bucket))
            if ripe > known.get(bucket, -1):
                wanted[bucket] = ripe
        return wanted
