"""Learning from history: seasonal mean, dispersion, calibration and threshold of every slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import DAY, WEEK, Grid
from monitor.detectors.budget import FIRST_THRESHOLD, earned, threshold_of
from monitor.detectors.episodes import Exceedances, peaks
from monitor.detectors.fit import FULL_STAGE, WEEKLY_STAGE, Fit, Means, from_begin, level_span, windows_of
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.past import Learned, Learners, Past, judged_past
from monitor.lattice import Lattice
from monitor.statistics import constants as k
from monitor.statistics.blocks import LARGE, blocks
from monitor.statistics.calibration import NOMINAL, Tail
from monitor.statistics.common_mode import References
from monitor.statistics.cutoff import cutoffs, uncertain
from monitor.statistics.seasonal import by_week, seasonal_mean, week_columns

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

PART = 20_000
"""Slices learned at a time: what they share is taken from so many, spread over all volumes, and memory is bounded."""


def fit(lattice: Lattice, history: LeafSeries, as_of: int, context: Context, *, part: int = PART) -> Fit:
    """Learn from the leaf history before `as_of` (values [S, T], consecutive buckets), `part` slices at a time.

    What was lost in it once and overwhelmingly was an outage that nobody flagged: it is flagged, and all learned again.
    """
    begin = _begin(history, as_of)
    history = from_begin(history, begin)
    found, outages = _fit(lattice, history, as_of, context, begin, part)
    if not outages.any():
        return found
    cleaned = replace(history, flagged=history.flagged | outages)
    return _fit(lattice, cleaned, as_of, context, begin, part)[0]


def _fit(
    lattice: Lattice, history: LeafSeries, as_of: int, context: Context, begin: int, part: int
) -> tuple[Fit, Bools]:
    """What is learned, and the cells [S, T] of outages that were found on the way."""
    grid, stage = context.grid, _stage(history, as_of)
    table = _weeks(history, as_of, grid)
    leaf_mean = _leaf_mean(history, table, grid, weekly=stage >= WEEKLY_STAGE)
    held_back = cutoffs(lattice.leaves.codes, history.values)
    leaf_values = _impute(history, leaf_mean, grid)
    if held_back.any():
        leaf_values = uncertain(leaf_values, leaf_mean[:, grid.position(history.starts)], held_back)
    mean = _slice_mean(lattice, leaf_values, table, grid, part, weekly=stage >= WEEKLY_STAGE)

    eligible = _eligible(lattice, history, as_of, context) if stage > 0 else (lattice.size == 0) | context.expected
    eligible &= ~context.ignored
    volume = mean.mean(axis=1, dtype=float)
    edges = _class_edges(volume[eligible])
    who = Learners(
        plain=lattice.size <= 1,
        judged=eligible & (volume > 0),
        references=References.of(lattice.cuboid, np.where(eligible, volume, 0.0), context.region),
        volume=volume,
        classes=np.searchsorted(edges, volume),
        min_change=context.min_change,
        min_loss=context.min_loss,
    )
    windows = windows_of(grid)
    if stage < FULL_STAGE:
        learned = [_wide(len(lattice), len(edges) + 1)] * len(windows)
    else:
        cleaned = Cleaned(lattice, history, leaf_mean, leaf_values, table, grid)
        learned = _learned(cleaned, who, windows, part)
    found = Fit(
        as_of=as_of,
        stage=stage,
        begin=begin,
        windows=windows,
        mean=mean,
        leaf_mean=leaf_mean,
        alpha=np.stack([item.alpha for item in learned], axis=1),
        alpha_plain=np.stack([item.alpha_plain for item in learned], axis=1),
        unrest=np.stack([item.unrest for item in learned], axis=1),
        unrest_plain=np.stack([item.unrest_plain for item in learned], axis=1),
        eligible=eligible,
        plain=who.plain,
        references=who.references,
        tails=tuple(item.tails for item in learned),
        class_edges=edges,
        tails_plain=tuple(item.tail_plain for item in learned),
        threshold=0.0,
        held_back=held_back,
    )
    outages = _cells_of(lattice, history, Exceedances.together([item.outages for item in learned]))
    noted = Exceedances.together([item.noted for item in learned])
    if stage < FULL_STAGE:
        return replace(found, threshold=threshold_of(found, context)), outages
    weeks = (len(history.starts) - level_span(grid)) / grid.positions
    tops = peaks(noted, lattice.codes, max(windows))
    return replace(found, threshold=earned(threshold_of(found, context), tops, weeks, context)), outages


def _cells_of(lattice: Lattice, history: LeafSeries, outages: Exceedances) -> Bools:
    """bool[S, T]: leaves and buckets of outages."""
    inside = np.zeros(history.values.shape, dtype=bool)
    for row in np.unique(outages.rows):
        columns = np.unique(outages.columns[outages.rows == row])
        inside[np.ix_(lattice.incidence[[int(row)]].indices, columns)] = True
    return inside


def _weeks(history: LeafSeries, as_of: int, grid: Grid) -> Ints:
    """int64[weeks, positions]: the column of each place of each week before `as_of`, -1 where there is none."""
    local_as_of = int(grid.local(np.array([as_of]))[0])
    age = (local_as_of - 1 - grid.local(history.starts)) // WEEK
    return week_columns(
        age, grid.position(history.starts), k.WEEKS_DAILY if grid.daily else k.WEEKS_HOURLY, grid.positions
    )


def _slice_mean(lattice: Lattice, leaf_values: Floats, table: Ints, grid: Grid, part: int, *, weekly: bool) -> Means:
    """[N, positions]: seasonal mean of each slice, `part` slices at a time."""
    mean = np.empty((len(lattice), grid.positions), dtype=np.float32)
    for stretch in blocks(len(lattice), part):
        mean[stretch] = seasonal_mean(by_week(lattice.rollup(leaf_values, stretch), table), grid.per_day, weekly=weekly)
    return mean


def _wide(slices: int, classes: int) -> Learned:
    """What is assumed before there is enough to learn from: nothing is certain, p is taken at its word."""
    cold, calm = np.full(slices, k.COLD_ALPHA), np.ones(slices)
    return Learned(
        cold, cold, calm, calm, NOMINAL, (NOMINAL,) * classes, Exceedances.together([]), Exceedances.together([])
    )


@dataclass(frozen=True)
class Cleaned:
    """History to learn noise from: flagged cells of `values` [S, T] replaced by what is usual there."""

    lattice: Lattice
    history: LeafSeries
    leaf_mean: Means
    values: Floats
    table: Ints
    grid: Grid

    def past(self, rows: Ints) -> Past:
        """The past of some slices [n], the total first."""
        starts, values = self.history.starts, self.lattice.rollup(self.values, rows).astype(np.float32)
        young, cube = _learning(values, starts), by_week(values, self.table)
        unborn = young & ~np.logical_or.accumulate(values > 0, axis=1)
        unsuited = _mostly_flagged(self.lattice, self.history, self.leaf_mean, self.grid, rows) | unborn
        honest = np.where(unsuited, np.nan, values) if unsuited.any() else values
        return judged_past(honest, cube, self.table, starts, young=young, span=level_span(self.grid), grid=self.grid)


def _learned(cleaned: Cleaned, who: Learners, windows: Sequence[int], part: int) -> list[Learned]:
    """What each width of window teaches of all slices, learned in parts."""
    parts = parts_of(who.volume, who.plain | who.references.every, part)
    by_part = []
    for rows in (some.rows for some in parts):
        past, own = cleaned.past(rows), who.of(rows)
        by_part.append([past.learn(width, own) for width in windows])
    return [_together(parts, found, len(who.volume)) for found in zip(*by_part, strict=True)]


def _begin(history: LeafSeries, as_of: int) -> int:
    """Start of the first bucket with any event; `as_of` where there is none."""
    alive = np.flatnonzero((history.values > 0).any(axis=0))
    return int(history.starts[alive[0]]) if len(alive) else as_of


def _stage(history: LeafSeries, as_of: int) -> int:
    known = ~np.isnan(history.values).all(axis=0) if len(history.values) else np.zeros(0, dtype=bool)
    if not known.any():
        return 0
    days = (as_of - int(history.starts[known][0])) / DAY
    return int(sum(days >= edge for edge in k.STAGE_DAYS))


def _impute(history: LeafSeries, leaf_mean: Means, grid: Grid) -> Floats:
    """Flagged cells replaced by the leaf's seasonal mean, so that an outage does not become normal."""
    if not history.flagged.any():
        return history.values
    return np.where(history.flagged, leaf_mean[:, grid.position(history.starts)], history.values)


