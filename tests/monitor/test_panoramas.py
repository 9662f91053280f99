"""Panoramas of the pages, asked for by many at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitor import store
from monitor.assess import Question
from monitor.views.panorama import Panoramas
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place

SLOW = 60.0
RULE = Rule("r", SourceRef("lake", ("t",)), Timestamp("at"), ("device",), Place("r.yaml"))


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
    panoramas = Panoramas(state, asked)
    evaluated(state, 60)
    (first,) = panoramas.of(RULE)
    evaluated(state, 120)
    with ThreadPoolExecutor(1) as others:
        maker = others.submit(panoramas.of, RULE)
        assert asked.began.wait(SLOW)
        assert panoramas.of(RULE) == (first,)
        asked.go_on.set()
        (newer,) = maker.result(SLOW)
    assert newer.question == 120
    assert panoramas.of(RULE) == (newer,)
    assert asked.ticks == [60, 120]
