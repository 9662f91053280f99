"""`backtest`: a replay, and the report of what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dashboards.backtest import Difference, Report, Work, compare, report_of
from monitor import store
from monitor.lattice import Lattice, Leaves
from monitor.query import Source
from monitor.replay import Replay
from rules.model import Interval, Rule

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Revision:
    """The rules as they were at a revision of the repository, by name."""

    name: str
    rules: dict[str, Rule]


@dataclass(frozen=True)
class Backtest:
    """A rule tried over a stretch of history, each time with a state of its own, in memory."""

    source: Callable[[Rule], Source]
    stretch: Interval

    def run(self, rule: Rule, progress: Progress) -> Report:
        """Evaluate every tick of the stretch and report. The source's errors go through."""
        with self._replay(rule) as replay:
            began = time.process_time()
            for done, total in replay.run():
                progress(done, total)
            work = work_of(replay, time.process_time() - began)
            return report_of(rule, self.stretch, work, replay.incidents())

    def against(self, report: Report, rule: Rule, revision: Revision, progress: Progress) -> Report:
        """The report with what the rule adds to and removes from what it told at a revision."""
        return replace(report, difference=self._difference(report, rule, revision, progress))

    def _difference(self, report: Report, rule: Rule, revision: Revision, progress: Progress) -> Difference:
        then = revision.rules.get(rule.name)
        if then is None:
            return compare(revision.name, report.incidents, (), "the rule was not there")
        if meaning(then) == meaning(rule):
            return compare(revision.name, report.incidents, report.incidents, "the rule says the same")
        with self._replay(then) as replay:
            for done, total in replay.run():
                progress(done, total)
            return compare(revision.name, report.incidents, replay.incidents())

    @contextmanager
    def _replay(self, rule: Rule) -> Iterator[Replay]:
        state = store.Store.open("sqlite://")
        try:
            yield Replay(rule, self.source(rule), state, self.stretch.start, self.stretch.end)
        finally:
            state.close()


def meaning(rule: Rule) -> Rule:
    """The rule without what changes no verdict: its place, its words, its tests."""
    return replace(rule, place=replace(rule.place, file="", line=0, column=0), description="", known=(), tests=())


def work_of(replay: Replay, cpu_seconds: float) -> Work:
    """What a finished replay evaluated."""
    rule = replay.rule
    with replay.state.read() as tx:
        runs = store.runs(tx, rule.name, limit=len(replay.ticks()))
        terms = store.leaves(tx, rule.name).terms
    slices = len(Lattice.of(Leaves.of(rule.dimensions, terms), rule.depth)) if terms else 0
    unknown = sum(run.outcome != store.OK for run in runs)
    return Work(len(runs), unknown, slices, len(runs) - unknown, cpu_seconds)
