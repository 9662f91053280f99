"""What a rule would not notice: for each slice the smallest loss that is found, and how long total silence stays unseen.

From the fit alone: seasonal means, dispersions, calibration and threshold say how few events are too few. A loss of the
share s that began j buckets ago leaves mu - s m_j of a window that expects mu, where m_j is what the window expects since
then. It is found where that is at most the largest count that still alarms. Counts are taken at what is expected of them:
a loss of the size told here is found as often as not, a larger one more surely. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from monitor.buckets import Grid
from monitor.detectors.bounds import limits
from monitor.detectors.fit import Fit, from_begin
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.view import View
from monitor.lattice import Lattice
from monitor.statistics import constants as k
from monitor.statistics.blocks import blocks
from monitor.statistics.negbin import lower_tail

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NODES = 9
"""Means at which the largest count that still alarms is found; between them it is interpolated."""
HALVINGS = 30
STARTS = 56
"""Places of the week at which a loss is thought to begin, at most."""
STEPS = 32
"""Ages at which a loss is looked at, at most."""
NEVER = np.inf


@dataclass(frozen=True)
class Sight:
    """What is noticed of losses that begin at some places of the week [P]; `ages` are buckets since then, ascending.

    `needed` [N, A, P] is the smallest share whose loss is found at each age, at that age or before; inf where not even
    total silence is.
    """

    ages: Ints
    needed: Floats

    def least(self, within: int) -> Floats:
        """[N]: the smallest share lost that is found within so many buckets, for the middle one of all beginnings."""
        return np.asarray(np.median(self.at(within), axis=1))

    def at(self, within: int) -> Floats:
        """[N, P]: the same for each beginning."""
        known = int(np.searchsorted(self.ages, within, side="right"))
        if known == 0:
            return np.full((self.needed.shape[0], self.needed.shape[2]), NEVER)
        return np.asarray(self.needed[:, known - 1])

    @cached_property
    def silence(self) -> Floats:
        """[N, P]: buckets until total silence is found; inf where it is not within the longest window."""
        found = self.needed <= 1.0
        first = np.argmax(found, axis=1)
        return np.where(found.any(axis=1), self.ages[first].astype(float), NEVER)


def sight(
    fit: Fit,
    lattice: Lattice,
    context: Context,
    starts: Ints | None = None,
    extra: tuple[int, ...] = (),
    levels: Floats | None = None,
) -> Sight:
    """What the fit lets see of losses that begin at the places `starts` of the week, evenly spread ones by default.

    `extra` are ages to look at beside those between one bucket and the longest window; `levels` [N, W] is where slices
    stand today beside their seasonal mean, 1 by default.
    """
    levels = np.ones((len(lattice), len(fit.windows))) if levels is None else levels
    starts = _spread(context.grid) if starts is None else starts
    ages = _ages(fit, extra)
    needed = np.full((len(lattice), len(ages), len(starts)), NEVER)
    dragged = _dragging(fit, lattice)
    for part in blocks(len(lattice), STARTS * STEPS):
        rows = np.arange(len(lattice))[part]
        mean = fit.mean[rows].astype(float)
        curves = Curve.of(mean), Curve.of(_lossable(fit, lattice, rows, mean))
        ground = Ground(fit, context, rows, *curves, levels[rows], starts, dragged[rows])
        for a, age in enumerate(ages.tolist()):
            needed[part, a] = ground.needed(age)
    needed = np.minimum.accumulate(needed, axis=1)
    through = _through_others(needed, fit, lattice, context, levels[:, 0])
    # What moves the common mode moves all others with it, and they are excused as well.
    return Sight(ages, np.where(dragged[:, None, None], needed, through))


def _lossable(fit: Fit, lattice: Lattice, rows: Ints, mean: Floats) -> Floats:
    """[n, positions]: the part of the means that can be seen to go; silence of counts that are held back is none."""
    if not fit.held_back.any():
        return mean
    return np.maximum(mean - lattice.rollup(np.minimum(fit.leaf_mean, fit.held_back[:, None]), rows), 0.0)


def _spread(grid: Grid) -> Ints:
    """Places of the week, evenly spread."""
    return np.arange(0, grid.positions, max(1, grid.positions // STARTS), dtype=np.int64)


def _dragging(fit: Fit, lattice: Lattice) -> Bools:
    """[N]: slices that hold most of the events of references with more than half of the weight of the C they follow."""
    references, dragging = fit.references, np.zeros(len(lattice), dtype=bool)
    weighed = lattice.incidence.multiply(fit.leaf_volume[None, :]).tocsr()
    for region in np.unique(references.region):
        found = _dragging_of(references.of_region(int(region)), weighed, fit, lattice)
        dragging |= found & (references.region == region)
    return dragging


def _dragging_of(refs: Ints, weighed: sparse.csr_array, fit: Fit, lattice: Lattice) -> Bools:
    """[N]: slices that hold most of the events of these references with more than half of their weight."""
    if not len(refs):
        return np.zeros(len(lattice), dtype=bool)
    shared = (weighed @ lattice.incidence[refs].T).tocoo()
    whole, weight = fit.volume[refs], np.sqrt(fit.volume[refs])
    most = shared.data > 0.5 * whole[shared.col]
    inside = np.bincount(shared.row[most], weights=weight[shared.col[most]], minlength=len(lattice))
    return np.asarray(inside > 0.5 * weight.sum())


def _through_others(needed: Floats, fit: Fit, lattice: Lattice, context: Context, levels: Floats) -> Floats:
    """The same where a loss is also found as that of another slice: of the total, or of one dimension.

    A slice that takes the share q of another's events with it is found there where a loss of q s is.
    """
    few = np.flatnonzero((lattice.size <= 1) & fit.eligible & (fit.volume > 0))
    weighed = lattice.incidence.multiply(fit.leaf_volume[None, :]).tocsr()
    shares = (weighed @ lattice.incidence[few].T).tocoo()
    others = few[shares.col]
    part = shares.data * levels[shares.row] / np.maximum(fit.volume[others] * levels[others], 1e-12)
    found = needed.copy()
    for row, other, share in zip(shares.row.tolist(), others.tolist(), part.tolist(), strict=True):
        # A smaller part of another slice cannot change it by as much as is told.
        if row != other and share >= context.min_change:
            through = needed[other] / min(share, 1.0)
            np.minimum(found[row], np.where(through <= 1.0, through, NEVER), out=found[row])
    return found


def levels_of(grid: Grid, lattice: Lattice, fit: Fit, recent: LeafSeries) -> Floats:
    """[N, W]: where slices stand in the newest days (leaf counts [S, T]) beside their seasonal mean, as judging takes it."""
    return View(grid, lattice, fit, from_begin(recent, fit.begin), recent.flagged).levels


def _ages(fit: Fit, extra: tuple[int, ...]) -> Ints:
    longest = max(fit.windows)
    if longest <= STEPS:
        found = np.arange(1, longest + 1)
    else:
        found = np.unique(np.concatenate([np.rint(np.geomspace(1, longest, STEPS)).astype(int), fit.windows]))
    return np.unique(np.concatenate([found, np.array(extra, dtype=int)])).astype(np.int64)


@dataclass(frozen=True)
class Curve:
    """A weekly profile, cumulated around the clock: [n, 2 positions + 1]."""

    cumulated: Floats
    positions: int

    @classmethod
    def of(cls, profile: Floats) -> Curve:
        twice = np.concatenate([profile, profile], axis=1)
        return cls(np.concatenate([np.zeros((len(profile), 1)), np.cumsum(twice, axis=1)], axis=1), profile.shape[1])

    def ending(self, places: Ints, width: int) -> Floats:
        """[n, P]: sums of the `width` places that end with each of `places`; of more than a week, whole weeks over."""
        weeks, rest = divmod(width, self.positions)
        stop = places % self.positions + self.positions + 1
        week = self.cumulated[:, self.positions, None]
        return np.asarray(self.cumulated[:, stop] - self.cumulated[:, stop - rest] + weeks * week)


@dataclass(frozen=True)
class Ground:
    """Some slices `rows` [n] of a fit, and the places of the week [P] at which their losses begin."""

    fit: Fit
    context: Context
    rows: Ints
    mean: Curve
    lossable: Curve
    """The part of the means that can be seen to go: silence of counts that are held back is none."""
    levels: Floats
    """[n, W]: what is expected beside the means, by the window."""
    starts: Ints
    dragged: Bools
    """[n]: slices whose loss moves the common mode with it: it excuses them, and only the plain test is left."""

    def needed(self, age: int) -> Floats:
        """[n, P]: the smallest share whose loss alarms in some window `age` buckets after it began; inf where none."""
        ends = self.starts + age - 1
        best = np.full((len(self.rows), len(self.starts)), NEVER)
        for w, width in enumerate(self.fit.windows):
            mu = self.mean.ending(ends, width) * self.levels[:, [w]]
            gone = self.lossable.ending(ends, min(age, width)) * self.levels[:, [w]]
            share = _ratio(mu - self._alarming(w, mu, alone=age == 1), gone)
            best = np.minimum(best, np.maximum(share, self._effect(mu, gone)))
        best = np.maximum(best, self._persistent(ends, age))
        eligible = self.fit.eligible[self.rows][:, None]
        return np.where(eligible & (best <= 1.0), best, NEVER)

    def _effect(self, mu: Floats, gone: Floats) -> Floats:
        """The share from which a loss is large enough to be told."""
        least = (
            self.context.min_loss
            if self.fit.bounds is not None
            else np.maximum(self.context.min_change * mu, self.context.min_loss)
        )
        return _ratio(least, gone)

    def _persistent(self, ends: Ints, age: int) -> Floats:
        """The share from which the newest bucket leans, and where it stands alone is evidence enough."""
        if self.fit.bounds is not None:
            return np.zeros((len(self.rows), len(ends)))
        first = self.fit.windows.index(1)
        mu, gone = (part.ending(ends, 1) * self.levels[:, [first]] for part in (self.mean, self.lossable))
        lean = _ratio(0.5 * self.context.min_change * mu, gone)
        if age > 1 or self._long:
            return lean
        excused = np.where(self.dragged, k.COMMON_CLIP[0], 1.0)[:, None]
        enough = np.minimum(self._overwhelming.at(mu * excused), k.OVERWHELMING_RATIO * mu)
        return np.maximum(lean, _ratio(mu - enough, gone))

    @property
    def _long(self) -> bool:
        return self.context.grid.seconds >= k.LONG_BUCKET_SECONDS

    def _alarming(self, w: int, mu: Floats, *, alone: bool) -> Floats:
        """[n, P]: the largest count of a window that alarms; NaN where not even silence does."""
        if self.fit.bounds is not None:
            low = limits(self.fit.bounds, mu)[0]
            return np.where(low > 0, np.nextafter(low, 0.0), np.nan)
        margin = k.LONG_BUCKET_MARGIN if alone and self._long else 0.0
        if (w, margin) not in self._limits:
            self._limits[w, margin] = self._limits_of(w, self.fit.threshold + margin)
        contrast, bare = self._limits[w, margin]
        plain = self.fit.plain[self.rows]
        found = contrast.at(mu)
        if not self.fit.references.whole.any():
            found[plain] = np.nan
        found[self.dragged] = np.nan
        found[plain] = np.fmax(found[plain], bare.at(mu[plain]))
        return found

    @cached_property
    def _limits(self) -> dict[tuple[int, float], tuple[Limit, Limit]]:
        return {}

    def _limits_of(self, w: int, threshold: float) -> tuple[Limit, Limit]:
        """Around the common mode, of all; without it, of those that are judged plainly."""
        fit, rows, most = self.fit, self.rows, self._most(w)
        by_class = np.array([tail.needed(threshold) for tail in fit.tails[w]])
        contrast = Limit.of(most, fit.alpha[rows, w], by_class[fit.volume_class()[rows]] * fit.unrest[rows, w])
        plain = fit.plain[rows]
        nats = fit.tails_plain[w].needed(threshold) * fit.unrest_plain[rows, w]
        return contrast, Limit.of(most[plain], fit.alpha_plain[rows, w][plain], nats[plain])

    @cached_property
    def _overwhelming(self) -> Limit:
        """One bucket is evidence enough."""
        first = self.fit.windows.index(1)
        alpha = self.fit.alpha[self.rows, first]
        return Limit.of(self._most(first), alpha, np.full(len(alpha), -np.log(k.OVERWHELMING_P)))

    def _most(self, w: int) -> Floats:
        """[n]: the largest mean of a window at any place of the week."""
        places = np.arange(self.mean.positions, dtype=np.int64)
        sums = self.mean.ending(places, self.fit.windows[w])
        return np.asarray(sums.max(axis=1, initial=0.0) * self.levels[:, w])


def _ratio(part: Floats | float, whole: Floats) -> Floats:
    """Part / whole; inf where there is nothing to lose, or no answer."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(whole > 0, part / whole, NEVER)
    return np.where(np.isnan(found), NEVER, found)


