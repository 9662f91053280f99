"""Which slices are off, and since when? All slices of a rule over its newest buckets, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dashboards.views.common import Table
from rules.slices import Slice


class Order(StrEnum):
    """What stands first; after that, the larger ones."""

    WORST = "worst"
    """The least likely by chance."""
    VOLUME = "volume"
    LOSS = "loss"
    """Most events missing over the longest window that is judged (a day; a week for buckets of days)."""
    GROWTH = "growth"


@dataclass(frozen=True)
class Asked:
    """What the heatmap is to show."""

    rule: str = ""
    """"" is the first one."""
    metric: str = ""
    dimension: str = ""
    """Slices that name just this dimension; "" is all."""
    text: str = ""
    """Parts of `name=value`, parted by spaces: slices that hold them all."""
    order: Order = Order.WORST
    page: int = 0


@dataclass(frozen=True)
class HeatRow:
    """One slice; cells are the newest buckets, the last of which is the one judged."""

    slice: Slice
    name: str
    volume: float
    """Mean events a bucket."""
    observed: tuple[float | None, ...]
    """None is unknown."""
    expected: tuple[float, ...]
    scatter: float
    """Dispersion alpha: a bucket of expected m varies by m + alpha m^2."""
    surprise: float
    """Of the newest bucket and the windows that end with it, -ln p in nats; 0 where it is ordinary."""
    judged: bool
    """False for a slice that is too young, silent for long, or left out by the rule."""

    def deviations(self) -> Iterator[float | None]:
        """Of each cell, in standard deviations: below 0 is less than expected."""
        for y, mu in zip(self.observed, self.expected, strict=True):
            yield None if y is None else (y - mu) / max(mu + self.scatter * mu * mu, 1.0) ** 0.5


@dataclass(frozen=True)
class HeatmapPage:
    """Two hundred slices of one metric of a rule."""

    now: datetime
    rules: tuple[str, ...]
    rule: str
    """"" where there is no rule at all."""
    metrics: tuple[str, ...]
    metric: str
    dimensions: tuple[str, ...]
    starts: tuple[datetime, ...]
    """Of the cells; () before anything was judged."""
    judged_until: datetime | None
    """End of the newest cell."""
    threshold: float
    """Surprise from which a slice is alarmed."""
    bounded: bool
    """Whether fixed bounds judge, so that a surprise is no probability."""
    rows: tuple[HeatRow, ...]
    page: int
    found: int
    """Slices that the filters let pass."""
    slices: int
    """All of them."""
    more: bool


class Heatmaps(Protocol):
    """Where the heatmap comes from."""

    def heatmap(self, now: datetime, asked: Asked) -> HeatmapPage | None:
        """Pages count from 0; None where there is no such rule, metric or dimension."""
        ...


def table(page: HeatmapPage) -> Table:
    """One row a slice; a column for each bucket says by how many standard deviations it is off."""
    columns = ("slice", "volume", "expected", "observed", "surprise", "threshold")
    rows = [
        (
            row.slice,
            round(row.volume, 2),
            row.expected[-1],
            row.observed[-1],
            round(row.surprise, 2) if row.judged else None,
            round(page.threshold, 2),
            *(None if d is None else round(d, 2) for d in row.deviations()),
        )
        for row in page.rows
    ]
    return Table((*columns, *(f"{start:%Y-%m-%dT%H:%MZ}" for start in page.starts)), rows)
