"""`slicewatch deliveries`: what waits and what was given up, and sending it again."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from alerts.model import Receipt
from alerts.ports import Part
from monitor import store
from tests.contracts.outbox_contract import NOW, claim, message

pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture
def place(fresh):
    """Two given up at an archived channel, one that waits for another receiver."""
    with opened(fresh) as state:
        box = store.SqlOutbox(state)
        with state.write() as tx:
            for key in ("sw-1", "sw-2"):
                store.enqueue(tx, message(key), "oncall", [Part.TEXT], NOW)
        for _ in range(2):
            box.dead(claim(box, NOW), "Slack answers is_archived", NOW)
        with state.write() as tx:
            store.enqueue(tx, message("sw-3"), "terminal", [Part.TEXT], NOW + timedelta(hours=1))
    return fresh


def opened(place):
    """The place's store, closed at the end of a `with`."""
    return closing(store.Store.open(f"sqlite:///{place.folder / 'slicewatch.db'}"))


def test_what_waits_and_what_was_given_up_is_listed(place):
    """Who, what, since when, how often it was tried and why it failed; filters and JSON say the same."""
    lines = place.run("deliveries").stdout.splitlines()
    assert lines[0].endswith("  2026-11-23T15:00:00Z  oncall: given up, not tried yet")
    assert lines[1:3] == ["  text: push 1", "  Slack answers is_archived"]
    assert lines[-1] == "1 waiting, 2 given up"
    dead = place.lines("deliveries", "--dead")
    assert [letter["incident"] for letter in dead] == ["sw-1", "sw-2"]
    waits = place.lines("deliveries", "--receiver", "terminal")
    assert [(letter["state"], letter["due"]) for letter in waits] == [("queued", "2026-11-23T16:00:00Z")]


def test_what_was_given_up_is_sent_again(place):
    """One by the beginning of its id, or all; a wrong id says where the right ones are."""
    dead = place.lines("deliveries", "--dead")
    assert place.run("deliveries", "retry", dead[0]["id"][:12]).stdout == "1 message queued again\n"
    assert place.run("deliveries", "retry", "--all").stdout == "1 message queued again\n"
    assert place.run("deliveries").stdout.splitlines()[-1] == "3 waiting, 0 given up"
    for words in (["nonsense"], [], ["x", "--all"]):
        wrong = place.run("deliveries", "retry", *words)
        assert wrong.exit_code == 2
        assert "slicewatch deliveries --dead" in wrong.stderr


def test_an_old_state_does_not_overwrite_a_newer_one(place):
    """Its receiver was told the later course since: what was given up before stays given up."""
    with opened(place) as state:
        with state.write() as tx:
            store.enqueue(tx, message("sw-1", 2), "oncall", [Part.TEXT], NOW)
        box = store.SqlOutbox(state)
        box.done(claim(box, NOW), Receipt("C1", "1.0"), NOW)
    assert place.run("deliveries", "retry", "--all").stdout.splitlines() == [
        "1 message queued again",
        "1 left alone: their receivers were told the later course",
    ]
