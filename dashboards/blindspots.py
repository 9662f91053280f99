"""Blind spots as plain data and on a terminal: what a rule would not notice, and how much of the traffic that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.wording import number
from dashboards.backtest_text import moment, span
from rules.duration import format_duration
from rules.slices import Slice

WITHIN = timedelta(days=1)
"""A slice is protected where its total silence is noticed within a day."""
LISTED = 10
"""Slices that a list names before it says "and N more"."""


@dataclass(frozen=True)
class Spot:
    """What is seen of one slice; `usual` is its mean of events a bucket."""

    slice: Slice
    usual: float
    least: tuple[float | None, ...]
    """The smallest share lost that is noticed within each horizon; None where not even total silence is."""
    silence: timedelta | None
    """Until total silence is noticed, for the middle one of all times to begin; None where it is not."""
    silence_worst: timedelta | None


@dataclass(frozen=True)
class Cover:
    """Slices of one set of dimensions: how many, and which share of their events, is protected within each horizon."""

    dimensions: tuple[str, ...]
    slices: int
    protected: tuple[int, ...]
    traffic: tuple[float, ...]


@dataclass(frozen=True)
class BlindSpots:
    """All slices of one metric of a rule, heaviest first. A slice is protected where its total silence is noticed."""

    rule: str
    metric: str
    place: str
    as_of: datetime
    """What was learned from history before it."""
    stage: str
    note: str
    """What else is to be known before this is believed."""
    threshold: float
    """Surprise, in nats, from which the budget lets a slice alarm."""
    horizons: tuple[timedelta, ...]
    longest: timedelta
    """The longest window: what is not noticed within it is not noticed."""
    cover: tuple[Cover, ...]
    spots: tuple[Spot, ...]

    @property
    def protected(self) -> float | None:
        """Share of the events in slices whose silence is noticed within a day; of a rule of days, within the longest time.

        By the set of dimensions that is protected least, of those of the most dimensions. None where nothing is known.
        """
        within = [n for n, horizon in enumerate(self.horizons) if horizon <= WITHIN]
        last = within[-1] if within and self.horizons[0] < WITHIN else len(self.horizons) - 1
        deepest = max((len(row.dimensions) for row in self.cover), default=0)
        return min((row.traffic[last] for row in self.cover if len(row.dimensions) == deepest), default=None)

    @property
    def unprotected(self) -> tuple[Spot, ...]:
        """Slices whose total silence is never noticed."""
        return tuple(spot for spot in self.spots if spot.silence is None)


def blindspots_text(found: BlindSpots) -> str:
    """Cover by dimensions, the heaviest slices, and the slices that are not protected."""
    return "\n".join([*_head(found), *_cover(found), *_heaviest(found), *_unprotected(found)])


def _head(found: BlindSpots) -> Iterator[str]:
    metric = "" if found.metric == "count" else f", {found.metric}"
    yield f"{found.rule}{metric}  {found.place}"
    # A threshold of n nats is a chance of e^-n.
    yield (
        f"  learned before {moment(found.as_of)} UTC ({found.stage}); a slice alarms where chance is one in "
        f"{number(math.exp(min(found.threshold, 600.0)))}"
    )
    if found.note:
        yield f"  {found.note}"


def _cover(found: BlindSpots) -> Iterator[str]:
    heads = "".join(f"{'in ' + format_duration(h):>16}" for h in found.horizons)
    yield f"  total silence is noticed, slices and share of events:\n  {'':<28}{'slices':>8}{heads}"
    for row in found.cover:
        name = ", ".join(row.dimensions) or "total"
        cells = "".join(
            f"{f'{count:,}  {_share(traffic)}':>16}" for count, traffic in zip(row.protected, row.traffic, strict=True)
        )
        yield f"  {name:<28}{row.slices:>8,}{cells}"


def _share(part: float) -> str:
    """Rounded down: nothing is all that is not all."""
    return f"{math.floor(part * 100 + 1e-9)}%"


def _heaviest(found: BlindSpots) -> Iterator[str]:
    heads = "".join(f"{'in ' + format_duration(h):>9}" for h in found.horizons)
    yield f"  smallest loss that is noticed, heaviest slices first:\n  {'':<44}{'a bucket':>9}{heads}   silence after"
    for spot in found.spots[:LISTED]:
        cells = "".join(f"{'-' if least is None else f'{least:.0%}':>9}" for least in spot.least)
        yield f"  {spot.slice.label():<44}{number(spot.usual):>9}{cells}   {_silence(spot)}"


def _silence(spot: Spot) -> str:
    if spot.silence is None:
        return "never"
    worst = "never" if spot.silence_worst is None else span(spot.silence_worst)
    usual = span(spot.silence)
    return usual if usual == worst else f"{usual}, at worst {worst}"


def _unprotected(found: BlindSpots) -> Iterator[str]:
    blind: Sequence[Spot] = found.unprotected
    if not blind:
        yield f"  every slice is protected: its silence is noticed within {format_duration(found.longest)}"
        return
    yield f"  not protected: {len(blind):,} of {len(found.spots):,} slices, heaviest first:"
    for spot in blind[:LISTED]:
        yield f"    {spot.slice.label()} ({number(spot.usual)} a bucket)"
    if len(blind) > LISTED:
        yield f"    and {len(blind) - LISTED:,} more"
