"""A heartbeat is sent while the whole cycle works, and by no more than that: each part is wedged in turn."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from alerts.ports import Part
from monitor import store
from monitor.app import App
from monitor.chores import Chore, Round
from monitor.cycle import Signs, faults
from monitor.heartbeat import Heartbeat
from monitor.lateness import Late
from monitor.pulse import Pulse, Silent
from monitor.scheduler import Daemon
from monitor.selfwatch import SelfWatch
from monitor.store import Store
from tests.contracts.outbox_contract import message
from tests.monitor.test_ticks import RULE
from tests.standins.beats import BeatStandin
from tests.standins.slack import Fault as Wrong
from tests.standins.web import WebhookStandin

SLOW = 120.0
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SLACK, OLDEST = 15 * MINUTE, 10 * MINUTE

TOML = """\
rules = ["*.yaml"]
fallback = "hook"

[sources.shop]
kind = "sql"
url = "sqlite:///shop.db"

[receivers.hook]
kind = "webhook"
url = {env = "HOOK"}
token = {env = "TOKEN"}
allow_private = true
pace = "0"

[heartbeat]
url = {env = "BEAT"}
fail_url = {env = "FAIL"}
body = "alive"
method = "POST"
"""
ORDERS = """\
rules:
  - name: orders
    source: shop.orders
    timestamp: at
    dimensions: [country]
