"""What history teaches about every slice: seasonal mean, dispersion, calibration and threshold."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from monitor.buckets import DAY, WEEK, Grid
from monitor.detectors.model import Context, LeafSeries
from monitor.lattice import Lattice
from monitor.statistics import constants as k
from monitor.statistics.blocks import LARGE, blocks
from monitor.statistics.calibration import NOMINAL, Tail, fit_tail
from monitor.statistics.common_mode import common_mode, contrastable, excuse, reference_rows
from monitor.statistics.cutoff import cutoffs, uncertain
from monitor.statistics.dispersion import raw_alpha, shrink
from monitor.statistics.level import cap_spikes, cumulate, level, tempered, trailing_sums, window_sums
from monitor.statistics.negbin import lower_tail, silence
from monitor.statistics.seasonal import by_week, seasonal_mean, week_columns
from rules.model import Bound, Bounds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Means = NDArray[np.floating[Any]]
"""float32, half the memory of `Floats`: sums of them are to be taken as float64."""


FULL_STAGE = 3
"""From four weeks of history on everything is learned; before, dispersion is assumed wide."""
FEW = 16
"""So many of a row's largest values are found one by one, sooner than by sorting it."""
PART = 20_000
"""Slices learned at a time: what they share is taken from so many, spread over all volumes, and memory is bounded."""
FIRST_THRESHOLD = 12.0
"""Surprise from which the fixed point of the budget starts."""
CODES_PER_OCTAVE = 2_048
"""Seasonal means are stored in 16 bits, to within 0.02 % of 1 + mean."""


