"""Events as they might have come: leaves, a weekly curve, noise, and what a test breaks in them.

A `World` is also a `Source` in memory, so that a test can run whole ticks over it.
"""

# ruff: noqa: ARG002, PD011  a Source's signature; these values are arrays of ours, not of pandas

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product

import numpy as np
import pandas as pd

from monitor.buckets import DAY, Grid, to_datetime, to_epoch
from monitor.counts import Terms
from monitor.detectors.fit import Fit
from monitor.detectors.learn import fit
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.view import View
from monitor.lattice import Lattice, Leaves
from monitor.query import Column, Cost, CountQuery, SourceError
from monitor.ripeness import LAG_SECONDS
from rules.model import Interval, Rule, SourceRef, Timestamp
from rules.problem import Place
from rules.slices import Slice

HOUR = 3600
BEGIN = 1_767_571_200
"""Monday 2026-01-05 00:00 UTC."""


@dataclass(frozen=True)
class World:
    """`values` [M, S, T] of leaves `terms` [S] in consecutive buckets of `grid` from BEGIN on; `mean` [S, T]."""

    dimensions: tuple[str, ...]
    terms: tuple[Terms, ...]
    grid: Grid
    mean: np.ndarray
    values: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        first = self.grid.floor(BEGIN)
        return self.grid.starts(first, self.grid.shift(first, self.values.shape[2]))

    def inside(self, **terms) -> np.ndarray:
        """bool[S]: leaves of these values; a tuple means any of them."""
        found = np.ones(len(self.terms), dtype=bool)
        for name, wanted in terms.items():
            d = self.dimensions.index(name)
            some = wanted if isinstance(wanted, tuple) else (wanted,)
            found &= np.array([t[d] in some for t in self.terms])
        return found

    def scaled(self, by: float, first: int, stop: int | None = None, *, seed: int = 5, **terms) -> World:
        """Counts of a slice in columns [first, stop) thinned to a share `by` of them, or drawn anew `by` times larger."""
        rng, values = np.random.default_rng(seed), self.values.copy()
        rows = np.flatnonzero(self.inside(**terms))
        part = values[:, rows, first:stop]
        values[:, rows, first:stop] = rng.binomial(part, by) if by <= 1 else part + rng.poisson((by - 1) * part)
        return replace(self, values=values)

    def shared_out(
        self, first: int, stop: int | None, lost: Mapping[str, object], takers: Mapping[str, object]
    ) -> World:
        """What a slice had goes to other leaves in proportion to their means, hour by hour: the total stays."""
        values, rng = self.values.copy(), np.random.default_rng(6)
        gone, gain = self.inside(**lost), np.flatnonzero(self.inside(**takers) & ~self.inside(**lost))
        for t in range(first, stop if stop is not None else values.shape[2]):
            share = self.mean[gain, t] / self.mean[gain, t].sum()
            for m in range(values.shape[0]):
                values[m, gain, t] += rng.multinomial(int(values[m, gone, t].sum()), share)
                values[m, gone, t] = 0
        return replace(self, values=values)

    def relabelled(self, first: int, stop: int | None = None, *, dimension: str, old: str, new: str, **within) -> World:
        """Events of a value bear another one, all else equal; leaves are added where they are missing."""
        d = self.dimensions.index(dimension)
        rows = np.flatnonzero(self.inside(**{dimension: old}, **within))
        heirs = [(*self.terms[r][:d], new, *self.terms[r][d + 1 :]) for r in rows]
        found = self.with_leaves([heir for heir in heirs if heir not in self.terms])
        values = found.values.copy()
        for row, heir in zip(rows, heirs, strict=True):
            values[:, found.terms.index(heir), first:stop] += values[:, row, first:stop]
            values[:, row, first:stop] = 0
        return replace(found, values=values)

    def with_leaves(self, terms: Sequence[Terms]) -> World:
        """The same with silent leaves behind."""
        more = len(terms)
        return replace(
            self,
            terms=(*self.terms, *terms),
            mean=np.concatenate([self.mean, np.zeros((more, self.mean.shape[1]))]),
            values=np.concatenate(
                [self.values, np.zeros((self.values.shape[0], more, self.values.shape[2]), np.int64)], axis=1
            ),
        )

    def series(self, stop: int | None = None, first: int = 0, metric: int = 0) -> LeafSeries:
        """Columns [first, stop) of one metric, nothing flagged."""
        values = self.values[metric][:, first:stop].astype(float)
        return LeafSeries(self.starts[first:stop], values, np.zeros(values.shape, dtype=bool))

    def lattice(self, depth: int = 2) -> Lattice:
        return Lattice.of(Leaves.of(self.dimensions, self.terms), depth)

    def context(self, lattice: Lattice, **fields) -> Context:
        """What the default rule says."""
        none = np.zeros(len(lattice), dtype=bool)
        base = Context(self.grid, 1.0, 0.2, 0.0, 1, 1, none, none, np.zeros(len(lattice), dtype=np.int64))
        return replace(base, **fields)

    def fit(self, stop: int, lattice: Lattice | None = None, **fields) -> Fit:
        """Learned from the columns before `stop`, four weeks at most."""
        lattice = lattice or self.lattice()
        span = (56 if self.grid.daily else 28) * self.grid.per_day
        history = self.series(stop, max(0, stop - span))
        return fit(lattice, history, int(self.starts[stop]), self.context(lattice, **fields)).stored()

    def view(self, newest: int, learned: int | None = None, depth: int = 2) -> View:
        """The world as it is seen when column `newest` is judged; learned up to the midnight before, or `learned`."""
        lattice = self.lattice(depth)
        midnight = newest - newest % self.grid.per_day if learned is None else learned
        recent = self.series(newest + 1, max(0, newest + 1 - 120))
        return View(self.grid, lattice, self.fit(midnight, lattice), recent, np.zeros_like(recent.flagged))


