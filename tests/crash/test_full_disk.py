"""A disk that is full while the program works: told plainly, and nothing is lost once there is room again."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from monitor.store import StoreFullError
from tests.crash.runner import hour
from tests.crash.story import TICKS

pytestmark = pytest.mark.xdist_group("incident's story")

FULL = "cannot be written: the disk (or a quota or file-size limit) is full"
LITTLE = 4_096
"""Bytes that a file may still have: not a page of the store's log fits."""


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process grows beyond a little, as by a quota; a real file system that is full is tried beside the store."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LITTLE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("number", [1, 2, 3], ids=["opens", "widens", "resolves and refits"])
def test_an_evaluation_that_finds_no_room_is_made_later(incident, place, number):
    """By the same process, in which nothing of the failed attempts is left; and the next one, started anew, agrees."""
    there = place(number)
    with there.app() as app:
        (rule,) = app.rules.rules
        with no_room():
            for _ in range(2):
                with pytest.raises(StoreFullError) as caught:
                    app.tick(rule, TICKS[number])
                assert FULL in str(caught.value)
                assert "\n" not in str(caught.value)
        hour(app, rule, TICKS[number])
    there.live(*TICKS[number + 1 :])
    assert there.rows() == incident.undisturbed.rows
    assert tuple(there.told()) == incident.undisturbed.told


def test_a_delivery_that_finds_no_room_is_settled_later(incident, place):
    """Between a claim and its settling: the message is out, nobody knows, and it is found and not sent again."""
    there = place(1)
    with there.app() as app, ExitStack() as full:
        (rule,) = app.rules.rules
        app.tick(rule, TICKS[1])
        there.slack.taken = lambda: full.enter_context(no_room())
        with pytest.raises(StoreFullError):
            hour(app, rule, TICKS[1])
        there.slack.taken = lambda: None
        full.close()
        hour(app, rule, TICKS[1])
    there.live(*TICKS[2:])
    assert there.rows() == incident.undisturbed.rows
    assert tuple(there.told()) == incident.undisturbed.told
