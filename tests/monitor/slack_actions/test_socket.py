"""The way back by Socket Mode: a real WebSocket, a real store, real answers."""

from __future__ import annotations

import time

import pytest

from alerts.model import Act
from monitor.answers import listening
from tests.monitor.slack_actions.place import pressed, typed
from tests.standins.slack_socket import SocketStandin


@pytest.fixture
def socket(place):
    """A connection that stands."""
    with SocketStandin() as standin:
        place.slack.socket_url = standin.url
        with listening(place.app, lambda: place.now):
            assert standin.connected.wait(5)
            yield standin


def elements(root: dict) -> list[dict]:
    """The buttons and menus of a message."""
    return [element for block in root["blocks"] if block["type"] == "actions" for element in block["elements"]]


def test_a_press_is_done_logged_and_answered(place, socket, caplog):
    """Acknowledged in the store, by whom it was, told to whoever pressed and nobody else."""
    caplog.set_level("INFO", "slicewatch")
    socket.send("interactive", pressed(place, Act.ACKNOWLEDGE))
    assert place.answers()[0].startswith("Acknowledged by kari until ")
    assert place.state() == "acknowledged"
    assert place.acts() == [("acknowledge", "slack", "U0KARI")]
    assert place.slack.replies[0]["response_type"] == "ephemeral"
    assert f"slack: acknowledge {place.incident.id} by kari (U0KARI): Acknowledged" in caplog.text


def test_the_message_shows_what_was_done_and_what_can_be_done_next(place, socket):
    """From the button to the edited message: acknowledged by whom, and a way to take it back; the thread says so too."""
    assert [e["text"]["text"] for e in elements(place.deliver()) if e["type"] == "button"] == ["Acknowledge"]
    socket.send("interactive", pressed(place, Act.ACKNOWLEDGE))
    place.answers()
    root = place.deliver()
    assert [e["text"]["text"] for e in elements(root) if e["type"] == "button"] == ["Take back"]
    assert "kari" in str(root["blocks"])
    assert len(place.slack.posts()) == 2
    socket.send("interactive", pressed(place, Act.NOT_A_PROBLEM, "leave-out", at=2.0))
    place.answers(2)
    assert elements(place.deliver()) == []


def test_a_press_that_comes_twice_is_done_once(place, socket):
    """Slack sends again what was not acknowledged in time."""
    envelope = socket.send("interactive", pressed(place, Act.SNOOZE, "2h"))
    place.answers(1)
    socket.send("interactive", pressed(place, Act.SNOOZE, "2h"), envelope=envelope)
    first, again = place.answers(2)
    assert first == again
    assert place.acts() == [("snooze", "slack", "U0KARI")]


def test_a_connection_that_slack_renews_goes_on(place, socket):
    """As it does every few hours."""
    socket.refresh()
    assert socket.connected.wait(5)
    socket.send("interactive", pressed(place, Act.ACKNOWLEDGE))
    assert place.answers()
    assert socket.connections == 2


@pytest.mark.soak
def test_a_connection_that_is_cut_comes_back(place, socket):
    """Without a word: it is noticed once no ping is answered."""
    socket.drop()
    assert socket.connected.wait(60)
    socket.send("interactive", pressed(place, Act.ACKNOWLEDGE))
    assert place.answers()


def test_a_slack_that_is_not_there_yet_stops_nobody(place, caplog):
    """The daemon starts all the same, and connects once it can."""
    with listening(place.app, lambda: place.now), SocketStandin() as late:
        deadline = time.monotonic() + 5
        while "could not connect" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        place.slack.socket_url = late.url
        assert late.connected.wait(10)


def test_commands_are_answered(place, socket):
    """Status, what became of an incident, a silence: and what it understands, for anything else."""
    texts = ("status", f"explain {place.incident.id}", "silence playback_volume device=ios 2h it is known", "help")
    for number, text in enumerate(texts, start=1):
        socket.send("slash_commands", typed(place, text))
        place.answers(number)
    status, explained, silenced, usage = place.answers(4)
    assert place.incident.id in status
    assert "slicewatch explain" in explained
    assert "playback_volume device=ios is silenced until" in silenced
    assert "it is known" in silenced
    assert "/slicewatch silence RULE" in usage
