"""Runs the tests of a rule: breaks events on purpose and evaluates them as the daemon would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from alerts.model import Incident
from dashboards.trials import Trial, differences
from monitor import store
from monitor.backfill import Backfill
from monitor.broken_source import Broken
from monitor.buckets import to_datetime, to_epoch
from monitor.evaluation import Evaluator
from monitor.query import Source, SourceError
from monitor.synthetic import MIDDAY, Synthetic, values_of
from monitor.watched import Watched
from rules.model import Rule
from rules.rule_tests import RuleTest

WARM = 4
"""Buckets evaluated before anything breaks: until then a daemon that was just started doubts what is late."""


@dataclass(frozen=True)
class World:
    """History that tests of a rule share, learned: what is asked, the bucket that breaks first, the state before it."""

    source: Source
    begin: int
    state: store.Store
    usual: frozenset[object]
    """Causes that fire though nothing is broken."""


@dataclass
class Trials:
    """The tests of one rule. `source` opens the rule's own, for tests on recorded events."""

    rule: Rule
    source: Callable[[], Source]
    _worlds: dict[object, World] = field(default_factory=dict)

    def run(self, tests: list[RuleTest]) -> Iterator[Trial]:
        """Run them one by one; one that cannot be run stops no other."""
        try:
            for test in tests:
                yield self._one(test)
        finally:
            for world in self._worlds.values():
                world.state.close()

    def _one(self, test: RuleTest) -> Trial:
        place = self.rule.span(f"tests.{self.rule.tests.index(test)}").place
        try:
            world = self._world(test)
            fired = tuple(i for i in self._evaluate(world, test) if (i.metric, i.cause) not in world.usual)
        except SourceError as error:
            return Trial(self.rule.name, test.name, place, to_datetime(MIDDAY), (), (), str(error))
        begin = to_datetime(world.begin)
        found = differences(test.expect, fired, begin, self.rule.time_bucket)
        return Trial(self.rule.name, test.name, place, begin, fired, found)

    @property
    def _watched(self) -> Watched:
        return Watched.of(self.rule)

    def _world(self, test: RuleTest) -> World:
        """The history of a test, read and learned once for all tests that have the same."""
        key = test.history.at or (tuple(values_of(self.rule, test).items()), test.history.events)
        if key not in self._worlds:
            self._worlds[key] = self._learn(test)
        return self._worlds[key]

    def _learn(self, test: RuleTest) -> World:
        grid, at = self._watched.grid, test.history.at
        begin = grid.floor(MIDDAY if at is None else to_epoch(at))
        source = self.source() if at is not None else Synthetic(grid, values_of(self.rule, test), test.history.events)
        state = store.Store.open("sqlite://")
        warm = grid.shift(begin, -WARM)
        backfill, tick = Backfill(self._watched, source, state), self._watched.schedule.due(warm)
        for _ in backfill.run(backfill.plan(warm, tick), tick):
            pass
        evaluator = Evaluator(self._watched, source, state)
        for bucket in grid.starts(warm, begin).tolist():
            _asked(evaluator, self._watched.schedule.due(bucket))
        world = World(source, begin, state, frozenset())
        most = max(_buckets(item) for item in self.rule.tests)
        anyway = self._evaluate(world, replace(test, given=()), most)
        return replace(world, usual=frozenset((i.metric, i.cause) for i in anyway))

    def _evaluate(self, world: World, test: RuleTest, buckets: int | None = None) -> list[Incident]:
        """What has fired once the last broken bucket was evaluated."""
        state = store.copy(world.state)
        grid, schedule = self._watched.grid, self._watched.schedule
        source = Broken(world.source, grid, world.begin, test.given)
        evaluator = Evaluator(self._watched, source, state)
        end = grid.shift(world.begin, buckets or _buckets(test))
        try:
            for bucket in grid.starts(world.begin, end).tolist():
                source.now = schedule.due(bucket)
                _asked(evaluator, source.now)
            with state.read() as tx:
                return [i for i in store.incidents(tx, rule=self.rule.name, newest_first=False) if i.raised_at]
        finally:
            state.close()


def _asked(evaluator: Evaluator, tick: int) -> None:
    """Evaluate a tick; a source that cannot be asked is an error here, no incident."""
    outcome = evaluator.evaluate(to_datetime(tick))
    if outcome.blind:
        raise SourceError(outcome.blind)


def _buckets(test: RuleTest) -> int:
    """From the first broken bucket to the last."""
    return max((item.after + item.buckets for item in test.given), default=1)
