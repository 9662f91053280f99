"""A rule evaluated tick by tick over a world, with a real store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.model import Change, Incident, Transition
from alerts.operations import Operations
from monitor import store
from monitor.backfill import Backfill
from monitor.buckets import to_datetime
from monitor.catching_up import Backlogs
from monitor.evaluation import Evaluator
from monitor.tick import Outcome
from monitor.watched import Watched
from rules.model import Rule
from tests.monitor.world import World, WorldSource, rule_of


@dataclass
class Ticks:
    """A daemon of one rule. Columns are those of the world; a tick comes when its bucket is due."""

    world: World
    rule: Rule
    state: store.Store
    source: WorldSource
    evaluator: Evaluator
    outcomes: list[Outcome] = field(default_factory=list)

    @classmethod
    def over(cls, made: World, state: store.Store, **rule) -> Ticks:
        """The default rule over a world; receiver `oncall`."""
        source, wanted = WorldSource(made), rule_of(made, **rule)
        return cls(made, wanted, state, source, Evaluator(Watched.of(wanted, Operations("oncall")), source, state))

    @property
    def watched(self) -> Watched:
        return self.evaluator.watched

    def at(self, column: int) -> datetime:
        """When a column's bucket is due."""
        return to_datetime(self.watched.schedule.due(int(self.world.starts[column])))

    def learn(self, before: int) -> Ticks:
        """Count the lookback before a column, as a first start does."""
        backfill = Backfill(self.watched, self.source, self.state)
        tick = self.watched.schedule.due(int(self.world.starts[before]))
        self.source.now = tick
        for _ in backfill.run(backfill.plan(int(self.world.starts[before]), tick), tick):
            pass
        return self

    def tick(self, column: int, **fields) -> Outcome:
        """Evaluate when a column is due; the source holds what has arrived by then."""
        self.source.now = int(self.at(column).timestamp())
        self.outcomes.append(self.evaluator.evaluate(self.at(column), **fields))
        return self.outcomes[-1]

    def run(self, columns: Iterable[int]) -> Ticks:
        for column in columns:
            self.tick(column)
        return self

    def catch_up(self, column: int) -> Ticks:
        """What a daemon does that was down and comes back soon after a column is due."""
        now = self.at(column) + timedelta(seconds=20)
        self.source.now = int(now.timestamp())
        backlogs = Backlogs()
        while True:
            with self.state.read() as tx:
                newest = store.newest_run(tx, self.rule.name)
            ticks, catching_up = backlogs.due(self.watched, newest, now)
            if not ticks:
                return self
            self.outcomes.append(self.evaluator.evaluate(ticks[0], now, catching_up))

    def restart(self, state: store.Store | None = None) -> None:
        """A new process: nothing is known but what the store holds."""
        self.state = state or self.state
        self.evaluator = Evaluator(self.watched, self.source, self.state)

    @property
    def transitions(self) -> list[Transition]:
        return [t for outcome in self.outcomes for t in outcome.transitions]

    @property
    def incidents(self) -> list[Incident]:
        """As they stand in the store, the oldest first."""
        with self.state.read() as tx:
            return store.incidents(tx, rule=self.rule.name, newest_first=False)

    def dump(self) -> dict[str, list[tuple]]:
        with self.state.read() as tx:
            return store.dump(tx)

    def column(self, moment: datetime | None) -> int:
        """The column whose bucket starts at a moment."""
        assert moment is not None
        return int((self.world.starts == int(moment.timestamp())).nonzero()[0][0])


def told(transitions: Sequence[Transition]) -> list[tuple[str, str, str]]:
    """What became of whom: (change, kind, cause), confirmations and reminders left out."""
    return [
        (t.change.value, t.incident.kind.value, t.incident.cause.label())
        for t in transitions
        if t.change not in {Change.CONFIRMED, Change.REPEATED}
    ]
