"""`drill`: the loss of one slice after the other, injected into real history and judged as the daemon would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.incidents import FAMILIES, Family
from alerts.model import Incident
from dashboards.drill import Drilled, DrillReport
from monitor import store
from monitor.blindspots import levels_of, sight
from monitor.buckets import to_datetime, to_epoch
from monitor.detectors.fit import level_span, windows_of
from monitor.detectors.model import LeafSeries
from monitor.history import read_series
from monitor.learned import newest
from monitor.rehearsal import Scene, buckets_between, place_of, raised
from monitor.replay import Replay
from rules.model import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SEED = 20_260_304
"""Of the thinning where less than everything is lost: every run of a drill loses the same events."""


class NothingToDrillError(Exception):
    """There is no history to lose anything from; the message says why."""


@dataclass(frozen=True)
class Loss:
    """What is lost: a share of a slice's events, for so many buckets from the scene's first judged one on."""

    share: float
    buckets: int


def scene_of(replay: Replay) -> Scene:
    """The counts and the fit of a replay that has run over the buckets to be judged; raises `NothingToDrillError`."""
    rule, grid = replay.rule, replay.watched.grid
    first = grid.floor(to_epoch(replay.start))
    back = level_span(grid) + 3 * max(windows_of(grid))
    starts = grid.starts(grid.shift(first, -back), to_epoch(replay.end))
    known = newest(replay.state, rule, first)
    if known is None:
        raise NothingToDrillError(f"{rule.name}: no events before {to_datetime(first):%Y-%m-%d %H:%M} UTC")
    with replay.state.read() as tx:
        terms = store.leaves(tx, rule.name).terms
        series = read_series(tx, rule.name, starts, terms, len(rule.metrics), None)
    fits = tuple(item.fit for item in known.learned)
    begin = int(np.searchsorted(starts, first))
    return Scene(rule, known.lattice, fits, starts, np.stack([item.values for item in series]), begin)


def sample(scene: Scene, most: int | None, *, spread: bool = False) -> Ints:
    """int64[n]: slices to lose, heaviest first; at most so many, the heaviest, or evenly spread over all of them.

    Only those that exist at all: with any event in the days that are looked at, and not ignored.
    """
    alive = np.nan_to_num(scene.values[0]).sum(axis=1)
    volume = scene.fits[0].volume
    rows = np.flatnonzero((scene.lattice.rollup(alive) > 0) & (volume > 0) & ~scene.context.ignored)
    rows = rows[np.argsort(-volume[rows], kind="stable")]
    if most is None or most >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)] if spread else rows[:most]


def without(scene: Scene, row: int, loss: Loss) -> Floats:
    """The scene's counts [M, S, T] where a slice loses its share: each event by itself."""
    values = scene.values.copy()
    leaves = scene.lattice.leaves_of(row)
    columns = np.arange(scene.begin, min(scene.begin + loss.buckets, values.shape[2]))
    part = np.ix_(np.arange(len(values)), leaves, columns)
    cells = values[part]
    if loss.share >= 1.0:
        values[part] = np.where(np.isnan(cells), np.nan, 0.0)
        return values
    rng = np.random.default_rng([SEED, row])
    kept = rng.binomial(np.nan_to_num(cells).astype(np.int64), 1.0 - loss.share)
    values[part] = np.where(np.isnan(cells), np.nan, kept)
    return values


@dataclass(frozen=True)
class Drill:
    """Losses over one scene, beside what is told of it as it is."""

    scene: Scene
    loss: Loss

    def run(self, rows: Sequence[int]) -> Iterator[Drilled]:
        """Lose each slice in turn; one report each, in their order."""
        usual, least = self._undisturbed(), self._least()
        for row in rows:
            told = self._told(row, usual)
            yield Drilled(
                slice=self.scene.lattice.slice_of(row),
                usual=float(self.scene.fits[0].volume[row]),
                after=None if told is None else self._delay(told),
                cause=None if told is None else told.cause,
                exact=told is not None and self._exact(row, told),
                foreseen=bool(least[row] <= self.loss.share),
            )

    def _least(self) -> Floats:
        """[N]: the smallest share whose loss is noticed while it lasts, as the blind spots have it."""
        scene, grid = self.scene, self.scene.watched.grid
        before = slice(0, scene.begin)
        values = scene.values[0][:, before]
        recent = LeafSeries(scene.starts[before], values, np.zeros(values.shape, dtype=bool))
        place, age = np.array([place_of(scene)], dtype=np.int64), self.loss.buckets - scene.rule.for_
        levels = levels_of(grid, scene.lattice, scene.fits[0], recent)
        return sight(scene.fits[0], scene.lattice, scene.context, place, (max(age, 1),), levels).at(age)[:, 0]

    def _undisturbed(self) -> frozenset[tuple[str, object]]:
        """What fires anyway: (metric, cause)."""
        *_, last = self.scene.rehearse(self.scene.values)
        return frozenset((i.metric, cause) for i in raised(last) for cause in (i.cause, *(c.slice for c in i.causes)))

    def _told(self, row: int, usual: frozenset[tuple[str, object]]) -> Incident | None:
        """The first incident that tells of the loss; None where none does while it lasts."""
        for incidents in self.scene.rehearse(without(self.scene, row, self.loss)):
            for incident in raised(incidents):
                if (incident.metric, incident.cause) not in usual and self._about(row, incident):
                    return incident
        return None

    def _about(self, row: int, incident: Incident) -> bool:
        """Whether an incident is the loss of a slice: they share half of the smaller one's events."""
        if FAMILIES[incident.kind] is not Family.LOSS:
            return False
        volume = self.scene.fits[0].leaf_volume
        lost = np.zeros(len(volume), dtype=bool)
        lost[self.scene.lattice.leaves_of(row)] = True
        inside = self.scene.lattice.leaves.members(incident.cause)
        shared = float(volume[lost & inside].sum())
        return shared > 0 and shared >= 0.5 * min(float(volume[lost].sum()), float(volume[inside].sum()))

    def _exact(self, row: int, incident: Incident) -> bool:
        inside = np.flatnonzero(self.scene.lattice.leaves.members(incident.cause))
        return np.array_equal(inside, np.sort(self.scene.lattice.leaves_of(row)))

    def _delay(self, incident: Incident) -> timedelta:
        """From the beginning of the loss to the evaluation that told it."""
        return buckets_between(self.scene, incident) * self.scene.rule.time_bucket + self.scene.rule.detection_delay


def report_of(drill: Drill, found: Sequence[Drilled], of: int) -> DrillReport:
    """The report of a finished drill, `of` so many slices that could have been lost."""
    rule = drill.scene.rule
    start = to_datetime(int(drill.scene.starts[drill.scene.begin]))
    lasting = drill.loss.buckets * rule.time_bucket
    return DrillReport(rule.name, str(rule.place), Interval(start, start + lasting), drill.loss.share, of, tuple(found))
