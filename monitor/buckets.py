"""Buckets of time: where they start, and which place of the week they hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

DAY = 86_400
WEEK = 7 * DAY
EPOCH_MONDAY = 4 * DAY
"""1970-01-05, the first Monday of the epoch."""

Times = NDArray[np.int64]


def to_epoch(moment: datetime) -> int:
    """Whole seconds since 1970 of an aware datetime."""
    return int(moment.timestamp())


def to_datetime(epoch: int) -> datetime:
    """The UTC datetime of epoch seconds."""
    return datetime.fromtimestamp(int(epoch), UTC)


@dataclass(frozen=True)
class Grid:
    """The buckets of a rule.

    Buckets shorter than a day are aligned to the epoch in UTC; day buckets start at local midnight of
    `timezone`. All times are epoch seconds (UTC); the seasonal position is local.
    """

    seconds: int
    timezone: str = "UTC"

    @classmethod
    def of(cls, bucket: timedelta, timezone: str) -> Grid:
        return cls(int(bucket.total_seconds()), timezone)

    @property
    def daily(self) -> bool:
        return self.seconds == DAY

    @property
    def per_day(self) -> int:
        """Buckets a day."""
        return DAY // self.seconds

    @property
    def positions(self) -> int:
        """Places of the week: 168 for hours, 7 for days."""
        return 7 * self.per_day

    def floor(self, epoch: int) -> int:
        """Start of the bucket that holds a moment."""
        if self.daily:
            local = to_datetime(epoch).astimezone(ZoneInfo(self.timezone))
            return to_epoch(_midnight(local))
        return epoch // self.seconds * self.seconds

    def shift(self, start: int, buckets: int) -> int:
        """The start that lies `buckets` after (before, if negative) the bucket starting at `start`."""
        if self.daily:
            local = to_datetime(start).astimezone(ZoneInfo(self.timezone))
            return to_epoch(_midnight(local + timedelta(days=buckets, hours=3)))
        return start + buckets * self.seconds

    def end(self, start: int) -> int:
        """End of the bucket that starts at `start`."""
        return self.shift(start, 1)

    def starts(self, first: int, stop: int) -> Times:
        """Starts of all buckets in [first, stop), both on the grid."""
        if not self.daily:
            return np.arange(first, stop, self.seconds, dtype=np.int64)
        found = []
        at = first
        while at < stop:
            found.append(at)
            at = self.shift(at, 1)
        return np.array(found, dtype=np.int64)

    def local(self, starts: Times) -> Times:
        """Starts as seconds on the local clock (UTC offset added)."""
        if self.timezone == "UTC":
            return starts
        zone = ZoneInfo(self.timezone)
        hours, inverse = np.unique(starts // 3600, return_inverse=True)
        offsets = np.array([_offset(int(hour) * 3600, zone) for hour in hours], dtype=np.int64)
        return starts + offsets[inverse]

    def position(self, starts: Times) -> NDArray[np.int64]:
        """Place of the week, 0 = Monday's first bucket, on the local clock."""
        return (self.local(starts) - EPOCH_MONDAY) % WEEK // self.seconds

    def midnight(self, epoch: int) -> int:
        """The local midnight at or before a moment."""
        return to_epoch(_midnight(to_datetime(epoch).astimezone(ZoneInfo(self.timezone))))


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _offset(epoch: int, zone: ZoneInfo) -> int:
    offset = to_datetime(epoch).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
