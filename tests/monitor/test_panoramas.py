"""Panoramas of the pages, asked for by many at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitor import store
from monitor.question import Question
from monitor.views.panorama import LONGEST_REST, REST, Panoramas
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place

SLOW = 60.0
RULE = Rule("r", SourceRef("lake", ("t",)), Timestamp("at"), ("device",), Place("r.yaml"))


class Ticking:
    """A stopwatch on which a second passes whenever somebody looks, or as many as a test says."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


class Asked:
    """Answers with one question for each tick; from the second one on only when it is let."""

    def __init__(self) -> None:
        self.ticks: list[int] = []
        self.began, self.go_on = threading.Event(), threading.Event()

    def __call__(self, rule: Rule, tick: int) -> list[Question]:  # noqa: ARG002  # the same rule always
        self.ticks.append(tick)
        if len(self.ticks) > 1:
            self.began.set()
            assert self.go_on.wait(SLOW)
        return [tick]  # type: ignore[list-item]  # panoramas only keep them


@pytest.fixture
def state():
    with_it = store.Store.open("sqlite://")
    yield with_it
    with_it.close()


def evaluated(state: store.Store, tick: int) -> None:
    with state.write() as tx:
        store.record_run(tx, RULE.name, tick, store.OK)


def test_while_a_newer_one_is_made_others_get_the_one_before_it(state):
    """One viewer makes what an evaluation changed; nobody else waits, and from then on all have the newer one."""
    asked = Asked()
    clock = Ticking()
    panoramas = Panoramas(state, asked, clock)
    evaluated(state, 60)
    (first,) = panoramas.of(RULE)
    evaluated(state, 120)
    clock.seconds += LONGEST_REST
    with ThreadPoolExecutor(1) as others:
        maker = others.submit(panoramas.of, RULE)
        assert asked.began.wait(SLOW)
        assert panoramas.of(RULE) == (first,)
        asked.go_on.set()
        (newer,) = maker.result(SLOW)
    assert newer.question == 120
    assert panoramas.of(RULE) == (newer,)
    assert asked.ticks == [60, 120]


def test_pages_leave_the_machine_to_the_daemon_however_often_it_evaluates(state):
    """Making one took a second: the next is made only after thirty, or ten at most, whatever was evaluated meanwhile."""
    asked = Asked()
    asked.go_on.set()
    clock = Ticking()
    panoramas = Panoramas(state, asked, clock)
    evaluated(state, 60)
    panoramas.of(RULE)
    ended = clock.seconds
    for tick in range(120, 600, 60):
        evaluated(state, tick)
        assert [item.tick for item in panoramas.of(RULE)] == [60]
    clock.seconds = ended + min(REST, LONGEST_REST)
    assert [item.tick for item in panoramas.of(RULE)] == [540]
    assert asked.ticks == [60, 540]
