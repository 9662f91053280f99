"""A rule run over counts in memory, bucket by bucket, as the daemon would: the program's own steps, no store.

Refits at local midnight, flags, and open incidents go from one bucket to the next as in `monitor.evaluation`; fits are
used in their stored form. All leaves are known from the start, late data and renames do not occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.model import Change, Incident, State, Transition
from benchmarks.simulator import World
from monitor.buckets import Grid, to_datetime
from monitor.calendars import Calendar
from monitor.context import context_of, ordinary
from monitor.detectors.fit import Fit, from_begin
from monitor.detectors.learn import fit
from monitor.detectors.model import LeafSeries
from monitor.judging import first_needed, judge_bucket
from monitor.lattice import Lattice
from monitor.question import Answer, Question
from rules.model import Rule

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Opened:
    """An incident when it was first told: the column of the bucket judged, and its leaves [S]."""

    incident: Incident
    column: int
    members: Bools


@dataclass(frozen=True)
class Run:
    """What a person would have received, and which slices [N, judged] were alarmed bucket by bucket."""

    opened: tuple[Opened, ...]
    last: tuple[Incident, ...]
    """The same incidents as they stood at the end."""
    alarmed: Bools
    fits: tuple[Fit, ...]
    corrected: tuple[Opened, ...]
    """Threads in which a narrower cause was told: it wakes nobody, and nobody is left with the wrong name."""
    standing: tuple[tuple[Opened, ...], ...]
    """What was open and told after each judged bucket; `column` is that bucket's."""


@dataclass
class Live:
    """One rule over one world."""

    rule: Rule
    world: World
    lattice: Lattice
    open: tuple[Incident, ...] = ()
    known: dict[str, Incident] = field(default_factory=dict)

    @classmethod
    def of(cls, rule: Rule, world: World) -> Live:
        return cls(rule, world, Lattice.of(world.leaves, rule.depth))

    def run(self) -> Run:
        """Judge every bucket from `world.begin` on."""
        self.values = self.world.counts.astype(float)
        self.flagged = np.zeros(self.values.shape, dtype=bool)
        opened: list[Opened] = []
        corrected: list[Opened] = []
        alarmed: list[Bools] = []
        fits: list[Fit] = []
        standing: list[tuple[Opened, ...]] = []
        for column, told, answer in self._buckets(fits):
            news = [(t.change, Opened(t.incident, column, self._members(t.incident))) for t in told]
            opened += [one for change, one in news if change is not Change.NARROWED]
            corrected += [one for change, one in news if change is Change.NARROWED]
            alarmed.append(answer.alarmed)
            firing = (item for item in self.open if item.raised_at is not None)
            standing.append(tuple(Opened(item, column, self._members(item)) for item in firing))
        last = tuple(self.known[item.incident.id] for item in opened)
        return Run(tuple(opened), last, np.stack(alarmed, axis=1), tuple(fits), tuple(corrected), tuple(standing))

    def _members(self, incident: Incident) -> Bools:
        return self.lattice.leaves.members(incident.cause)

    def _told(self, news: Transition) -> bool:
        """Whether somebody is told: of what is new, of another cause, of a thread that explains more than twice what it did."""
        if news.change is not Change.WIDENED:
            return news.change in {Change.OPENED, Change.NARROWED}
        now, before = (abs(one.expected - one.observed) for one in (news.incident, self.known[news.incident.id]))
        return now > 2.0 * before

    def _buckets(self, fits: list[Fit]) -> Iterator[tuple[int, tuple[Transition, ...], Answer]]:
        starts = self.world.starts
        grid = Grid.of(self.rule.time_bucket, self.rule.timezone)
        context = context_of(self.rule, self.lattice, grid)
        calendar, leaves = Calendar.of(self.rule), self.lattice.leaves
        for column in range(self.world.begin, len(starts)):
            bucket = int(starts[column])
            as_of = bucket if grid.daily else grid.midnight(bucket)
            if not fits or fits[-1].as_of != as_of:
                first = int(np.searchsorted(starts, as_of - int(self.rule.lookback.total_seconds())))
                history = self._series(first, int(np.searchsorted(starts, as_of)))
                history = ordinary(history, calendar.over(grid, leaves, history.starts))
                fits.append(fit(self.lattice, history, as_of, context).stored())
            first = int(np.searchsorted(starts, first_needed(grid, bucket, self.open)))
            recent = self._series(first, column + 1)
            at = to_datetime(grid.end(bucket))
            question = Question(
                rule=self.rule.name,
                metric=self.rule.metrics[0].name,
                direction=self.rule.direction,
                grid=grid,
                lattice=self.lattice,
                fit=fits[-1],
                recent=from_begin(recent, fits[-1].begin),
                open=self.open,
                context=context,
                occasions=calendar.over(grid, leaves, recent.starts),
            )
            made = judge_bucket(self.rule, at, [question], self.open)
            told = tuple(t for t in made.transitions if self._told(t))
            self._remember(made.transitions)
            for start, inside in made.flags.items():
                self.flagged[:, np.searchsorted(starts, start)] = inside
            yield column, told, made.answers[0]

    def _series(self, first: int, stop: int) -> LeafSeries:
        stretch = slice(first, stop)
        return LeafSeries(self.world.starts[stretch], self.values[:, stretch], self.flagged[:, stretch].copy())

    def _remember(self, transitions: tuple[Transition, ...]) -> None:
        latest = {i.id: i for i in self.open} | {t.incident.id: t.incident for t in transitions}
        self.known |= latest
        self.open = tuple(i for i in latest.values() if i.state is not State.RESOLVED)
