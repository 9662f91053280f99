"""What fires is sent again, and nothing that is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from alerts.deliver import Courier, drain
from alerts.model import Change, Message, State
from alerts.notifiers.alertmanager import AlertmanagerNotifier
from alerts.ports import Part
from monitor import store
from monitor.resending import Resender
from tests.contracts.outbox_contract import message
from tests.standins.slack import Fault
from tests.standins.web import AlertmanagerStandin, Reply, Request

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Place:
    """A store, an Alertmanager, and the time."""

    def __init__(self, standin: AlertmanagerStandin) -> None:
        self.standin, self.now = standin, NOW
        self.state = store.Store.open("sqlite://")
        self.notifier = AlertmanagerNotifier(
            standin.url, username="standin", password="pass", holds=4 * HOUR, timeout=2.0
        )
        self.resender = Resender.of(self.state, {"prometheus": self.notifier}, self.wait)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def queue(self, *items: Message) -> None:
        with self.state.write() as tx:
            for item in items:
                store.enqueue(tx, item, "prometheus", [Part.TEXT], self.now)

    def deliver(self) -> None:
        courier = Courier("test", Random(1), {"prometheus": self.notifier}, paces={"prometheus": timedelta(0)})
        drain(
            store.SqlOutbox(self.state),
            courier,
            clock=lambda: self.now,
            wait=self.wait,
            until=self.now + timedelta(minutes=1),
        )

    def look(self) -> int:
        return self.resender.look(self.now)

    def firing(self) -> list[str]:
        return sorted(alert["labels"]["incident"] for alert in self.standin.firing(self.now))


@pytest.fixture
def place():
    with AlertmanagerStandin() as standin:
        made = Place(standin)
        yield made
        made.state.close()


def over(item: Message) -> Message:
    return replace(item, seq=item.seq + 1, change=Change.RESOLVED, state=State.RESOLVED)


def test_what_fires_goes_on_firing_and_what_is_over_does_not(place):
    """For three days, by one request each time for all of it; once nobody sends it again it is over in four hours."""
    place.queue(message("sw-1"), message("sw-2"), message("sw-3"))
    place.deliver()
    place.queue(over(message("sw-3")))
    place.deliver()
    asked = len(place.standin.taken)
    for _ in range(72):
        place.look()
        assert place.firing() == ["sw-1", "sw-2"]
        place.now += HOUR
    assert 36 <= len(place.standin.taken) - asked <= 55
    place.now += 4 * HOUR
    assert place.firing() == []


def test_a_daemon_that_was_down_for_a_day_brings_it_back_at_once(place):
    """And the outbox shows nothing of it."""
    place.queue(message("sw-1"))
    place.deliver()
    place.now += 24 * HOUR
    assert place.firing() == []
    assert (place.look(), place.firing()) == (1, ["sw-1"])
    with place.state.read() as tx:
        assert store.outbox_counts(tx) == store.OutboxCounts(done=1)


def test_an_alertmanager_that_does_not_answer_is_asked_again_within_a_minute(place):
    """Two failures are borne before anything is over."""
    place.queue(message("sw-1"))
    place.deliver()
    place.look()
    place.now += 80 * timedelta(minutes=1)
    place.standin.faults.append(Fault("down", times=1))
    assert place.look() == 0
    place.now += timedelta(minutes=1)
    assert place.look() == 1


class Overtaken(AlertmanagerStandin):
    """Something happens while alerts are sent again, before they are taken."""

    meanwhile: Callable[[], None] | None = None

    def reply(self, request: Request) -> Reply:
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act()
        return super().reply(request)


def test_an_end_that_is_told_meanwhile_has_the_last_word():
    """It arrived before what was sent again: it is said once more."""
    with Overtaken() as standin:
        place = Place(standin)
        place.queue(message("sw-1"), message("sw-2"))
        place.deliver()
        place.queue(over(message("sw-1")))
        standin.meanwhile = place.deliver
        assert place.look() == 1
        place.now += HOUR
        standin.meanwhile = lambda: (place.queue(over(message("sw-2"))), place.deliver())
        place.now += HOUR
        assert place.look() == 1
        assert place.firing() == []
        place.state.close()
