"""Two daemons that evaluate one rule, by turns or at once: what the store holds is what one alone would have left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from monitor import store
from monitor.evaluation import Evaluator
from monitor.tick import Outcome
from rules.model import SlicePolicy
from tests.monitor.ticks import Ticks
from tests.monitor.world import world

SMALL = {"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE", "DK")}
DAYS, N = 3, 5 * 24
MADE = world(SMALL, days=12, volume=3_000.0).scaled(0.0, N + 4, N + 9, device="tv")


@pytest.fixture
def state() -> Iterator[store.Store]:
    opened = store.Store.open("sqlite://")
    yield opened
    opened.close()


def begun(state: store.Store, **rule: object) -> Ticks:
    """A rule that looks back three days, which has counted them."""
    return Ticks.over(MADE, state, lookback=timedelta(days=DAYS), **rule).learn(N)


def by_turns(ticks: Ticks, columns: range) -> Ticks:
    """Each tick by the other one of two daemons, which keep what they hold in between."""
    both = [ticks.evaluator, Evaluator(ticks.watched, ticks.source, ticks.state)]
    for column in columns:
        ticks.evaluator = both[column % 2]
        ticks.tick(column)
    return ticks


def test_by_turns_it_comes_to_the_same_as_alone(state: store.Store) -> None:
    """Incidents, pages, flags and fits are those of one daemon, over midnights at which something is learned."""
    alone = begun(store.Store.open("sqlite://")).run(range(N, N + 54))
    shared = by_turns(begun(state), range(N, N + 54))
    assert shared.incidents
    assert shared.dump() == alone.dump()
    alone.state.close()


def test_by_turns_a_cube_that_is_full_is_folded_by_what_the_other_decided(state: store.Store) -> None:
    """At midnight one of them decides anew who is kept apart; the other goes by it."""
    wide = {"slices": SlicePolicy(max=6)}
    alone = begun(store.Store.open("sqlite://"), **wide).run(range(N, N + 54))
    shared = by_turns(begun(state, **wide), range(N, N + 54))
    assert [o.notices for o in shared.outcomes] == [o.notices for o in alone.outcomes]
    assert shared.dump() == alone.dump()
    terms = [evaluator._terms for evaluator in (shared.evaluator, alone.evaluator)]
    assert terms[0] == terms[1]
    alone.state.close()


class Interrupted:
    """A source during whose first answer something else happens."""

    def __init__(self, source: object, meanwhile: object) -> None:
        self.source, self.meanwhile = source, meanwhile

    def __getattr__(self, name: str) -> object:
        return getattr(self.source, name)

    def count(self, query: object) -> object:
        answer = self.source.count(query)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return answer


def interrupted(ticks: Ticks, column: int, meanwhile: object, **fields: object) -> Outcome:
    """The outcome of a daemon that has asked its source when something happens."""
    source = Interrupted(ticks.source, meanwhile)
    ticks.source.now = int(ticks.at(column).timestamp())
    return Evaluator(ticks.watched, source, ticks.state, **fields).evaluate(ticks.at(column))


def test_a_run_that_outlived_its_lease_is_recorded_once(state: store.Store) -> None:
    """Whoever took it over was quicker: what the slow one comes to is thrown away, and nothing is told twice."""
    ticks = begun(state).run(range(N, N + 5))
    found, seen = [], []

    def other() -> None:
        found.append(ticks.tick(N + 5))
        seen.append(ticks.dump())

    slow = interrupted(ticks, N + 5, other)
    assert not found[0].repeated
    assert (slow.repeated, slow.transitions, slow.messages) == (True, (), ())
    assert ticks.dump() == seen[0]


def test_a_run_that_comes_after_a_later_one_is_thrown_away(state: store.Store) -> None:
    """The other could not ask its source at the slow one's tick, and has judged the next: ticks are judged in order."""
    ticks = begun(state).run(range(N, N + 5))
    seen = []

    def others() -> None:
        ticks.source.broken = "no answer"
        assert ticks.tick(N + 5).blind
        ticks.source.broken = ""
        ticks.tick(N + 6)
        seen.append(ticks.dump())

    slow = interrupted(ticks, N + 5, others)
    assert slow.repeated
    assert ticks.dump() == seen[0]


def test_what_another_learned_is_what_is_judged_by(state: store.Store) -> None:
    """Of two fits of one midnight the stored one holds, also for the daemon that came second."""
    midnight = 6 * 24
    ticks = begun(state).run(range(N, midnight))
    slow = Evaluator(ticks.watched, Interrupted(ticks.source, lambda: ticks.tick(midnight)), ticks.state)
    assert slow.evaluate(ticks.at(midnight)).repeated
    assert not slow._learner._learned


def test_a_daemon_with_older_rule_files_writes_nothing_into_a_newer_history(state: store.Store) -> None:
    """The rule counts something else by the files of another daemon: what was counted by the old ones is of no use there."""
    ticks = begun(state)
    with state.write() as tx:
        store.reset_history(tx, ticks.rule.name, "old")
    ticks.learn(N)
    ticks.evaluator = replace(ticks.evaluator, definition="old")
    ticks.run(range(N, N + 3))

    def reloaded() -> None:
        with state.write() as tx:
            store.reset_history(tx, ticks.rule.name, "new")

    with pytest.raises(store.ConflictError, match="it counts something else since"):
        interrupted(ticks, N + 3, reloaded, definition="old")
    with state.read() as tx:
        assert len(store.leaves(tx, ticks.rule.name)) == 0
        assert not np.any(store.flags(tx, ticks.rule.name, MADE.starts, 12))