def world(
    dimensions: Mapping[str, Sequence[str | None]],
    *,
    days: int = 31,
    volume: float = 20_000.0,
    alpha: float = 0.002,
    seed: int = 0,
    spread: float = 0.6,
    only=None,
    grid: Grid | None = None,
    metrics: int = 1,
) -> World:
    """All combinations (`only` those a function of the terms lets through) with `volume` events a bucket in all."""
    rng, grid = np.random.default_rng(seed), grid or Grid(HOUR)
    size = [rng.lognormal(0.0, spread, len(values)) for values in dimensions.values()]
    shares = {}
    for places in product(*(range(len(v)) for v in dimensions.values())):
        terms = tuple(values[i] for values, i in zip(dimensions.values(), places, strict=True))
        if only is None or only(terms):
            shares[terms] = float(np.prod([size[d][i] for d, i in enumerate(places)])) * rng.lognormal(0.0, 0.2)
    share = np.array(list(shares.values()))
    first = grid.floor(BEGIN)
    starts = grid.starts(first, grid.shift(first, days * grid.per_day))
    mean = volume * (share / share.sum())[:, None] * curve(grid, starts)[None, :]
    noisy = rng.gamma(1 / alpha, alpha, (metrics, *mean.shape)) * mean
    return World(tuple(dimensions), tuple(shares), grid, mean, rng.poisson(noisy).astype(np.int64))


def curve(grid: Grid, starts: np.ndarray) -> np.ndarray:
    """[T]: busier in the evening, quieter on the weekend."""
    local = grid.local(starts)
    hour, weekend = local % DAY / HOUR, (local - BEGIN) % (7 * DAY) // DAY >= 5
    daily = 1.0 if grid.daily else 1.0 + 0.4 * np.sin((hour - 12) / 24 * 2 * np.pi)
    return daily * np.where(weekend, 0.85, 1.0)


def coming(made: World, shares: np.ndarray, seed: int = 8) -> np.ndarray:
    """[L, M, S, T]: the world's counts parted by when they arrive; `shares` [S, L] of each class sum to 1."""
    rng = np.random.default_rng(seed)
    parted = rng.multinomial(made.values, shares[None, :, None, :])
    return np.moveaxis(parted, -1, 0)


CROSS = {
    "device": ("phone", "tablet", "tv", "web"),
    "country": ("NO", "SE", "DK", "DE", "FI"),
    "version": ("1", "2", "3"),
}
"""Every value meets every other."""

OS_OF = {"17": "ios", "16": "ios", "14": "android", "13": "android", "mac": "web", "win": "web", "tvos": "tv"}


def fleet(**fields) -> World:
    """Devices, systems and countries, where an os runs on one device, and all of tv is tvos."""
    dimensions = {"device": ("ios", "android", "web", "tv"), "os": tuple(OS_OF), "country": ("NO", "SE", "DK", "DE")}
    return world(dimensions, only=lambda t: OS_OF[t[1]] == t[0], **fields)


