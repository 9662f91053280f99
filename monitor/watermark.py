"""Whether a source that knows when events arrived is behind. Pure."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import WEEK, Grid, Times, to_datetime, to_epoch
from monitor.statistics import constants as k


def same_places(grid: Grid, bucket: int) -> Times:
    """Starts of the buckets at the same place of the past weeks, ascending."""
    weeks = range(k.WEEKS_HOURLY, 0, -1)
    return np.array(sorted({grid.floor(bucket - week * WEEK + grid.seconds // 2) for week in weeks}), dtype=np.int64)


def behind(came: float, usual: NDArray[np.floating], start: int, end: int, last: datetime | None) -> str:
    """Since when nothing has arrived, in words; "" where a bucket is known.

    A bucket [start, end) is unknown where far less of it `came` on time than in each of the past weeks (`usual` [W])
    and the last arrival of any event lies before most of it. A silence that is usual says nothing, nor does one of few
    events; and where something arrived since, what did not come is missing, not behind. `last` is None where nobody
    asked, or nothing ever arrived.
    """
    if len(usual) < k.WATERMARK_WEEKS or usual.min() < k.WATERMARK_EVENTS:
        return ""
    if came >= k.OVERWHELMING_RATIO * float(np.median(usual)):
        return ""
    if last is None:
        return "nothing has arrived"
    if to_epoch(last) >= start + k.OVERWHELMING_RATIO * (end - start):
        return ""
    return f"nothing has arrived since {to_datetime(to_epoch(last)):%Y-%m-%d %H:%M} UTC"
