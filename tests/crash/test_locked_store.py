"""A store that somebody else holds: told plainly, and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import StringIO

import pytest

from monitor.app import App, open_notifiers
from monitor.store import Store, StoreBusyError
from tests.crash.place import Place
from tests.crash.runner import hour
from tests.crash.story import TICKS

pytestmark = pytest.mark.xdist_group("incident's story")


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Another process, a backup say, holds the writer's place."""
    with closing(sqlite3.connect(place.folder / "slicewatch.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def impatient(place: Place) -> Iterator[App]:
    """A program that waits for the store no longer than a moment."""
    with place.app() as patient:
        state = Store.open(place.url, busy_timeout=0.1)
        try:
            yield App(patient.settings, patient.rules, state, StringIO(), open_notifiers(patient.settings, StringIO()))
        finally:
            state.close()


@pytest.mark.parametrize("number", [1, 2, 3], ids=["opens", "widens", "resolves and refits"])
def test_an_evaluation_that_finds_the_store_locked_is_made_later(incident, place, number):
    """By the same process, in which nothing of the failed attempt is left; and the next one, started anew, agrees."""
    there = place(number)
    with impatient(there) as app:
        (rule,) = app.rules.rules
        with locked(there), pytest.raises(StoreBusyError, match="is locked by another process"):
            app.tick(rule, TICKS[number])
        hour(app, rule, TICKS[number])
    there.live(*TICKS[number + 1 :])
    assert there.rows() == incident.undisturbed.rows
    assert tuple(there.told()) == incident.undisturbed.told


def test_a_delivery_that_finds_the_store_locked_is_settled_later(incident, place):
    """Between a claim and its settling: the message is out, nobody knows, and it is found and not sent again."""
    there = place(1)
    lock = sqlite3.connect(there.folder / "slicewatch.db", isolation_level=None, check_same_thread=False)
    with impatient(there) as app, closing(lock):
        (rule,) = app.rules.rules
        app.tick(rule, TICKS[1])
        there.slack.taken = lambda: lock.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            hour(app, rule, TICKS[1])
        there.slack.taken = lambda: None
        lock.execute("ROLLBACK")
        hour(app, rule, TICKS[1])
    there.live(*TICKS[2:])
    assert there.rows() == incident.undisturbed.rows
    assert tuple(there.told()) == incident.undisturbed.told
