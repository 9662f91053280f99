"""What would we not notice? Each rule's slices by traffic, and the smallest loss that is seen of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.wording import name_of
from dashboards.blindspots import BlindSpots, Spot
from dashboards.views.common import Table
from rules.slices import Slice

MOST_DRAWN = 150
"""Slices that have a rectangle of their own; the rest share one."""


@dataclass(frozen=True)
class BlindSpotsPage:
    """What one metric of a rule would not notice; `found` is None while it is worked out, or before anything was learned."""

    rules: tuple[str, ...]
    rule: str
    metric: str
    metrics: tuple[str, ...]
    dimensions: tuple[str, ...]
    found: BlindSpots | None
    working: bool
    """Whether it is being worked out: the page asks again."""


@dataclass(frozen=True)
class Tried:
    """A loss of one slice, injected into the newest history in which nothing was wrong with it, and judged as the daemon judges."""

    rule: str
    slice: Slice
    share: float
    """Of its events that were lost."""
    begin: datetime
    buckets: int
    bucket_seconds: int
    usual: float
    """Its mean of events a bucket."""
    after: timedelta | None
    """From the beginning of the loss to when it would have been told; None where it would not have been."""
    cause: Slice | None
    """What would have been told as the cause."""
    foreseen: bool
    """Whether the blind spots say that it would be noticed."""

    @property
    def sentence(self) -> str:
        """The answer, for a person."""
        lost = f"{self.share:.0%} of {name_of(self.slice)}"
        if self.after is None:
            return f"No: {lost} could be gone for {self.buckets * self.bucket_seconds // 3600} hours, and nobody would be told."
        minutes = int(self.after.total_seconds() // 60)
        took = f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
        named = "" if self.cause is None or self.cause == self.slice else f", as {name_of(self.cause)}"
        return f"Yes: {lost} gone would have been told after {took}{named}."


class BlindSpotsSource(Protocol):
    """Where blind spots come from."""

    def blind_spots(self, rule: str | None, metric: str | None) -> BlindSpotsPage:
        """Of a rule, or of the first one. Raises `MissingError` for one that there is not."""
        ...

    def drill(self, rule: str, item: Slice, share: float, buckets: int) -> Tried:
        """Lose a share of a slice for so many of the newest buckets. Raises `MissingError`, or `RefusedError`."""
        ...


def of_dimensions(found: BlindSpots, dimensions: tuple[str, ...]) -> tuple[Spot, ...]:
    """Slices that name just these dimensions, heaviest first."""
    return tuple(spot for spot in found.spots if spot.slice.dimensions == dimensions)


def table(page: BlindSpotsPage) -> Table:
    """One row a slice, heaviest first."""
    if page.found is None:
        return Table(("slice", "events_a_bucket"), ())
    heads = tuple(f"smallest_loss_in_{int(h.total_seconds() // 3600)}h" for h in page.found.horizons)
    rows = [
        (spot.slice, round(spot.usual, 2), *spot.least, None if spot.silence is None else spot.silence.total_seconds())
        for spot in page.found.spots
    ]
    return Table(("slice", "events_a_bucket", *heads, "silence_noticed_after_seconds"), rows)
