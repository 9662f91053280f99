"""The daemon's delivering thread, beside an app that only delivers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace

from monitor.scheduler import Daemon

SLOW = 60.0
"""Seconds after which something that takes a moment has failed, on a busy machine."""


@dataclass
class Deliveries:
    """An app without rules, whose deliveries are the functions given, one call each."""

    calls: list[Callable[[Callable[[], datetime], Callable[[float], None], datetime], object]]
    rules: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(rules=()))
    book: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(changed=lambda: False))
    made: int = 0

    def settle(self, now):
        """No rule file changed."""

    def deliver(self, clock, wait, until, owner):  # noqa: ARG002  # the app's own form
        if self.made < len(self.calls):
            self.made += 1
            self.calls[self.made - 1](clock, wait, until)


@contextmanager
def running(app: Deliveries):
    daemon = Daemon(app)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        thread.join(SLOW)
        assert not thread.is_alive()


def test_an_error_nobody_foresaw_does_not_end_delivering(caplog):
    """It is logged with its traceback, and the next round of deliveries is made."""
    failed, went_on = threading.Event(), threading.Event()

    def fail(clock, wait, until):  # noqa: ARG001  # as `deliver`
        failed.set()
        raise RuntimeError("a row that nobody can read")

    with running(Deliveries([fail, lambda *_: went_on.set()])) as daemon:
        assert failed.wait(SLOW)
        while not went_on.wait(0.01):
            daemon._news.set()  # an evaluation has something to tell: no need to wait
    assert "a row that nobody can read" in caplog.text


def test_news_end_one_wait_only():
    """While a message waits for its time the thread sleeps: the news that woke it once is no news again."""
    waits = []
    began, done = threading.Event(), threading.Event()

    def await_a_retry(clock, wait, until):
        began.set()
        while clock() < until and len(waits) < 3:
            wait(20.0)
            waits.append(daemon._news.is_set())
        done.set()

    with running(Deliveries([await_a_retry])) as daemon:
        assert began.wait(SLOW)
        daemon._news.set()
        assert done.wait(SLOW)
    assert waits == [False, False, False]


def test_a_daemon_that_is_stopped_waits_for_no_message():
    """Its deliveries' time is up at once, however long the next message would have waited."""
    began, ended = threading.Event(), threading.Event()

    def await_a_retry(clock, wait, until):
        began.set()
        while clock() < until:
            wait(0.01)
        ended.set()

    with running(Deliveries([await_a_retry])) as daemon:
        assert began.wait(SLOW)
        daemon.stop()
        assert ended.wait(SLOW / 4), "it went on to the end of its stretch"
