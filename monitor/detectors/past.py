"""History judged as if live, each week against the mean of the other weeks: what a slice's windows looked like then.

What one width of window teaches of them: dispersion around the common mode and without it, how restless each slice
is, and the tail of its class of volume (steps 5 and 7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import DAY, Grid
from monitor.detectors.episodes import TOLD_NATS, Exceedances
from monitor.statistics import constants as k
from monitor.statistics.blocks import blocks
from monitor.statistics.calibration import NOMINAL, Tail, fit_tail
from monitor.statistics.common_mode import References, contrastable, excuse
from monitor.statistics.dispersion import raw_alpha, shrink
from monitor.statistics.level import before, cap_spikes, cumulate, level, tempered
from monitor.statistics.negbin import lower_tail
from monitor.statistics.seasonal import seasonal_mean

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Singles = NDArray[np.floating[Any]]
"""float32 where there is one for each cell of the history: half of what has to pass through memory."""

ORDINARY = 0.3
"""Nats that stand for every surprise which is none: its rank matters, its size does not."""
MANY = 2_000
"""So many slices teach enough with fewer of their windows."""
NOTABLE = 3.0
"""Nats from which on a surprise is one."""


@dataclass(frozen=True)
class Learned:
    """What one width of window teaches: alpha [N] around the common mode and without it, and their tails."""

    alpha: Floats
    alpha_plain: Floats
    unrest: Floats
    unrest_plain: Floats
    tail_plain: Tail
    tails: tuple[Tail, ...]
    noted: Exceedances
    """What would have been large enough to be told."""
    outages: Exceedances
    """Buckets of an overwhelming loss that a slice had once."""


@dataclass(frozen=True)
class Learners:
    """Who learns: `plain` [N] are also judged without the common mode, only `judged` [N] teach their class of volume."""

    plain: Bools
    judged: Bools
    references: References
    volume: Floats
    classes: Ints
    min_change: float
    min_loss: float

    def of(self, rows: Ints) -> Learners:
        """Some of them, [n]."""
        each = ("plain", "judged", "volume", "classes")
        own = {name: getattr(self, name)[rows] for name in each}
        return replace(self, references=self.references.at(rows), **own)


@dataclass(frozen=True)
class Past:
    """Slices by buckets, cumulated over time: what came, and what the other weeks let expect, [N, T + 1].

    `levels` [N, T + 1] is where a slice stood on the days before each bucket; NaN where too few of them are known.
    """

    observed: Floats
    expected: Floats
    known: NDArray[np.int32] | None
    """Known buckets, cumulated [N, T + 1]; None where all are."""
    levels: Singles
    young: Bools
    """[N, T]: the first days of slices born within the history: a slice may learn from them, its class may not."""
    day: Ints
    grid: Grid

    def learn(self, width: int, who: Learners) -> Learned:
        """Dispersion and tails of the windows of `width` buckets."""
        # Long windows overlap: of many slices every third of a width says as much about their noise.
        step = max(1, width // 3) if len(self.observed) >= MANY else 1
        seen = self.windows(width, np.arange(len(self.observed)), step, who.references)
        independent = len(np.unique(self.day)) * self.grid.per_day / width
        raw = np.concatenate([raw_alpha(*seen.around(rows), seen.day) for rows in blocks(len(seen.y))])
        alpha = shrink(raw, who.volume, independent, weight=2.0 if self.grid.daily else 1.0)
        unrest = np.ones(len(alpha))
        tails, noted, outages = [], [], []
        for c in range(int(who.classes.max(initial=0)) + 1):
            part = np.flatnonzero(who.judged & (who.classes == c))
            found = seen.tail(part, alpha[part], who, worst_day=False)
            unrest[part] = found.unrest
            tails.append(found.tail)
            noted.append(found.noted)
            outages.append(found.outages)
        bare, restless, plain = self._plainly(width, who, alpha)
        told, gone = Exceedances.together([*noted, plain.noted]), self._silent(Exceedances.together(outages), width)
        return Learned(alpha, bare, unrest, restless, plain.tail, tuple(tails), told, gone)

    def _silent(self, outages: Exceedances, width: int) -> Exceedances:
        """The buckets within windows of outages in which next to nothing came, each once."""
        rows = np.repeat(outages.rows, width)
        columns = (outages.columns[:, None] - np.arange(width)[None, :]).ravel()
        rows, columns = np.unique(np.stack([rows, columns]), axis=1)
        y, mu = (part[rows, columns + 1] - part[rows, columns] for part in (self.observed, self.expected))
        silent = y < k.OVERWHELMING_RATIO * mu
        return Exceedances(rows[silent], columns[silent], np.full(int(silent.sum()), np.inf))

    def _plainly(self, width: int, who: Learners, alpha: Floats) -> tuple[Floats, Floats, ClassTail]:
        """(alpha [N], unrest [N], tail) of those that are also judged without the common mode."""
        chosen = np.flatnonzero(who.plain)
        seen = self.windows(width, chosen, 1, References.none(len(chosen)))
        bare, restless = alpha.copy(), np.ones(len(alpha))
        bare[chosen] = np.maximum(raw_alpha(seen.y, seen.mu, seen.day), alpha[chosen])
        part = np.flatnonzero(who.judged[chosen])
        found = seen.tail(part, bare[chosen[part]], who, worst_day=True)
        restless[chosen[part]] = found.unrest
        return bare, restless, replace(found, noted=found.noted.of(chosen))

    def windows(self, width: int, chosen: Ints, step: int, references: References) -> Seen:
        """Windows of the slices `chosen` [n], every `step` buckets, the newest among them."""
        last = np.arange(len(self.day) - 1, width - 2, -step, dtype=np.int64)[::-1]
        y, mu = np.empty((2, len(chosen), len(last)), dtype=np.float32)
        for block in blocks(len(chosen)):
            rows = chosen[block]
            mu[block] = _sums(self.expected[rows], last, width) * self.levels[rows][:, last + 1 - width]
            y[block] = _sums(self.observed[rows], last, width)
            y[block][np.isnan(mu[block])] = np.nan
            if self.known is not None:
                y[block][_sums(self.known[rows], last, width) < width] = np.nan
        common = references.spread(references.common(y, mu))
        return Seen(y, mu, common, self.day[last], self.young[chosen][:, last], last)


def _sums(cumulated: NDArray[Any], last: Ints, width: int) -> NDArray[Any]:
    return np.asarray(cumulated[:, last + 1] - cumulated[:, last + 1 - width])


def judged_past(
    values: Singles, cube: Singles, table: Ints, starts: Ints, *, young: Bools, span: int, grid: Grid
) -> Past:
    """The past of slices `values` [N, T], the same as `cube` [N, weeks, positions]; levels are of `span` buckets."""
    day = (grid.local(starts) - int(grid.local(starts[:1])[0])) // DAY
    shape = len(values), len(starts) + 1
    observed, expected, levels = np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.float32)
    known: NDArray[np.int32] | None = None
    whole = np.arange(shape[1], dtype=np.int32)
    total: Floats | None = None
    for rows in blocks(len(values)):
        normal = _of_other_weeks(cube[rows], table, len(starts), grid)
        here = ~(np.isnan(values[rows]) | np.isnan(normal))
        seen, every = values[rows], bool(here.all())
        if not every:
            seen, normal = np.where(here, seen, np.nan), np.where(here, normal, np.nan)
            known = np.tile(whole, (shape[0], 1)) if known is None else known
            known[rows] = cumulate(here.astype(float))
        observed[rows], expected[rows] = cumulate(seen, whole=every), cumulate(normal, whole=every)
        capped = cumulate(cap_spikes(seen, normal, 0.02), whole=every)
        found, total = _levels(capped, expected[rows], total, span, daily=grid.daily)
        there = whole[None] if every or known is None else known[rows]
        levels[rows] = np.where(before(there, span) >= span / 2, found, np.nan)
    return Past(observed, expected, known, levels, young, day.astype(np.int64), grid)


def _levels(capped: Floats, expected: Floats, total: Floats | None, span: int, *, daily: bool) -> tuple[Floats, Floats]:
    """(levels [n, T + 1], that of the total [1, T + 1]); the total is the first row of all and has no prior."""
    sums, normal = before(capped, span), before(expected, span)
    if total is None:
        total = level(sums[:1], normal[:1])
    recent = level(sums, normal, total)
    if daily:
        return recent, total
    return tempered(recent, _shifted(recent, span, 1.0), _shifted(normal, span, 0.0)), total


def _shifted(values: Floats, span: int, first: float) -> Floats:
    """[n, T + 1]: what stood `span` buckets earlier, `first` where that is before the history."""
    out = np.full(values.shape, first)
    out[:, span:] = values[:, : max(values.shape[1] - span, 0)]
    return out


def _of_other_weeks(cube: Singles, table: Ints, columns: int, grid: Grid) -> Singles:
    """[n, T]: seasonal mean of the weeks that a bucket is not in."""
    expected = np.full((len(cube), columns), np.nan, dtype=cube.dtype)
    for week in range(cube.shape[1]):
        mean = seasonal_mean(np.delete(cube, week, axis=1), grid.per_day)
        filled = table[week] >= 0
        expected[:, table[week][filled]] = mean[:, filled]
    return expected


@dataclass(frozen=True)
class ClassTail:
    """What windows of one width and class teach: what surprises [n] are divided by, and their tail."""

    unrest: Floats
    tail: Tail
    noted: Exceedances
    outages: Exceedances


@dataclass(frozen=True)
class Seen:
    """Windows of one width: y, mu [N, K], day and last bucket of each [K], who was young [N, K].

    `common` is the common mode that each slice follows, [N, K], or [1, K] where all follow the same.
    """

    y: Singles
    mu: Singles
    common: Floats
    day: Ints
    young: Bools
    last: Ints

    def around(self, rows: slice | Ints, *, excused: bool = False) -> tuple[Singles, Singles]:
        """(y, mu) [n, K] of some slices around the common mode, or only as far as that excuses a fall."""
        common = self.common if len(self.common) == 1 else self.common[rows]
        usable = contrastable(common)
        y = self.y[rows] if usable.all() else np.where(usable, self.y[rows], np.nan)
        around = excuse(common, down=True) if excused else common
        return y, self.mu[rows] * around.astype(np.float32)

    def tail(self, part: Ints, alpha: Floats, who: Learners, *, worst_day: bool) -> ClassTail:
        """What the slices `part` [n] of one class show.

        What is left around the common mode is some slice's own past incident: then the `worst_day` is left out. What
        moves everything (weather) comes again, and the test without the common mode has to bear it.
        """
        found = np.empty((len(part), len(self.day)), dtype=np.float32)
        high, gone = np.empty(len(part)), np.zeros(found.shape, dtype=bool)
        for rows in blocks(len(part)):
            y, mu = self.around(part[rows], excused=True)
            found[rows] = surprises(y, mu, alpha[rows])
            high[rows] = _high(found[rows], self.day)
            once = past_outages(found[rows], y, mu, self.day)
            gone[rows] = once & overwhelming(found[rows], y, mu)
            found[rows][self.young[part[rows]] | once] = np.nan
        unrest = _unrest(high)
        found /= unrest[:, None]
        if not found.size:
            return ClassTail(unrest, NOMINAL, Exceedances.together([]), Exceedances.together([]))
        usual = found if worst_day else found[:, ~_worst_day(found, self.day)]
        tail = fit_tail(usual[~np.isnan(usual)])
        where, at = np.nonzero(gone)
        outages = Exceedances(part[where], self.last[at], np.full(len(where), np.inf))
        return ClassTail(unrest, tail, self._noted(found, tail, part, who), outages)

    def _noted(self, found: Singles, tail: Tail, part: Ints, who: Learners) -> Exceedances:
        """Windows of surprise `found` [n, K] that were large enough to be told."""
        rows, at = np.nonzero(found >= tail.needed(TOLD_NATS))
        y, mu = self.y[part[rows], at], self.mu[part[rows], at]
        told = (mu - y >= who.min_change * mu) & (mu - y >= who.min_loss)
        rows, at = rows[told], at[told]
        nats = -np.log(tail.survival(found[rows, at].astype(float)))
        return Exceedances(part[rows], self.last[at], nats)


def surprises(y: Singles, mu: Singles, alpha: Floats) -> Singles:
    """-ln P(NB <= y) [n, K]: exact from three nats on, `ORDINARY` where it may be less; NaN where y is unknown."""
    wide = 1.0 + alpha[:, None].astype(mu.dtype) * mu
    # How far below the mean three nats begin at the least: 1.58 sd for a wide hump, .945 of the mean for a steep slope.
    least = np.minimum(1.58 * np.sqrt(mu * wide) - 0.65 * wide, 0.945 * mu)
    out = np.where(np.isnan(y), np.nan, ORDINARY).astype(y.dtype)
    with np.errstate(invalid="ignore"):
        cells = np.flatnonzero(mu - y >= least)
    exact = lower_tail(y.ravel()[cells].astype(float), mu.ravel()[cells].astype(float), alpha[cells // y.shape[1]])
    out.ravel()[cells] = -np.log(exact)
    return out


def _unrest(high: Floats) -> Floats:
    """By how much each slice's surprises have to be divided to be no wilder than those of its class, [n].

    A slice that ramps up or fades out surprises all the time: it pays for that itself, not its class.
    """
    usual = float(np.median(high[high > 0])) if (high > 0).any() else 1.0
    return np.asarray(np.maximum(high / (k.UNREST_TOLERANCE * max(usual, NOTABLE)), 1.0))


def _high(found: Singles, day: Ints) -> Floats:
    """The largest surprise of each row [n, K] outside its own worst episode, which may be a past incident; [n]."""
    bounds = np.flatnonzero(np.diff(day, prepend=-1))
    by_day = np.add.reduceat(np.fmax(found - NOTABLE, 0.0), bounds, axis=1)
    worst = np.unique(day)[np.argmax(by_day, axis=1)][:, None]
    return np.asarray(np.fmax.reduce(np.where(np.abs(day - worst) <= k.OUTAGE_DAYS, 0.0, found), axis=1, initial=0.0))


def overwhelming(found: Singles, y: Singles, mu: Singles) -> Bools:
    """bool[n, K]: where next to nothing came, and that cannot be chance."""
    with np.errstate(invalid="ignore"):
        return np.asarray((found > -np.log(k.OVERWHELMING_P)) & (y < k.OVERWHELMING_RATIO * mu))


def past_outages(found: Singles, y: Singles, mu: Singles, day: Ints) -> Bools:
    """bool[n, K]: the days around an overwhelming loss [n, K] that a slice had once and not again.

    Nobody flagged it, and it says nothing about noise. What comes again is the slice's nature and stays.
    """
    gone = overwhelming(found, y, mu)
    out = np.zeros(found.shape, dtype=bool)
    for row in np.flatnonzero(gone.any(axis=1)):
        days = np.unique(day[gone[row]])
        if days[-1] - days[0] <= k.OUTAGE_DAYS:
            out[row] = (day >= days[0]) & (day <= days[-1])
    return out


def _worst_day(found: Singles, day: Ints) -> Bools:
    """bool[K]: the day of largest surprise beyond the ordinary."""
    by_day = np.bincount(day, weights=np.fmax(found - NOTABLE, 0.0).sum(axis=0))
    return np.asarray(day == int(np.argmax(by_day)))