"""


# --- what counts as working --------------------------------------------------------------------------------------


def test_nothing_is_wrong_where_nothing_is_seen_to_be():
    """A rule that is late by less than it may be, and a message that has just become due, are nothing."""
    signs = Signs(late=(Late(RULE, NOW - SLACK, 1),), waiting={"oncall": NOW - OLDEST})
    assert faults(signs, NOW, SLACK, OLDEST) == ()


@pytest.mark.parametrize(
    ("signs", "what", "says"),
    [
        (
            Signs(late=(Late(RULE, NOW - SLACK - MINUTE, 1),)),
            "rules",
            "1 rule not evaluated on time, r since 4 Mar 11:44",
        ),
        (Signs(silent=(Silent("deliver", NOW - HOUR),)), "thread deliver", "no sign of life since 4 Mar 11:00"),
        (Signs(waiting={"oncall": NOW - HOUR}), "outbox oncall", "due for 60 minutes, and nobody sends them"),
        (Signs(store="disk full"), "store", "disk full"),
        (Signs(canary="nobody noticed"), "canary", "nobody noticed"),
    ],
)
def test_each_part_that_does_not_work_is_named(signs: Signs, what: str, says: str):
    """With what is known of it."""
    (fault,) = faults(signs, NOW, SLACK, OLDEST)
    assert fault.what == what
    assert says in fault.says


def test_a_thread_is_silent_once_it_missed_some_rounds():
    """By its own pace; and a clock that is put back makes nobody silent, nor heard of."""
    pulse = Pulse()
    pulse.watch("fast", 10, NOW)
    pulse.watch("slow", 600, NOW)
    assert pulse.silent(NOW + 15 * MINUTE + timedelta(seconds=30), SLACK) == ()
    assert pulse.silent(NOW + 16 * MINUTE, SLACK) == (Silent("fast", NOW),)
    pulse.beat("fast", NOW + 16 * MINUTE)
    assert pulse.silent(NOW + 16 * MINUTE, SLACK) == ()
    back = NOW - HOUR
    assert pulse.silent(back, SLACK) == ()
    assert [item.name for item in pulse.silent(back + 20 * MINUTE, SLACK)] == ["fast"]


# --- a real daemon -----------------------------------------------------------------------------------------------


class Clock:
    """The true time, which a test puts forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class World:
    """A daemon, and whom it speaks to."""

    def __init__(self, daemon: Daemon, clock: Clock, beats: BeatStandin, hook: WebhookStandin, folder: Path) -> None:
        self.daemon, self.clock, self.beats, self.hook, self.folder = daemon, clock, beats, hook, folder

    def count(self, path: str = "/beat") -> int:
        return len(self.beats.beats(path))

    def lives(self) -> None:
        """Beats come, from here on."""
        before = self.count()
        wait_for(lambda: self.count() > before + 1)

    def stops(self, why: str) -> None:
        """None comes any more, and the reason is told."""
        before = self.count("/fail")
        wait_for(lambda: any(why in beat.body.decode() for beat in self.beats.beats("/fail")[before:]))
        before, told = self.count(), self.count("/fail")
        wait_for(lambda: self.count("/fail") > told + 1)
        assert self.count() == before

    def queue(self, *keys: str) -> None:
        with self.daemon.app.state.write() as tx:
            for key in keys:
                store.enqueue(tx, replace(message(), key=key), "hook", [Part.TEXT], self.clock())


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + SLOW
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def shop(file: Path, now: datetime) -> None:
    """Some days of orders by the hour."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE orders (at TIMESTAMP, country TEXT)")
        hours = (now.replace(minute=0, second=0, microsecond=0, tzinfo=None) - n * HOUR for n in range(72))
        rows = [(f"{hour:%Y-%m-%d %H:%M:%S.000000}", land) for hour in hours for land in ("NO", "SE") for _ in range(5)]
        connection.executemany("INSERT INTO orders VALUES (?, ?)", rows)


@contextmanager
def running(folder: Path, beats: BeatStandin, hook: WebhookStandin) -> Iterator[World]:
    clock = Clock()
    shop(folder / "shop.db", clock())
    (folder / "slicewatch.toml").write_text(TOML)
    (folder / "orders.yaml").write_text(ORDERS)
    env = {"HOOK": hook.url, "TOKEN": hook.token, "BEAT": f"{beats.url}/beat", "FAIL": f"{beats.url}/fail"}
    with ExitStack() as stack:
        app = stack.enter_context(App.open(folder / "slicewatch.toml", env, StringIO()))
        said = app.settings.selfwatch
        assert said.heartbeat is not None
        often = replace(said.heartbeat, every=timedelta(seconds=0.05))
        app.settings = replace(app.settings, selfwatch=replace(said, heartbeat=often))
        app.state = stack.enter_context(closing(Store.open(app.settings.store_url(), busy_timeout=0.3)))
        daemon = Daemon(
            app, now=clock, watch_seconds=0.05, follow_seconds=0.5, digest_seconds=0.5, retention_seconds=0.5
        )
        daemon._self.look_seconds = daemon._self.tally_seconds = 0.5
        thread = threading.Thread(target=daemon.run)
        thread.start()
        try:
            yield World(daemon, clock, beats, hook, folder)
        finally:
            daemon.stop()
            thread.join(SLOW)
            assert not thread.is_alive()


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    with BeatStandin() as beats, WebhookStandin() as hook, running(tmp_path, beats, hook) as made:
        made.lives()
        yield made


def test_it_stops_while_nobody_evaluates_and_goes_on_when_somebody_does(world):
    """Time passes over the next evaluation, and the scheduler sleeps; woken, it catches up."""
    assert world.beats.beats()[-1].body == b"alive"
    assert world.beats.beats()[-1].method == "POST"
    world.clock.ahead = 2 * HOUR
    world.stops("1 rule not evaluated on time, orders since")
    (world.folder / "orders.yaml").write_text(ORDERS + "    owner: shop\n")
    world.lives()


def test_it_stops_while_the_store_takes_nothing(world, caplog):
    """Another process holds it for longer than anybody waits; freed, the heart beats again."""
    with closing(sqlite3.connect(world.folder / "slicewatch.db", isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        world.stops("the store could not be written and read")
        rival.execute("ROLLBACK")
    world.lives()
    assert "no heartbeat is sent: the store could not be written" in caplog.text


def test_it_stops_while_messages_wait_that_nobody_takes_up(world):
    """Their receiver holds the connection of the first of them, and says nothing."""
    world.hook.faults.append(Wrong("slow", times=1, seconds=SLOW))
    world.queue("sw-1", "sw-2")
    world.clock.ahead = 14 * MINUTE
    world.stops("messages to hook have been due for")
    world.hook.closing.set()
    world.lives()


def test_it_stops_where_the_canary_did_not_arrive(world):
    """What is told to people must have a way."""
    with world.daemon.app.state.write() as tx:
        store.begin_canary(tx, store.Canary(NOW, "me", NOW), NOW)
        store.keep_canary(tx, store.ended(store.Canary(NOW, "me", NOW), NOW, "the channel was archived"))
    world.stops("the newest canary did not arrive: the channel was archived")


def test_it_stops_where_a_chore_has_stopped(tmp_path):
    """One that waits for something that never comes; the others go on, and do not make up for it."""
    (tmp_path / "slicewatch.toml").write_text(TOML)
    clock, never, stopped = Clock(), threading.Event(), threading.Event()
    with BeatStandin() as beats:
        env = {"HOOK": "http://x", "TOKEN": "x", "BEAT": f"{beats.url}/beat", "FAIL": f"{beats.url}/fail"}
        with App.open(tmp_path / "slicewatch.toml", env, StringIO()) as app:
            watch = SelfWatch(app, "me", clock, 4)
            plan = app.settings.selfwatch.heartbeat
            stuck = watch.watched(Chore("stuck", 0.01, lambda _: never.wait(SLOW), "x"))
            thread = Round(stuck, clock, stopped, lambda: None).start()
            heart = Heartbeat(plan, watch.signs, app.tally)
            try:
                heart.beat(clock())
                assert len(beats.beats()) == 1
                clock.ahead = SLACK + MINUTE
                heart.beat(clock())
                assert len(beats.beats()) == 1
                assert b"stuck: no sign of life since" in beats.beats("/fail")[-1].body
            finally:
                never.set()
                stopped.set()
                thread.join(SLOW)
            clock.ahead = timedelta(0)


def test_whoever_takes_it_may_fail(tmp_path, caplog):
    """That is in the log and in the counts, and nothing else comes of it. Its address is told to nobody."""
    (tmp_path / "slicewatch.toml").write_text(TOML)
    with BeatStandin() as beats, closing(Store.open("sqlite://")) as state:
        env = {"HOOK": "http://x", "TOKEN": "x", "BEAT": f"{beats.url}/secret-path", "FAIL": "http://x"}
        with App.open(tmp_path / "slicewatch.toml", env, StringIO()) as app:
            plan = app.settings.selfwatch.heartbeat
            heart = Heartbeat(plan, lambda _: Signs(), app.tally)
            beats.faults.append(Wrong("down", times=1))
            heart.beat(NOW)
            heart.beat(NOW)
            app.tally.keep(state, NOW)
        with state.read() as tx:
            found = {item.result: item.value for item in store.tallies(tx, ["heartbeats"])}
    assert found == {"failed": 1, "sent": 1}
    assert "a heartbeat was not taken" in caplog.text
    assert "secret-path" not in caplog.text
