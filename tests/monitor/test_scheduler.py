"""The daemon's delivering thread, beside an app that only delivers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace

from alerts.ports import Notifier
from monitor.chores import Round
from monitor.scheduler import FOR_EVER, Daemon
from monitor.selfwatch_settings import Selfwatch
from monitor.store import Store
from monitor.tally import TallySheet
from monitor.vitals import LONGEST_TURN, Vitals

SLOW = 60.0
"""Seconds after which something that takes a moment has failed, on a busy machine."""


@dataclass
class Deliveries:
    """An app without rules, and its own crew: each look for work is the next of the functions given."""

    calls: list[Callable[[Callable[[], datetime], Callable[[float], None]], object]]
    rules: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(rules=()))
    book: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(changed=lambda: False, broken=()))
    tally: TallySheet = field(default_factory=TallySheet)
    notifiers: dict[str, Notifier] = field(default_factory=dict)
    state: Store = field(default_factory=lambda: Store.open("sqlite://"))
    settings: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            weekly=None, sources=(), web=SimpleNamespace(public_url=None), selfwatch=Selfwatch()
        )
    )
    daemon: Daemon | None = None
    made: int = 0
    finished: threading.Event = field(default_factory=threading.Event)

    def clean(self, text):
        """There are no secrets."""
        return text

    def settle(self, now):
        """No rule file changed."""

    def receivers_of(self, rules):  # noqa: ARG002  # the app's own form
        """There are no rules."""
        return ()

    def follow_up(self, now):  # noqa: ARG002  # the app's own form
        """No incident is open."""
        return 0

    def crew(self, clock, wait, report, owner, stopped):  # noqa: ARG002  # the app's own form
        self.clock, self.wait, self.stopped = clock, wait, stopped
        return self

    def start(self, until):  # noqa: ARG002  # as above
        if self.made < len(self.calls):
            self.made += 1
            self.calls[self.made - 1](self.clock, self.wait)

    def finish(self):
        self.finished.set()


@contextmanager
def running(app: Deliveries, **given):
    daemon = app.daemon = Daemon(app, **given)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        thread.join(SLOW)
        app.state.close()
        assert not thread.is_alive()


def test_an_error_nobody_foresaw_does_not_end_delivering(caplog):
    """It is logged with its traceback, and the next look for deliveries is made."""
    failed, went_on = threading.Event(), threading.Event()

    def fail(clock, wait):  # noqa: ARG001  # as every look
        failed.set()
        raise RuntimeError("a row that nobody can read")

    with running(Deliveries([fail, lambda *_: went_on.set()])) as daemon:
        assert failed.wait(SLOW)
        while not went_on.wait(0.01):
            daemon._news.set()  # an evaluation has something to tell: no need to wait
    assert "a row that nobody can read" in caplog.text


def test_news_are_looked_for_once():
    """What was news once is none the next time: a daemon with nothing to tell sleeps."""
    looked = threading.Event()
    seen = []

    def look(clock, wait):  # noqa: ARG001  # as every look
        seen.append(app.daemon._news.is_set())
        if len(seen) == 3:
            looked.set()

    app = Deliveries([])
    app.calls = [look] * 3
    with running(app) as daemon:
        daemon._news.set()
        assert looked.wait(SLOW)
    assert seen[1:] == [False, False]


def test_a_daemon_that_is_stopped_waits_for_no_message():
    """Its workers and their waits end at once; what is being sent is settled by the true time, and so is not overdue."""
    began, ended = threading.Event(), threading.Event()

    def await_a_retry(clock, wait):  # noqa: ARG001  # as every look
        def work():
            began.set()
            while not app.stopped():
                wait(SLOW)
            ended.set()

        threading.Thread(target=work).start()

    app = Deliveries([await_a_retry])
    with running(app) as daemon:
        assert began.wait(SLOW)
        daemon.stop()
        assert ended.wait(SLOW / 4), "it went on to the end of its wait"
    assert app.finished.is_set()
    assert app.clock() < FOR_EVER


class Followed(Deliveries):
    """Says when it was asked to follow up."""

    def follow_up(self, now):
        self.finished.set()
        return super().follow_up(now)


def test_a_daemon_that_cannot_say_that_it_is_there_follows_up_all_the_same():
    """What people see of daemons is no part of telling: nothing waits for it."""
    app = Followed([])
    app.state.close()
    app.state = None
    daemon = Daemon(app, follow_seconds=0.01)
    rounds = [Round(chore, daemon.now, daemon.stopped, daemon._news.set).start() for chore in daemon._chores()]
    try:
        assert app.finished.wait(SLOW)
        assert all(thread.is_alive() for thread in rounds)
    finally:
        daemon.stop()
        for thread in rounds:
            thread.join(SLOW)


def test_a_delivering_thread_that_is_stuck_makes_the_daemon_unwell():
    """The other loops go round; once it goes on, all is well again, and the end of all of them is no illness."""
    stuck, go = threading.Event(), threading.Event()
    clock = [0.0]

    def hang(*_):
        stuck.set()
        go.wait(SLOW)

    app = Deliveries([hang])
    with running(app, vitals=Vitals(lambda: clock[0]), watch_seconds=0.01, follow_seconds=0.01) as daemon:
        assert daemon.up.wait(SLOW)
        assert stuck.wait(SLOW)
        assert daemon.phase() == ""
        clock[0] = LONGEST_TURN + 1
        wait_until(lambda: [told.split()[0] for told in daemon.vitals.amiss()] == ["deliver"])
        go.set()
        wait_until(lambda: not daemon.vitals.amiss(), daemon._news.set)
    assert daemon.vitals.amiss() == ()
    assert daemon.phase().startswith("it is ending")


def wait_until(holds: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    """As long as that takes."""
    until = time.monotonic() + SLOW
    while not holds():
        assert time.monotonic() < until
        meanwhile()
        time.sleep(0.01)
