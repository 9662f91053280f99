"""Step 11: which share of a slice's events is there at which age, learned from earlier reads. Pure.

An event table is a triangle: old buckets are known at every lag class, young ones only at the first. The share that is
there at a class is the ratio of sums over the buckets known at that class and at a riper one, from the ripest class
backwards (the chain ladder of loss reserving; Mack 1993, doi 10.2143/AST.23.2.2005092), shrunk towards the share of the
narrowest slice above that has events enough.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import zstandard
from numpy.typing import NDArray
from scipy import sparse

from monitor.buckets import DAY, Grid
from monitor.detectors.fit import Fit
from monitor.detectors.model import LeafSeries, Present
from monitor.lattice import Lattice
from monitor.ripeness import LAGS, lag_class
from monitor.statistics import constants as k
from monitor.statistics.blocks import blocks
from monitor.statistics.dispersion import shrink
from monitor.statistics.level import cumulate, window_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Lags = NDArray[np.int8]

FINAL = LAGS - 1


@dataclass(frozen=True)
class Curves:
    """How late the events of every slice come."""

    leaf: Floats
    """[S, L]: share of a leaf's events that is there at each lag class; the last is 1."""
    slices: Floats
    """[N, L]: the same of a slice."""
    unsure: Floats
    """[N, W]: squared relative error of these shares over a window, which adds to the dispersion."""
    windows: tuple[int, ...]
    """Widths of these windows in buckets."""
    days: float
    """Days of reads they were learned from."""

    @classmethod
    def unknown(cls, lattice: Lattice, grid: Grid, widths: Sequence[int]) -> Curves:
        """Before any bucket was read twice: all is believed to be there, with doubt about what was read once."""
        first = np.array([float((ages(width, grid) == 0).mean()) for width in widths])
        unsure = np.tile((k.ARRIVAL_UNKNOWN * first) ** 2, (len(lattice), 1))
        return cls(np.ones((len(lattice.leaves), LAGS)), np.ones((len(lattice), LAGS)), unsure, tuple(widths), 0.0)

    def over(self, lag: Lags) -> Present:
        """The shares at the classes [T] that buckets were read at; an unknown bucket (-1) has all."""
        at = np.where(lag < 0, FINAL, lag).astype(np.int64)
        return Present(self.leaf[:, at], self.slices[:, at])

    def widened(self, fit: Fit) -> Fit:
        """The fit with the error of the shares in its dispersions; fixed bounds know no dispersion."""
        if fit.bounds is not None:
            return fit
        nearest = [max(int(np.searchsorted(self.windows, width, side="right")) - 1, 0) for width in fit.windows]
        unsure = self.unsure[:, nearest]
        alpha = np.minimum(fit.alpha + unsure, k.ALPHA_MAX)
        plain = np.minimum(fit.alpha_plain + unsure, k.ALPHA_MAX)
        return replace(fit, alpha=alpha, alpha_plain=plain)

    def completed(self, series: LeafSeries) -> LeafSeries:
        """The series as it will be once all has arrived: what history is learned from."""
        # Before anything was learned all is believed to be there.
        if series.lag is None or not self.days:
            return series
        share = np.maximum(self.over(series.lag).leaf, k.ARRIVED_LEAST)
        return replace(series, values=series.values / share)

    def to_bytes(self) -> bytes:
        """Compressed, stable bytes."""
        buffer = io.BytesIO()
        leaf, slices, unsure = (part.astype(np.float32) for part in (self.leaf, self.slices, self.unsure))
        windows, days = np.array(self.windows, dtype=np.int64), np.array(self.days)
        np.savez(buffer, leaf=leaf, slices=slices, unsure=unsure, windows=windows, days=days)
        return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(buffer.getvalue())

    @classmethod
    def from_bytes(cls, blob: bytes) -> Curves:
        """The inverse of `to_bytes`; arrays come back as float64 of what float32 kept."""
        with np.load(io.BytesIO(zstandard.decompress(blob))) as part:
            leaf, slices, unsure = (part[name].astype(float) for name in ("leaf", "slices", "unsure"))
            return cls(leaf, slices, unsure, tuple(int(w) for w in part["windows"]), float(part["days"]))

    def carried(self, rows: Ints, leaves: int) -> Curves:
        """Laid on a larger lattice: `rows` [N new] are the old rows (-1 where new), `leaves` the leaves it has.

        What is new comes as late as the whole does.
        """
        missing = leaves - len(self.leaf)
        leaf = np.concatenate([self.leaf, np.repeat(self.slices[:1], missing, axis=0)])
        old = np.maximum(rows, 0)
        return replace(self, leaf=leaf, slices=self.slices[old], unsure=self.unsure[old])