def _leaf_mean(history: LeafSeries, table: Ints, grid: Grid, *, weekly: bool) -> Means:
    """[S, positions]: seasonal mean of each leaf, flagged cells left out."""
    mean = np.empty((len(history.values), grid.positions), dtype=np.float32)
    for rows in blocks(len(mean), LARGE):
        cells = np.where(history.flagged[rows], np.nan, history.values[rows])
        mean[rows] = seasonal_mean(by_week(cells, table), grid.per_day, weekly=weekly)
    return mean


@dataclass(frozen=True)
class Part:
    """Slices that are learned together: `rows` [n] of the lattice, those at `own` [m] of it for themselves.

    The others are the total, the one-dimensional slices and the references, which every part looks at.
    """

    rows: Ints
    own: Ints


def parts_of(volume: Floats, shared: Bools, part: int) -> list[Part]:
    """All slices in parts of about `part`, each of them spread evenly over all volumes."""
    count = -(-len(volume) // part)
    # Where those that all look at are many, each part has enough of them by itself.
    seen_by_all = np.flatnonzero(shared) if shared.sum() <= part // 4 else np.zeros(0, dtype=np.int64)
    order = np.argsort(volume, kind="stable")
    found = []
    for first in range(count):
        own = np.sort(order[first::count])
        rows = np.unique(np.concatenate([[0], seen_by_all, own]))
        found.append(Part(rows, np.searchsorted(rows, own)))
    return found


def _together(parts: Sequence[Part], learned: Sequence[Learned], slices: int) -> Learned:
    """What was learned in parts: each slice's own, and of the tails of each class the middle one."""
    if len(parts) == 1:
        return learned[0]
    alpha, alpha_plain, unrest, unrest_plain = own = np.zeros((4, slices))
    for part, found in zip(parts, learned, strict=True):
        table = np.stack([found.alpha, found.alpha_plain, found.unrest, found.unrest_plain])
        own[:, part.rows[part.own]] = table[:, part.own]
    noted, outages = (
        Exceedances.together(
            [
                getattr(found, name).only(np.isin(np.arange(len(part.rows)), part.own)).of(part.rows)
                for part, found in zip(parts, learned, strict=True)
            ]
        )
        for name in ("noted", "outages")
    )
    tails = zip(*(found.tails for found in learned), strict=True)
    plain = _middle([found.tail_plain for found in learned])
    return Learned(alpha, alpha_plain, unrest, unrest_plain, plain, tuple(map(_middle, tails)), noted, outages)


def _middle(tails: Sequence[Tail]) -> Tail:
    """The tail that stands in the middle by how far out it reaches an ordinary threshold."""
    return sorted(tails, key=lambda tail: tail.needed(FIRST_THRESHOLD))[len(tails) // 2]


def _mostly_flagged(lattice: Lattice, history: LeafSeries, leaf_mean: Means, grid: Grid, rows: Ints) -> Bools:
    """[n, T]: cells of which more than a twentieth is imputed: what was filled in teaches nothing about noise."""
    some = np.flatnonzero(history.flagged.any(axis=1))
    if not len(some):
        return np.zeros((len(rows), len(history.starts)), dtype=bool)
    place = grid.position(history.starts)
    filled = np.where(history.flagged[some], leaf_mean[some][:, place], 0.0)
    usual = lattice.rollup(leaf_mean, rows)
    return np.asarray(lattice.incidence[rows][:, some] @ filled > 0.05 * usual[:, place])


def _learning(values: NDArray[Any], starts: Ints) -> Bools:
    """[N, T]: the first days of slices born within the history: they ramp up, and are not judged then either."""
    alive = values > 0
    born = np.where(alive.any(axis=1), starts[np.argmax(alive, axis=1)], np.iinfo(np.int64).max // 2)
    young = born >= born.min() + k.ESTABLISHED_DAYS * DAY
    return np.asarray(young[:, None] & (starts[None, :] < born[:, None] + k.LEARNING_DAYS * DAY))


def _eligible(lattice: Lattice, history: LeafSeries, as_of: int, context: Context) -> Bools:
    """[N]: seen for 14 days, or since the first days of the history, or expected."""
    known = np.flatnonzero(~np.isnan(history.values).all(axis=0))
    if not len(known):
        return context.expected.copy()
    any_event = history.values > 0
    first = history.starts[np.argmax(any_event, axis=1)].astype(float)
    begin = int(history.starts[known[0]])
    learned = max(as_of - k.LEARNING_DAYS * DAY, begin + k.ESTABLISHED_DAYS * DAY)
    oldest = _min_by_slice(lattice, np.where(any_event.any(axis=1), first, np.inf))
    return np.asarray((oldest <= learned) | context.expected)


def _min_by_slice(lattice: Lattice, leaf_values: Floats) -> Floats:
    """Smallest leaf value under each slice, [N]."""
    matrix = lattice.incidence
    return np.minimum.reduceat(leaf_values[matrix.indices], matrix.indptr[:-1])


def _class_edges(volume: Floats) -> Floats:
    """Class borders by quantiles of volume; one class where slices are few."""
    volume = volume[volume > 0]
    classes = min(k.CALIBRATION_CLASSES, max(1, len(volume) // 40))
    return np.unique(np.quantile(volume, np.arange(1, classes) / classes)) if classes > 1 else np.zeros(0)