def windows_of(grid: Grid) -> tuple[int, ...]:
    """Window widths in buckets: 1, 3, 6, 24 h for hours; 1, 2, 3, 7 for days; 5 min to 24 h for less."""
    if grid.daily:
        return (1, 2, 3, 7)
    spans = (
        (grid.seconds, 3 * grid.seconds, 3600, 6 * 3600, DAY)
        if grid.seconds < 3600
        else (grid.seconds, 3 * 3600, 6 * 3600, DAY)
    )
    return tuple(sorted({max(1, span // grid.seconds) for span in spans}))


def level_span(grid: Grid) -> int:
    """Buckets that a slice's level is taken from."""
    return k.LEVEL_DAYS if grid.daily else k.LEVEL_HOURS * 3600 // grid.seconds


@dataclass(frozen=True)
class Fit:
    """All that judging a tick needs besides the last few days of counts."""

    as_of: int
    """Epoch seconds: history before it was used."""
    stage: int
    """0: only total silence; 1: time of day; 2: weekday and weekend; 3: full."""
    begin: int
    """Start of the first bucket with any event: before it the table was not there, which is no outage."""
    windows: tuple[int, ...]
    mean: Means
    """[N, positions]"""
    leaf_mean: Means
    """[S, positions]"""
    alpha: Floats
    """[N, W], around the common mode"""
    alpha_plain: Floats
    """[N, W], without it"""
    unrest: Floats
    """[N, W], at least 1: what surprises are divided by before they are calibrated, around the common mode"""
    unrest_plain: Floats
    """[N, W], without it"""
    eligible: Bools
    """[N]: old enough to be judged"""
    plain: Bools
    """[N]: also judged without the common mode"""
    references: Bools
    """[N]: slices the common mode is taken from"""
    tails: tuple[tuple[Tail, ...], ...]
    """[W][class of volume]"""
    class_edges: Floats
    """[classes - 1]: mean volume a bucket that parts the classes"""
    tails_plain: tuple[Tail, ...]
    threshold: float
    held_back: Floats
    """[S]: up to this count a leaf's silence may be suppression; 0 where silence is zero"""
    bounds: Bounds | None = None
    """Set where fixed bounds judge: then what is expected stands as it is, without a level."""

    @cached_property
    def volume(self) -> Floats:
        """[N]: mean events a bucket of each slice."""
        return np.asarray(self.mean.mean(axis=1, dtype=float))

    @cached_property
    def leaf_volume(self) -> Floats:
        """[S]: mean events a bucket of each leaf."""
        return np.asarray(self.leaf_mean.mean(axis=1, dtype=float))

    @cached_property
    def _classes(self) -> NDArray[np.int64]:
        return np.asarray(np.searchsorted(self.class_edges, self.volume), dtype=np.int64)

    def volume_class(self) -> NDArray[np.int64]:
        """int64[N]: class of each slice."""
        return self._classes

    def to_bytes(self) -> bytes:
        """Compressed, stable bytes; equal fits give equal bytes."""
        buffer = io.BytesIO()
        tails = np.array([[_row(t) for t in row] for row in self.tails]).reshape(len(self.windows), -1, 4)
        np.savez(
            buffer,
            head=np.array([self.as_of, self.stage, self.begin]),
            windows=np.array(self.windows),
            # A fixed bound is compared with what was counted, to the last event.
            mean=_coded(self.mean) if self.bounds is None else self.mean.astype(np.float32),
            leaf_mean=_coded(self.leaf_mean),
            alpha=self.alpha.astype(np.float32),
            alpha_plain=self.alpha_plain.astype(np.float32),
            unrest=np.stack([self.unrest, self.unrest_plain]).astype(np.float32),
            marks=np.stack([self.eligible, self.plain, self.references]),
            tails=tails,
            edges=self.class_edges,
            tails_plain=np.array([_row(t) for t in self.tails_plain]),
            threshold=np.array(self.threshold),
            held_back=self.held_back.astype(np.float32),
            bounds=_packed(self.bounds),
        )
        return zstandard.compress(buffer.getbuffer(), 3)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Fit:
        """The inverse of `to_bytes`, up to what fewer bits kept."""
        with np.load(io.BytesIO(zstandard.decompress(blob))) as part:
            as_of, stage, begin = (int(v) for v in part["head"])
            marks = part["marks"]
            return cls(
                as_of=as_of,
                stage=stage,
                begin=begin,
                windows=tuple(int(w) for w in part["windows"]),
                mean=_decoded(part["mean"]),
                leaf_mean=_decoded(part["leaf_mean"]),
                alpha=part["alpha"].astype(float),
                alpha_plain=part["alpha_plain"].astype(float),
                unrest=part["unrest"][0].astype(float),
                unrest_plain=part["unrest"][1].astype(float),
                eligible=marks[0],
                plain=marks[1],
                references=marks[2],
                tails=tuple(tuple(Tail(*(float(v) for v in t)) for t in row) for row in part["tails"]),
                class_edges=part["edges"],
                tails_plain=tuple(Tail(*(float(v) for v in t)) for t in part["tails_plain"]),
                threshold=float(part["threshold"]),
                held_back=part["held_back"].astype(float),
                bounds=_unpacked(part["bounds"]),
            )

    def stored(self) -> Fit:
        """As it will be after a restart: judging uses this form only, so that a restart changes no verdict."""
        return Fit.from_bytes(self.to_bytes())


def _row(tail: Tail) -> tuple[float, float, float, float]:
    return (tail.start, tail.rate, tail.scale, tail.shape)


def _coded(mean: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Means as 16 bits each, evenly spread over the logarithm of 1 + mean; up to four billion."""
    out = np.empty(mean.shape, dtype=np.uint16)
    for rows in blocks(len(mean), LARGE):
        codes = np.rint(CODES_PER_OCTAVE * np.log2(1.0 + mean[rows].astype(float)))
        # What was ever seen stays above nothing.
        out[rows] = np.clip(codes, mean[rows] > 0, np.iinfo(np.uint16).max)
    return out


def _decoded(codes: NDArray[Any]) -> Means:
    """The inverse of `_coded`; means stored as they are come back as they are."""
    if codes.dtype != np.uint16:
        return codes
    table = np.exp2(np.arange(2**16) / CODES_PER_OCTAVE) - 1.0
    return np.asarray(table.astype(np.float32)[codes])


def _packed(bounds: Bounds | None) -> Floats:
    """[0] for none, else [2, 2]: value and whether it is a share of last week, of low and high; NaN is no bound."""
    if bounds is None:
        return np.zeros(0)
    parts = (bounds.low, bounds.high)
    return np.array([[np.nan, 0.0] if part is None else [part.value, part.of_last_week] for part in parts])


def _unpacked(packed: Floats) -> Bounds | None:
    if not packed.size:
        return None
    return Bounds(*(None if np.isnan(value) else Bound(float(value), bool(share)) for value, share in packed))


def fit(lattice: Lattice, history: LeafSeries, as_of: int, context: Context, *, part: int = PART) -> Fit:
    """Learn from the leaf history before `as_of` (values [S, T], consecutive buckets), `part` slices at a time."""
    begin = _begin(history, as_of)
    history = from_begin(history, begin)
    grid = context.grid
    weeks = k.WEEKS_DAILY if grid.daily else k.WEEKS_HOURLY
    local_as_of = int(grid.local(np.array([as_of]))[0])
    age = (local_as_of - 1 - grid.local(history.starts)) // WEEK
    table = week_columns(age, grid.position(history.starts), weeks, grid.positions)
    stage = _stage(history, as_of)
    weekly = stage >= 2

    leaf_mean = _leaf_mean(history, table, grid, weekly=weekly)
    held_back = cutoffs(lattice.leaves.codes, history.values)
    leaf_values = _impute(history, leaf_mean, grid)
    if held_back.any():
        leaf_values = uncertain(leaf_values, leaf_mean[:, grid.position(history.starts)], held_back)
    mean = np.empty((len(lattice), grid.positions), dtype=np.float32)
    for stretch in blocks(len(lattice), part):
        cube = by_week(lattice.rollup(leaf_values, stretch), table)
        mean[stretch] = seasonal_mean(cube, grid.per_day, weekly=weekly)
    volume = mean.mean(axis=1, dtype=float)

    windows = windows_of(grid)
    plain = lattice.size <= 1
    eligible = _eligible(lattice, history, as_of, context) if stage > 0 else (lattice.size == 0) | context.expected
    eligible &= ~context.ignored
    references = reference_rows(lattice.cuboid, np.where(eligible, volume, 0.0))
    edges = _class_edges(volume[eligible])
    classes = np.searchsorted(edges, volume)
    if stage < FULL_STAGE:
        cold, calm = np.full(len(lattice), k.COLD_ALPHA), np.ones(len(lattice))
        learned = [Learned(cold, cold, calm, calm, (NOMINAL,) * (len(edges) + 1), NOMINAL) for _ in windows]
    else:
        by_part: list[list[Learned]] = []
        parts = parts_of(volume, plain | references, part)
        for rows in (some.rows for some in parts):
            values = lattice.rollup(leaf_values, rows)
            young, cube = _learning(values, history.starts), by_week(values, table)
            unborn = young & ~np.logical_or.accumulate(values > 0, axis=1)
            unsuited = _mostly_flagged(lattice, history, leaf_mean, grid, rows) | unborn
            honest = np.where(unsuited, np.nan, values)
            past = _replay(honest, cube, table, history.starts, references[rows], young, grid)
            own = plain[rows], volume[rows], eligible[rows], classes[rows]
            by_part.append([past.learn(width, *own, grid) for width in windows])
        learned = [_together(parts, found, len(lattice)) for found in zip(*by_part, strict=True)]
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
        plain=plain,
        references=references,
        tails=tuple(item.tails for item in learned),
        class_edges=edges,
        tails_plain=tuple(item.tail_plain for item in learned),
        threshold=0.0,
        held_back=held_back,
    )
    threshold = threshold_of(found, context)
    return replace(found, threshold=threshold)


def _begin(history: LeafSeries, as_of: int) -> int:
    """Start of the first bucket with any event; `as_of` where there is none."""
    alive = np.flatnonzero((np.nan_to_num(history.values) > 0).any(axis=0))
    return int(history.starts[alive[0]]) if len(alive) else as_of


def from_begin(series: LeafSeries, begin: int) -> LeafSeries:
    """The series with everything before `begin` unknown: a young table answers with no rows for its unborn days."""
    if not len(series.starts) or series.starts[0] >= begin:
        return series
    return replace(series, values=np.where(series.starts < begin, np.nan, series.values))


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


def _leaf_mean(history: LeafSeries, table: NDArray[np.int64], grid: Grid, *, weekly: bool) -> Means:
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

    rows: NDArray[np.int64]
    own: NDArray[np.int64]


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
    tails = zip(*(found.tails for found in learned), strict=True)
    plain = _middle([found.tail_plain for found in learned])
    return Learned(alpha, alpha_plain, unrest, unrest_plain, tuple(map(_middle, tails)), plain)


def _middle(tails: Sequence[Tail]) -> Tail:
    """The tail that stands in the middle by how far out it reaches an ordinary threshold."""
    return sorted(tails, key=lambda tail: tail.needed(FIRST_THRESHOLD))[len(tails) // 2]


def _mostly_flagged(
    lattice: Lattice, history: LeafSeries, leaf_mean: Means, grid: Grid, rows: NDArray[np.int64]
) -> Bools:
    """[n, T]: cells of which more than a twentieth is imputed: what was filled in teaches nothing about noise."""
    some = np.flatnonzero(history.flagged.any(axis=1))
    if not len(some):
        return np.zeros((len(rows), len(history.starts)), dtype=bool)
    place = grid.position(history.starts)
    filled = np.where(history.flagged[some], leaf_mean[some][:, place], 0.0)
    usual = lattice.rollup(leaf_mean, rows)
    return np.asarray(lattice.incidence[rows][:, some] @ filled > 0.05 * usual[:, place])


def _learning(values: Floats, starts: NDArray[np.int64]) -> Bools:
    """[N, T]: the first days of slices born within the history: they ramp up, and are not judged then either."""
    alive = np.nan_to_num(values) > 0
    born = np.where(alive.any(axis=1), starts[np.argmax(alive, axis=1)], np.iinfo(np.int64).max // 2)
    young = born >= born.min() + k.ESTABLISHED_DAYS * DAY
    return np.asarray(young[:, None] & (starts[None, :] < born[:, None] + k.LEARNING_DAYS * DAY))


def _eligible(lattice: Lattice, history: LeafSeries, as_of: int, context: Context) -> Bools:
    """[N]: seen for 14 days, or since the first days of the history, or expected."""
    known = np.flatnonzero(~np.isnan(history.values).all(axis=0))
    if not len(known):
        return context.expected.copy()
    any_event = np.nan_to_num(history.values) > 0
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


@dataclass(frozen=True)
class Learned:
    """What one width of window teaches: alpha [N] around the common mode and without it, and their tails."""

    alpha: Floats
    alpha_plain: Floats
    unrest: Floats
    unrest_plain: Floats
    tails: tuple[Tail, ...]
    tail_plain: Tail


@dataclass(frozen=True)
class Past:
    """History judged as if live, each week against the other weeks: [N, T] cumulated."""

    observed: Floats
    expected: Floats
    """Seasonal mean of the other weeks, not levelled; cumulated [N, T + 1]."""
    capped: Floats
    known: Floats
    day: NDArray[np.int64]
    references: Bools
    young: Bools
    """[N, T]: the first days of slices born within the history: a slice may learn from them, its class may not."""
    total: int
    span: int
    daily: bool

    def window(self, width: int) -> tuple[Floats, Floats, Floats]:
        """(y, levelled mu [N, T], C [T]) of the windows of one width; NaN where not fully known."""
        y, mu = np.empty((2, len(self.observed), len(self.day)))
        priors = [self._level(width + back, slice(self.total, self.total + 1), 1.0) for back in (0, self.span)]
        for rows in blocks(len(y)):
            y[rows], mu[rows] = self._window(width, rows, priors)
        return y, mu, common_mode(y, mu, self.references)

    def _level(self, width: int, rows: slice, prior: Floats | float) -> Floats:
        before, seasonal = (trailing_sums(part[rows], width, self.span) for part in (self.capped, self.expected))
        return level(before, seasonal, prior)

    def _window(self, width: int, rows: slice, priors: list[Floats]) -> tuple[Floats, Floats]:
        recent, older = (self._level(width + i * self.span, rows, prior) for i, prior in enumerate(priors))
        events = trailing_sums(self.expected[rows], width + self.span, self.span)
        here = recent if self.daily else tempered(recent, older, events)
        mu = window_sums(self.expected[rows], width) * here
        whole = window_sums(self.known[rows], width) >= width
        enough = trailing_sums(self.known[rows], width, self.span) >= self.span / 2
        return np.where(whole & enough, window_sums(self.observed[rows], width), np.nan), mu

    def learn(
        self, width: int, plain: Bools, volume: Floats, eligible: Bools, classes: NDArray[np.int64], grid: Grid
    ) -> Learned:
        """Dispersion and tails of the windows of one width; `classes` [N] is each slice's class of volume."""
        y, mu, common = self.window(width)
        seen = Seen(y, mu, common, self.day)
        independent = len(np.unique(self.day)) * grid.per_day / width
        weight = 2.0 if grid.daily else 1.0
        alpha = shrink(seen.raw_alpha(), volume, independent, weight=weight)
        bare = alpha.copy()
        bare[plain] = np.maximum(raw_alpha(y[plain], mu[plain], self.day), alpha[plain])
        judged = eligible & (volume > 0)
        unrest, unrest_plain = np.ones(len(volume)), np.ones(len(volume))
        tails = []
        for c in range(int(classes.max(initial=0)) + 1):
            part = np.flatnonzero(judged & (classes == c))
            found = seen.surprises(part, alpha[part])
            unrest[part] = _unrest(found, self.day)
            found[self.young[part] | past_outages(found, y[part], mu[part], self.day)] = np.nan
            tails.append(self._tail(found / unrest[part, None], contrast=True))
        part = np.flatnonzero(judged & plain)
        found = surprises(y[part], mu[part], bare[part])
        unrest_plain[part] = _unrest(found, self.day)
        found[self.young[part] | past_outages(found, y[part], mu[part], self.day)] = np.nan
        tail_plain = self._tail(found / unrest_plain[part, None], contrast=False)
        return Learned(alpha, bare, unrest, unrest_plain, tuple(tails), tail_plain)

    def _tail(self, found: Floats, *, contrast: bool) -> Tail:
        """What is left around the common mode is some slice's own past incident: the worst day is left out.

        What moves everything (weather) comes again, and the plain test has to bear it.
        """
        if not found.size:
            return NOMINAL
        if contrast:
            found = np.where(_worst_day(found, self.day), np.nan, found)
        return fit_tail(found[~np.isnan(found)])


@dataclass(frozen=True)
class Seen:
    """Windows of one width beside the common mode: y, mu [N, T], C [T], the day of each [T]."""

    y: Floats
    mu: Floats
    common: Floats
    day: NDArray[np.int64]

    def _around(self, rows: slice | NDArray[np.int64], common: Floats) -> tuple[Floats, Floats]:
        return np.where(contrastable(self.common), self.y[rows], np.nan), self.mu[rows] * common

    def raw_alpha(self) -> Floats:
        """Dispersion [N] around the common mode."""
        found = np.empty(len(self.y))
        for rows in blocks(len(self.y)):
            found[rows] = raw_alpha(*self._around(rows, self.common), self.day)
        return found

    def surprises(self, part: NDArray[np.int64], alpha: Floats) -> Floats:
        """[n, T]: how surprisingly low the windows of the slices `part` [n] were, as far as the common mode excuses."""
        excused = excuse(self.common, down=True)
        found = np.empty((len(part), len(self.common)))
        for rows in blocks(len(part)):
            found[rows] = surprises(*self._around(part[rows], excused), alpha[rows])
        return found


def _unrest(found: Floats, day: NDArray[np.int64]) -> Floats:
    """By how much each slice's surprises [n, T] have to be divided to be no wilder than those of its class; [n].

    A slice that ramps up or fades out surprises all the time: it pays for that itself, not its class. Its own
    worst day is left out, as a past incident would be.
    """
    if not found.size:
        return np.ones(len(found))
    high = np.empty(len(found))
    for rows in blocks(len(found)):
        high[rows] = _high(found[rows], day)
    usual = float(np.median(high[high > 0])) if (high > 0).any() else 1.0
    return np.asarray(np.maximum(high / (k.UNREST_TOLERANCE * usual), 1.0))


def _high(found: Floats, day: NDArray[np.int64]) -> Floats:
    """The largest of each row outside its own worst episode; 0 where nothing is known."""
    bounds = np.flatnonzero(np.diff(day, prepend=-1))
    by_day = np.add.reduceat(np.fmax(found - 3.0, 0.0), bounds, axis=1)
    worst = np.unique(day)[np.argmax(by_day, axis=1)][:, None]
    return np.asarray(np.fmax.reduce(np.where(np.abs(day - worst) <= k.OUTAGE_DAYS, 0.0, found), axis=1, initial=0.0))


def row_quantile(values: Floats, q: float) -> Floats:
    """Quantile `q` [n] of what is known of each row [n, T], meant to be high; 0 where nothing is known."""
    known = np.sum(~np.isnan(values), axis=1)
    place = (1.0 - q) * np.maximum(known - 1, 0)
    above = _largest(values, int(np.ceil(place.max(initial=0.0))) + 1)
    rank, rows = np.floor(place).astype(np.int64), np.arange(len(values))
    upper, lower = above[rows, rank], above[rows, np.minimum(rank + 1, above.shape[1] - 1)]
    part = place - rank
    # Where the place is a rank, what lies below it may not exist.
    step = np.subtract(lower, upper, out=np.zeros(len(values)), where=part > 0)
    return np.where(known > 0, upper + step * part, 0.0)


def _largest(values: Floats, count: int) -> Floats:
    """The `count` largest values [n, count] of each row, falling; -inf where there are fewer."""
    left = np.where(np.isnan(values), -np.inf, values)
    if count > FEW:
        return np.asarray(-np.sort(-left, axis=1)[:, :count])
    rows, found = np.arange(len(left)), np.full((len(left), count), -np.inf)
    for rank in range(min(count, left.shape[1])):
        column = np.argmax(left, axis=1)
        found[:, rank] = left[rows, column]
        left[rows, column] = -np.inf
    return found


def past_outages(found: Floats, y: Floats, mu: Floats, day: NDArray[np.int64]) -> Bools:
    """bool[n, T]: the days around an overwhelming loss [n, T] that a slice had once and not again.

    Nobody flagged it, and it says nothing about noise. What comes again is the slice's nature and stays.
    """
    with np.errstate(invalid="ignore"):
        gone = (found > -np.log(k.OVERWHELMING_P)) & (y < k.OVERWHELMING_RATIO * mu)
    out = np.zeros(found.shape, dtype=bool)
    for row in np.flatnonzero(gone.any(axis=1)):
        days = np.unique(day[gone[row]])
        if days[-1] - days[0] <= k.OUTAGE_DAYS:
            out[row] = (day >= days[0]) & (day <= days[-1])
    return out


def _worst_day(found: Floats, day: NDArray[np.int64]) -> Bools:
    """bool[T]: the day of largest surprise beyond the ordinary."""
    by_day = np.bincount(day, weights=np.fmax(found - 3.0, 0.0).sum(axis=0))
    return np.asarray(day == int(np.argmax(by_day)))


def surprises(y: Floats, mu: Floats, alpha: Floats) -> Floats:
    """-ln P(NB <= y) [n, T]; the exact tail only where a quick bound says that it can matter."""
    spread = np.sqrt(mu + alpha[:, None] * mu * mu)
    low = (mu - y) / np.maximum(spread, 1e-9) > 0.8
    out = np.where(np.isnan(y), np.nan, 0.3)
    cells = np.flatnonzero(low)
    exact = lower_tail(y.ravel()[cells], mu.ravel()[cells], alpha[cells // y.shape[1]])
    out.ravel()[cells] = -np.log(exact)
    return out


def _replay(
    values: Floats,
    cube: Floats,
    table: NDArray[np.int64],
    starts: NDArray[np.int64],
    references: Bools,
    young: Bools,
    grid: Grid,
) -> Past:
    """Judge each week against the mean of the other weeks."""
    day = (grid.local(starts) - int(grid.local(starts[:1])[0])) // DAY
    observed, expected, capped, known = np.empty((4, len(values), len(starts) + 1))
    for rows in blocks(len(values)):
        normal = _of_other_weeks(cube[rows], table, len(starts), grid)
        unknown = np.isnan(values[rows]) | np.isnan(normal)
        seen, normal = np.where(unknown, np.nan, values[rows]), np.where(unknown, np.nan, normal)
        observed[rows], expected[rows], known[rows] = (
            cumulate(seen),
            cumulate(normal),
            cumulate((~unknown).astype(float)),
        )
        capped[rows] = cumulate(cap_spikes(seen, normal, np.full((len(seen), 1), 0.02)))
    return Past(
        observed, expected, capped, known, day.astype(np.int64), references, young, 0, level_span(grid), grid.daily
    )


def _of_other_weeks(cube: Floats, table: NDArray[np.int64], columns: int, grid: Grid) -> Floats:
    """[n, T]: seasonal mean of the weeks that a bucket is not in."""
    expected = np.full((len(cube), columns), np.nan)
    for week in range(cube.shape[1]):
        mean = seasonal_mean(np.delete(cube, week, axis=1), grid.per_day)
        filled = table[week] >= 0
        expected[:, table[week][filled]] = mean[:, filled]
    return expected


def threshold_of(found: Fit, context: Context) -> float:
    """Surprise that the alert budget buys (steps 8 and 9): budget over testable tests a week, a fixed point."""
    rows = np.flatnonzero(found.eligible & (found.volume > 0))
    # Of very many slices every so many-th by volume stands for its neighbours.
    step = -(-len(rows) // PART) or 1
    nats = _silence_surprise(found, rows[np.argsort(found.volume[rows], kind="stable")][::step])
    per_week = context.grid.positions * context.directions * context.metrics
    threshold = FIRST_THRESHOLD
    for _ in range(3):
        testable = step * float((nats >= threshold).sum()) / nats.shape[2] if nats.size else 0.0
        tests = max(testable, 1.0) * per_week
        threshold = float(np.log(tests / context.false_incidents_per_week))
    return max(threshold, 3.0)


def _silence_surprise(found: Fit, rows: NDArray[np.int64]) -> Floats:
    """Calibrated surprise of total silence, [n, W, positions] of the slices `rows`: what makes a slice testable."""
    classes = found.volume_class()
    out = np.zeros((len(rows), len(found.windows), found.mean.shape[1]))
    for w, width in enumerate(found.windows):
        mu = _rolling(found.mean[rows].astype(float), width)
        nats = silence(mu, found.alpha[rows, w][:, None]) / found.unrest[rows, w][:, None]
        for c in range(len(found.class_edges) + 1):
            part = classes[rows] == c
            out[part, w] = -np.log(found.tails[w][c].survival(nats[part]))
    return out


def _rolling(profile: Floats, width: int) -> Floats:
    """Sums of `width` places of the week ending at each, around the clock."""
    width = min(width, profile.shape[1])
    wrapped = np.concatenate([profile[:, profile.shape[1] - width :], profile], axis=1)
    cumulated = np.concatenate([np.zeros((len(profile), 1)), np.cumsum(wrapped, axis=1)], axis=1)
    return np.asarray((cumulated[:, width:] - cumulated[:, :-width])[:, 1:])