@dataclass(frozen=True)
class Reads:
    """What was there at each lag class: `values` [L, S, T] of consecutive buckets `starts` [T], NaN where not read.

    `flagged` [S, T] are cells of incidents: they teach nothing.
    """

    starts: Ints
    values: NDArray[np.floating]
    flagged: NDArray[np.bool_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool[L, T]: which buckets were read at which class."""
        if not self.values.shape[1]:
            return np.zeros((self.values.shape[0], len(self.starts)), dtype=bool)
        return np.asarray(~np.isnan(self.values[:, 0, :]))

    @property
    def paired(self) -> NDArray[np.bool_]:
        """bool[T]: buckets read at more than one class."""
        return np.asarray(self.known.sum(axis=0) > 1)

    @property
    def days(self) -> float:
        """Days between the first and the last bucket read more than once."""
        pairs = self.starts[self.paired]
        return float(pairs[-1] - pairs[0]) / DAY if len(pairs) else 0.0


def learn(lattice: Lattice, reads: Reads, grid: Grid, widths: Sequence[int]) -> Curves | None:
    """The curves that earlier reads teach, for windows of these `widths` in buckets; None where nothing came late."""
    if not _any_late(reads):
        return None
    day = (grid.local(reads.starts) - int(grid.local(reads.starts[:1])[0])) // DAY
    above = _above(lattice, np.where(reads.flagged, 0.0, np.nan_to_num(reads.values).max(axis=0)).sum(axis=1))
    leaf, slices = (np.ones((count, LAGS)) for count in (len(lattice.leaves), len(lattice)))
    ultimate = np.full(reads.values.shape[1:], np.nan)
    volume = np.ones(len(lattice))
    for lag in reversed(range(LAGS)):
        if lag < FINAL:
            came = _sums(reads.values[lag], ultimate, reads.flagged, day)
            leaf[:, lag], slices[:, lag], volume = _shares(lattice, came, above, (leaf, slices), lag)
        known = reads.known[lag] & np.isnan(ultimate).all(axis=0)
        ultimate[:, known] = reads.values[lag][:, known] / np.maximum(leaf[:, lag, None], k.ARRIVED_LEAST)
    days = reads.days
    unsure = _unsure(lattice, reads, ultimate, slices, grid, widths, day)
    unsure += _doubt(slices, volume, days, grid, widths)
    return Curves(leaf, slices, unsure, tuple(widths), days)


def _any_late(reads: Reads) -> bool:
    """Whether any bucket held more at a riper class than at an earlier one."""
    known = reads.known
    for lag in range(FINAL):
        for riper in range(lag + 1, LAGS):
            both = known[lag] & known[riper]
            if both.any() and (reads.values[riper][:, both] > reads.values[lag][:, both]).any():
                return True
    return False


def _sums(
    early: NDArray[np.floating], ultimate: Floats, flagged: NDArray[np.bool_], day: Ints
) -> tuple[Floats, Floats]:
    """(there at the class, in the end) by day [S, days], over cells known at both and not flagged."""
    use = ~np.isnan(early) & ~np.isnan(ultimate) & ~flagged
    bounds = np.flatnonzero(np.diff(day, prepend=-1))
    there, whole = (np.add.reduceat(np.where(use, part, 0.0), bounds, axis=1) for part in (early, ultimate))
    return there, whole


def _shares(
    lattice: Lattice, came: tuple[Floats, Floats], above: tuple[Ints, Ints], later: tuple[Floats, Floats], lag: int
) -> tuple[Floats, Floats, Floats]:
    """Shares of leaves [S] and of slices [N] at a class, and each slice's events [N] they were learned from."""
    there, whole = came
    leaf_sums = _without_worst_day(there, whole)
    sums = _without_worst_day(lattice.rollup(there), lattice.rollup(whole))
    parents, leaf_parents = above
    slices = np.ones(len(lattice))
    for size in range(int(lattice.size.max(initial=0)) + 1):
        rows = np.flatnonzero(lattice.size == size)
        prior = slices[parents[rows]] if size else np.ones(len(rows))
        slices[rows] = _shrunk(sums[0][rows], sums[1][rows], prior)
    leaf = _shrunk(*leaf_sums, slices[leaf_parents])
    # What is not there at a riper class was not there earlier either.
    return np.minimum(leaf, later[0][:, lag + 1]), np.minimum(slices, later[1][:, lag + 1]), sums[1]


def _without_worst_day(there: Floats, whole: Floats) -> tuple[Floats, Floats]:
    """Sums [n] over days [n, days] without each row's day of largest shortfall: that the source stood still once."""
    total = whole.sum(axis=1, keepdims=True)
    usual = there.sum(axis=1, keepdims=True) / np.maximum(total, 1e-12)
    if there.shape[1] < k.ARRIVAL_DAYS_FOR_WORST:
        return there.sum(axis=1), total[:, 0]
    worst = np.argmax(usual * whole - there, axis=1)[:, None]
    kept = (part.sum(axis=1) - np.take_along_axis(part, worst, axis=1)[:, 0] for part in (there, whole))
    fewer, rest = kept
    return fewer, rest


def _shrunk(there: Floats, whole: Floats, prior: Floats) -> Floats:
    """Share of the events there, as if some more events had come by the prior's share."""
    share = (there + k.ARRIVAL_BORROW_EVENTS * prior) / (whole + k.ARRIVAL_BORROW_EVENTS)
    return np.asarray(np.clip(share, 0.0, 1.0))


def _above(lattice: Lattice, volume: Floats) -> tuple[Ints, Ints]:
    """The smallest slice above each slice [N] (the total's is itself) and above each leaf [S], by events [S]."""
    events = lattice.rollup(volume)
    masks, kind = np.unique(lattice.cuboid, return_inverse=True)
    entries = lattice.incidence.tocoo()
    row_of = np.full((len(lattice.leaves), len(masks)), -1, dtype=np.int64)
    row_of[entries.col, kind[entries.row]] = entries.row
    size = np.array([int(mask).bit_count() for mask in masks])
    whole = (1 << lattice.codes.shape[1]) - 1
    member = lattice.incidence.indices[lattice.incidence.indptr[:-1]]
    parents = np.zeros(len(lattice), dtype=np.int64)
    for c, mask in enumerate(masks):
        rows = np.flatnonzero(kind == c)
        under = np.flatnonzero(((masks & mask) == masks) & (size < size[c]))
        if len(under):
            parents[rows] = _smallest(row_of[member[rows]][:, under], events)
    under = np.flatnonzero((masks != whole) | (len(masks) == 1))
    return parents, _smallest(row_of[:, under], events)


def _smallest(candidates: Ints, events: Floats) -> Ints:
    """Of the rows [n, c] (-1: none) that with the fewest events which still say something; [n]."""
    found = events[np.maximum(candidates, 0)]
    weight = np.where(found >= k.ARRIVAL_BORROW_EVENTS, found, 1e15 - found)  # behind all others, the largest first
    weight = np.where(candidates >= 0, weight, np.inf)
    best = np.argmin(weight, axis=1)
    return np.asarray(np.maximum(candidates[np.arange(len(candidates)), best], 0))


def ages(width: int, grid: Grid) -> Ints:
    """Lag class [width] of each bucket of a window that ends with the newest one, newest first."""
    return np.array([lag_class(age * grid.seconds) for age in range(width)], dtype=np.int64)


def _unsure(
    lattice: Lattice, reads: Reads, ultimate: Floats, slices: Floats, grid: Grid, widths: Sequence[int], day: Ints
) -> Floats:
    """[N, W]: by how much windows, as they were when their last bucket was new, missed what the shares foretold.

    Squared and relative, beyond the binomial scatter that a constant share has; shrunk to slices of like volume.
    """
    bounds = np.flatnonzero(np.diff(day, prepend=-1))
    lags = np.unique(np.concatenate([ages(width, grid) for width in widths]))
    incidence = lattice.incidence.astype(np.float32)
    whole = Cells.of(ultimate, reads.flagged)
    early = {int(lag): Cells.of(reads.values[lag], reads.flagged) for lag in lags}
    found, volume = np.zeros((len(lattice), len(widths))), np.zeros(len(lattice))
    for rows in blocks(len(lattice)):
        part = incidence[rows]
        total = whole.rolled(part)
        there = {lag: cells.rolled(part) for lag, cells in early.items()}
        volume[rows] = np.nan_to_num(total).mean(axis=1)
        for w, width in enumerate(widths):
            found[rows, w] = _excess(there, total, slices[rows], ages(width, grid), bounds)
    independent = [len(np.unique(day)) * grid.per_day / width for width in widths]
    return np.stack([shrink(found[:, w], volume, independent[w]) for w in range(len(widths))], axis=1)


@dataclass(frozen=True)
class Cells:
    """Leaf counts [S, T] ready to be rolled up part by part: unknown ones are 0, and marked where there are any."""

    counts: NDArray[np.float32]
    unknown: NDArray[np.float32] | None
    """[S, T], 1 where unknown; None where whole buckets are, or none."""
    buckets: NDArray[np.bool_]
    """bool[T]: buckets of which nothing is known."""

    @classmethod
    def of(cls, values: NDArray[np.floating], flagged: NDArray[np.bool_]) -> Cells:
        """Of counts [S, T], NaN where unknown; flagged cells count as unknown."""
        unknown = np.isnan(values)
        buckets = unknown.all(axis=0)
        marked = (unknown | flagged)[:, ~buckets].any()
        counts = np.where(unknown | flagged, 0.0, values).astype(np.float32)
        return cls(counts, (unknown | flagged).astype(np.float32) if marked else None, buckets)

    def rolled(self, part: sparse.csr_array) -> Floats:
        """Sums [n, T] of some rows of the incidence; NaN where any leaf is unknown."""
        total = np.asarray(part @ self.counts, dtype=float)
        total[:, self.buckets] = np.nan
        if self.unknown is not None:
            total[np.asarray(part @ self.unknown) > 0] = np.nan
        return total


def _excess(early: Mapping[int, Floats], whole: Floats, shares: Floats, classes: Ints, bounds: Ints) -> Floats:
    """[n]: mean squared relative error of the windows whose buckets, newest first, are of these lag classes."""
    total = np.zeros((3, *whole.shape))
    for lag in np.unique(classes):
        share = shares[:, lag, None]
        inside = np.flatnonzero(classes == lag)
        parts = (early[int(lag)] - share * whole, share * (1.0 - share) * whole, share * whole)
        total += np.stack([_lagged(part, int(inside[0]), len(inside)) for part in parts])
    residual, scatter, foretold = total
    known = ~np.isnan(residual)
    square, scatter, scale = (
        np.add.reduceat(np.where(known, part, 0.0), bounds, axis=1) for part in (residual**2, scatter, foretold**2)
    )
    worst = np.argmax(square - scatter, axis=1)[:, None]
    over, scale = (
        part.sum(axis=1) - np.take_along_axis(part, worst, axis=1)[:, 0] for part in (square - scatter, scale)
    )
    return np.asarray(np.clip(over / np.maximum(scale, 1e-12), 0.0, k.ALPHA_MAX))


def _lagged(values: Floats, first: int, count: int) -> Floats:
    """Sums of the `count` columns that end `first` columns before each; NaN where any of them is unknown."""
    whole = window_sums(cumulate((~np.isnan(values)).astype(float)), count) >= count
    sums = np.where(whole, window_sums(cumulate(values), count), np.nan)
    if first == 0:
        return sums
    return np.concatenate([np.full((len(sums), min(first, sums.shape[1])), np.nan), sums[:, :-first]], axis=1)


def _doubt(slices: Floats, volume: Floats, days: float, grid: Grid, widths: Sequence[int]) -> Floats:
    """[N, W]: squared relative error that is left for want of events, and for want of days to know how steady it is."""
    columns = []
    for width in widths:
        share = np.maximum(slices[:, ages(width, grid)].mean(axis=1), k.ARRIVED_LEAST)
        late = (1.0 - share) / share
        young = 1.0 / (1.0 + days) if days < k.ARRIVAL_DAYS - 1 else 0.0
        columns.append(late / (volume + k.ARRIVAL_BORROW_EVENTS) + young * (k.ARRIVAL_DOUBT * late) ** 2)
    return np.stack(columns, axis=1)
