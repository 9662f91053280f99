"""Messages on a terminal."""

import io

import pytest

from alerts.message import plain_text
from alerts.model import Receipt, SendError
from alerts.notifiers import KINDS, notifier_class
from alerts.notifiers.console import ConsoleNotifier
from alerts.ports import Delivery, Part
from tests.alerts.stories import message_of
from tests.contracts.outbox_contract import NOW


def delivery(part: Part = Part.TEXT) -> Delivery:
    return Delivery("1", "console", part, message_of("device_gone"), 0, NOW)


def test_the_whole_message_is_written():
    """Everything that Slack would show, as text between two lines."""
    stream = io.StringIO()
    assert ConsoleNotifier(stream).send(delivery()) == Receipt()
    assert plain_text(message_of("device_gone")) in stream.getvalue()


def test_a_chart_is_not_written():
    """A terminal shows no picture, and that is no failure."""
    stream = io.StringIO()
    ConsoleNotifier(stream).send(delivery(Part.CHART))
    assert stream.getvalue() == ""


def test_a_terminal_without_unicode_gets_escapes():
    """A message is never lost to an encoding."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleNotifier(stream).send(delivery())
    assert b"device=ios stopped" in raw.getvalue()


def test_a_closed_stream_is_a_failed_send():
    """It is tried again, as for any receiver."""
    stream = io.StringIO()
    stream.close()
    with pytest.raises(SendError, match="cannot write"):
        ConsoleNotifier(stream).send(delivery())


def test_kinds_are_found_by_name():
    """Each kind of receiver names a class that can be imported."""
    assert all(callable(notifier_class(kind).send) for kind in KINDS)
    assert len({notifier_class(kind) for kind in KINDS}) == len(KINDS)
    with pytest.raises(KeyError):
        notifier_class("pigeon")