@dataclass(frozen=True)
class Limit:
    """The largest count that has a surprise of at least so many nats, by the mean.

    Found at a few means between the smallest of which silence has it (`low` [n]) and the largest there is (`high` [n]);
    `counts` [n, NODES].
    """

    low: Floats
    high: Floats
    counts: Floats

    @classmethod
    def of(cls, most: Floats, alpha: Floats, nats: Floats) -> Limit:
        """For means up to `most` [n]."""
        low = _silent_from(alpha, nats)
        high = np.maximum(most, low)
        counts = np.zeros((len(low), NODES))
        rows = np.flatnonzero(most > low)
        counts[rows] = _largest(_between(low[rows], high[rows]), alpha[rows], nats[rows])
        return cls(low, high, counts)

    def at(self, mu: Floats) -> Floats:
        """[n, P]: the largest count where means are mu; NaN where not even silence is surprising enough."""
        nodes = _between(self.low, self.high)
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.log(mu / self.low[:, None]) / np.log(self.high / self.low)[:, None] * (NODES - 1)
        left = np.clip(np.floor(np.where(np.isfinite(place), place, 0.0)), 0, NODES - 2).astype(np.int64)
        below, above, first, second = (
            np.take_along_axis(part, left + i, axis=1) for part in (nodes, self.counts) for i in (0, 1)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.clip(np.nan_to_num((mu - below) / (above - below)), 0.0, 1.0)
        return np.where(mu >= self.low[:, None], first + share * (second - first), np.nan)


def _between(low: Floats, high: Floats) -> Floats:
    """[n, NODES]: means from low to high, evenly spread over their logarithm."""
    return np.asarray(low[:, None] * (high / low)[:, None] ** np.linspace(0.0, 1.0, NODES))


def _silent_from(alpha: Floats, nats: Floats) -> Floats:
    """[n]: the mean from which on silence has a surprise of `nats`: the inverse of `negbin.silence`."""
    with np.errstate(over="ignore"):
        return np.asarray(
            np.where(alpha < 1e-6, nats, np.expm1(np.minimum(alpha * nats, 690.0)) / np.maximum(alpha, 1e-6))
        )


def _largest(mu: Floats, alpha: Floats, nats: Floats) -> Floats:
    """[n, K]: the largest (real) count with P(Y <= y) <= exp(-nats), by halving; 0 where only silence is."""
    low, high = np.zeros_like(mu), mu.copy()
    target = np.exp(-np.minimum(nats, 690.0))[:, None]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        rare = lower_tail(middle, mu, alpha[:, None]) <= target
        low, high = np.where(rare, middle, low), np.where(rare, high, middle)
    return low