def rule_of(made: World, **fields) -> Rule:
    """The default rule over a world."""
    base = Rule(
        name="playback_volume",
        source=SourceRef("lake", ("playback",)),
        timestamp=Timestamp("at"),
        dimensions=made.dimensions,
        place=Place("rules/playback.yaml", 1, 1),
    )
    return replace(base, **fields)


def cause(**terms: str | None) -> Slice:
    """`cause(device="ios")`; no terms make the total."""
    return Slice.of(terms)


@dataclass
class WorldSource:
    """A `Source` over a world. `broken` is the error it answers with, `until` hides what starts later.

    `coming` [L, M, S, T] parts the world's counts by the lag class with which they arrive; at `now` only what has
    arrived by then is there. Nothing arrives within the moments `halted` (epoch seconds): it does at their end.
    """

    world: World
    broken: str = ""
    until: int | None = None
    coming: np.ndarray | None = None
    now: int | None = None
    halted: tuple[int, int] = (0, 0)
    asked: list[CountQuery] = field(default_factory=list)

    def count(self, query: CountQuery) -> pd.DataFrame:
        if self.broken:
            raise SourceError(self.broken)
        self.asked.append(query)
        starts, seconds = self.world.starts, int(query.bucket.total_seconds())
        inside = np.zeros(len(starts), dtype=bool)
        for window in query.windows:
            inside |= (starts >= to_epoch(window.start)) & (starts < to_epoch(window.end))
        if self.until is not None:
            inside &= starts < self.until
        if query.arrivals is None:
            return self._frame(query, self._there(self.now) * inside, seconds)
        seen = to_epoch(query.arrivals.seen_until)
        parts = [
            self._frame(query, self._there(seen, lag) * inside, seconds).assign(lag=lag)
            for lag in range(len(query.arrivals.lags))
        ]
        return pd.concat([part for part in parts if len(part)] or parts[:1])

    def _there(self, now: int | None, lag: int | None = None) -> np.ndarray:
        """[M, S, T]: what has arrived by then, of one lag class or of all."""
        there = np.zeros_like(self.world.values)
        for part, at in self._arrivals():
            late = at - self.world.starts - self.world.grid.seconds
            kind = np.minimum(np.searchsorted(LAG_SECONDS, late), len(LAG_SECONDS) - 1)
            there += part * (np.full(len(at), now is None) | (at <= (now or 0))) * ((lag is None) | (kind == lag))
        return there

    def _arrivals(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Parts of the counts [M, S, T], and when each bucket's arrives [T]."""
        ends = self.world.starts + self.world.grid.seconds
        parts = self.world.values[None] if self.coming is None else self.coming
        begin, end = self.halted
        at = [ends + lag for lag in LAG_SECONDS]
        return [(part, np.where((t >= begin) & (t < end), end, t)) for part, t in zip(parts, at, strict=False)]

    def _frame(self, query: CountQuery, values: np.ndarray, seconds: int) -> pd.DataFrame:
        starts = self.world.starts
        rows, columns = np.nonzero(values.any(axis=0))
        at = starts[columns] if seconds == self.world.grid.seconds else starts[columns] // seconds * seconds
        frame = pd.DataFrame({"bucket": pd.to_datetime(at, unit="s", utc=True).as_unit("us")})
        for d, name in enumerate(query.dimensions):
            frame[name] = pd.Series([self.world.terms[r][d] for r in rows], dtype=object)
        for m in range(len(query.measures)):
            frame[f"m{m}"] = values[m, rows, columns]
        keys = ["bucket", *query.dimensions]
        if tuple(query.dimensions) == self.world.dimensions and seconds == self.world.grid.seconds:
            # Each leaf and bucket is one row already: the grouping would take longer than what is tested.
            return frame
        return frame.groupby(keys, dropna=False, sort=False, as_index=False).sum() if len(frame) else frame

    def watermark(self, query: CountQuery) -> datetime | None:
        """As if each part arrived at the very moment its class ends."""
        if self.broken:
            raise SourceError(self.broken)
        assert query.arrivals is not None
        seen = to_epoch(query.arrivals.seen_until)
        came = [int(t) for part, at in self._arrivals() for t in at[part.any(axis=(0, 1))] if t <= seen]
        return to_datetime(max(came)) if came else None

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        return tuple(Column(name, "VARCHAR", "string") for name in self.world.dimensions)

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        return None

    def cost(self, query: CountQuery) -> Cost:
        return Cost()

    def close(self) -> None:
        """Nothing is open."""
