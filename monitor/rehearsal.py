"""A rule over counts in memory, bucket by bucket: what it would have said had other counts come. No store, no source.

The program's own steps (`monitor.judging`), with flags and open incidents handed from one bucket to the next. What was
learned before the first bucket judges all of them: a rehearsal of more than a day does not learn anew at midnight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alerts.model import Incident, State
from monitor.buckets import Times, to_datetime, to_epoch
from monitor.calendars import Calendar
from monitor.context import context_of
from monitor.detectors import open_detector
from monitor.detectors.fit import Fit, from_begin
from monitor.detectors.model import Context, LeafSeries
from monitor.judging import first_needed, judge_bucket
from monitor.lattice import Lattice
from monitor.question import Question
from monitor.watched import Watched
from rules.model import Rule

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """A rule, what it has learned (`fits`, one per metric), and counts [M, S, T] of consecutive buckets `starts` [T].

    Buckets from `begin` (a column) on are judged; those before are the days that levels and windows need.
    """

    rule: Rule
    lattice: Lattice
    fits: tuple[Fit, ...]
    starts: Times
    values: Floats
    begin: int

    @property
    def watched(self) -> Watched:
        return Watched.of(self.rule)

    @cached_property
    def context(self) -> Context:
        """What of the rule the detector may know."""
        return context_of(self.rule, self.lattice, self.watched.grid)

    def rehearse(self, values: Floats) -> Iterator[tuple[Incident, ...]]:
        """Judge the buckets in order over other counts [M, S, T]; yields all incidents so far, as they stand."""
        return _Run(self, values).buckets()


@dataclass
class _Run:
    scene: Scene
    values: Floats
    open: tuple[Incident, ...] = ()
    known: dict[str, Incident] = field(default_factory=dict)

    def buckets(self) -> Iterator[tuple[Incident, ...]]:
        scene, rule = self.scene, self.scene.rule
        self.flagged = np.zeros(self.values.shape[1:], dtype=bool)
        for column in range(scene.begin, len(scene.starts)):
            at = to_datetime(scene.watched.schedule.due(int(scene.starts[column])))
            made = judge_bucket(rule, at, self._questions(column), self.open)
            latest = {i.id: i for i in self.open} | {t.incident.id: t.incident for t in made.transitions}
            self.known |= latest
            self.open = tuple(i for i in latest.values() if i.state is not State.RESOLVED)
            for start, inside in made.flags.items():
                self.flagged[:, np.searchsorted(scene.starts, start)] = inside
            yield tuple(self.known.values())

    def _questions(self, column: int) -> list[Question]:
        scene, rule, grid = self.scene, self.scene.rule, self.scene.watched.grid
        first = int(np.searchsorted(scene.starts, first_needed(grid, int(scene.starts[column]), self.open)))
        part = slice(first, column + 1)
        occasions = Calendar.of(rule).over(grid, scene.lattice.leaves, scene.starts[part])
        return [
            Question(
                rule=rule.name,
                metric=metric.name,
                direction=rule.direction,
                grid=grid,
                lattice=scene.lattice,
                fit=scene.fits[m],
                recent=from_begin(
                    LeafSeries(scene.starts[part], self.values[m][:, part], self.flagged[:, part].copy()),
                    scene.fits[m].begin,
                ),
                open=tuple(i for i in self.open if i.metric == metric.name),
                context=scene.context,
                detector=open_detector(rule.detector, metric.name),
                occasions=occasions,
            )
            for m, metric in enumerate(rule.metrics)
        ]


def place_of(scene: Scene) -> int:
    """The place of the week at which the first judged bucket stands."""
    return int(scene.watched.grid.position(scene.starts[scene.begin : scene.begin + 1])[0])


def first_column(scene_starts: Times, moment: int) -> int:
    """The column of a bucket's start (epoch seconds)."""
    return int(np.searchsorted(scene_starts, moment))


def raised(incidents: tuple[Incident, ...]) -> tuple[Incident, ...]:
    """Those that fired."""
    return tuple(i for i in incidents if i.raised_at is not None)


def buckets_between(scene: Scene, incident: Incident) -> int:
    """Buckets from the first judged one to the one whose evaluation told an incident, both counted."""
    assert incident.raised_at is not None
    told = scene.watched.schedule.newest(to_epoch(incident.raised_at))
    return first_column(scene.starts, told) - scene.begin + 1
