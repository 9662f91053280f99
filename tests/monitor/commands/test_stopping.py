"""How a daemon ends that was asked to: real processes over a source or a receiver that hangs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from monitor import store
from monitor.ending import CUT_OFF
from tests.dashboards.web.guarded import free_port
from tests.monitor.commands.place import HOUR, PROGRAM, RULE, Place, at, events
from tests.standins.web import Reply, Request, WebStandin

pytestmark = pytest.mark.xdist_group("daemon")

SLOW = 120.0
"""Seconds after which something that takes a second or two has failed, on a busy machine."""
TOML = """\
rules = ["rules/*.yaml"]

[store]
url = "sqlite:///slicewatch.db"

[daemon]
grace = "{grace}"
health = "127.0.0.1:{port}"

[log]
format = "json"

[sources.live]
kind = "sql"
url = "{source}"
timeout = "1h"

[receivers.hook]
kind = "webhook"
url = "{hook}"
allow_private = true
"""


class Hook(WebStandin):
    """A receiver that can be told to take its time."""

    hanging = False

    def answer(self, request: Request) -> Reply:
        """Yes, at last."""
        self.taken.append(request)
        if self.hanging:
            self.wait(SLOW)
        return Reply(200)


@dataclass
class Live:
    """A place whose table is in a real PostgreSQL: who locks it makes every query wait for as long as the lock is held."""

    place: Place
    url: sa.URL
    hook: Hook
    port: int

    def write(self, grace: str) -> None:
        """The settings."""
        source = self.url.render_as_string(hide_password=False)
        self.place.write("slicewatch.toml", TOML.format(grace=grace, port=self.port, source=source, hook=self.hook.url))

    def dsn(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextmanager
    def hanging(self) -> Iterator[psycopg.Connection]:
        """Whoever asks the source waits, until the block ends or the connection is closed."""
        with closing(psycopg.connect(self.dsn())) as connection:
            connection.execute("LOCK TABLE playback IN ACCESS EXCLUSIVE MODE")
            yield connection

    def asked(self) -> bool:
        """Whether somebody waits for the table."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        with closing(psycopg.connect(self.dsn())) as connection:
            (found,) = connection.execute(query).fetchone()
        return found > 0

    def left_alone(self) -> None:
        """Soon nobody waits for the table any more; a query that was let go on would wait as long as the table is locked."""
        until = time.monotonic() + SLOW
        while self.asked():
            assert time.monotonic() < until, "the query goes on at the database, and nobody waits for its answer"
            time.sleep(0.05)

    def probe(self, path: str) -> tuple[int, dict[str, object]]:
        """What the daemon says of itself."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=SLOW)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    @contextmanager
    def stored(self) -> Iterator[store.Tx]:
        """What slicewatch remembers."""
        state = store.Store.open(f"sqlite:///{self.place.folder / 'slicewatch.db'}")
        try:
            with state.read() as tx:
                yield tx
        finally:
            state.close()

    def runs(self) -> list[store.Run]:
        """Evaluations that are recorded, oldest first."""
        with self.stored() as tx:
            return store.runs(tx, "playback_volume")[::-1]

    def queued(self) -> int:
        """How many messages wait."""
        with self.stored() as tx:
            return store.outbox_counts(tx).queued

    def incidents(self) -> list[str]:
        (rule,) = self.place.lines("status")[0]["rules"]
        return [incident["kind"] for incident in rule["open"]]


@dataclass(frozen=True)
class Running:
    """A daemon's process, and its log."""

    process: subprocess.Popen[str]
    log: Path

    def lines(self) -> list[dict[str, str]]:
        """Each line of the log, all of them JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def says(self, text: str) -> list[dict[str, str]]:
        """Lines that hold a text."""
        return [line for line in self.lines() if text in line["message"]]

    def wait_for(self, what: Callable[[], object]) -> None:
        """Until `what` holds; a daemon that ended meanwhile, or took too long, fails with its log."""
        until = time.monotonic() + SLOW
        while not what():
            assert self.process.poll() is None, f"the daemon ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"it did not happen in time: {self.log.read_text()}"
            time.sleep(0.05)

    def ended(self) -> int:
        """Its exit code, once it is gone."""
        return self.process.wait(SLOW)


@contextmanager
def daemon(live: Live, name: str, **env: str) -> Iterator[Running]:
    """A daemon that is surely gone afterwards."""
    log = live.place.folder / f"{name}.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [PROGRAM, "run", "--config", str(live.place.config)],
            stdout=file,
            stderr=file,
            text=True,
            env=os.environ | env,
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as standin:
        yield standin


@pytest.fixture
def live(tmp_path, postgres_url, hook) -> Iterator[Live]:
    """Evaluated until six hours ago, with a device gone since: there is something to ask, and something to tell."""
    name = f"stopping_{threading.get_native_id()}_{time.monotonic_ns()}"
    with psycopg.connect(sa.make_url(postgres_url).set(drivername="postgresql").render_as_string(False)) as server:
        server.autocommit = True
        server.execute(f"CREATE DATABASE {name}")
        url = sa.make_url(postgres_url)._replace(
            database=name, password=None
        )  # a URL with a password stands in no file
        live = Live(Place(tmp_path), url, hook, free_port())
        live.write("30s")
        live.place.write("rules/playback.yaml", RULE.replace("lake.", "live."))
        fill(live)
        begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 6 * HOUR
        assert live.place.run("once", *at(begin)).exit_code == 0
        yield live
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(live: Live) -> None:
    """Five weeks up to three hours from now, a device gone from two hours before this one on."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    frame = events(hour + 3 * HOUR, outage=(hour - 4 * HOUR, hour + 3 * HOUR))
    with psycopg.connect(live.dsn()) as connection:
        connection.execute("CREATE TABLE playback (event_time TIMESTAMP, device TEXT, country TEXT, events INTEGER)")
        with connection.cursor().copy("COPY playback FROM STDIN") as copy:
            for row in frame.itertuples(index=False):
                copy.write_row((row[0].to_pydatetime(), *row[1:]))


def test_what_runs_may_end(live):
    """A query that ends within the grace time is judged and recorded; meanwhile the daemon is well, and not ready; systemd knows."""
    (before,) = live.runs()
    notified = live.place.folder / "notify"
    with (
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd,
        daemon_told(live, systemd, notified) as running,
    ):
        with live.hanging():
            running.wait_for(live.asked)
            assert live.probe("/readyz") == (200, {"status": "ok", "reasons": []})
            running.process.send_signal(signal.SIGTERM)
            running.wait_for(lambda: live.probe("/readyz")[0] == 503)
            assert "it is ending" in str(live.probe("/readyz")[1]["reasons"])
            assert live.probe("/healthz") == (200, {"status": "ok", "reasons": []})
        assert running.ended() == 0
        assert told_by(systemd) == ["WATCHDOG=1", "READY=1", "STOPPING=1"]
    assert [run.outcome for run in live.runs()] == ["ok", "ok"]
    assert live.runs()[1].tick == before.tick + 3600
    assert running.lines()[-1]["message"] == "stopped"
    judged = running.says("judged")[0]
    assert (judged["rule"], judged["source"]) == ("playback_volume", "live")
    assert judged["run"]
    assert f"/{running.process.pid}/" in judged["replica"]


@contextmanager
def daemon_told(live: Live, systemd: socket.socket, name: Path) -> Iterator[Running]:
    """A daemon that systemd listens to."""
    systemd.bind(str(name))
    with daemon(live, "drained", NOTIFY_SOCKET=str(name), WATCHDOG_USEC="600000000") as running:
        yield running


def told_by(systemd: socket.socket) -> list[str]:
    """What came in, in its order."""
    systemd.setblocking(False)
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(systemd.recv(100).decode())
    return found


def test_a_source_that_hangs_for_ever_holds_nobody_up(live):
    """After the grace time the process is gone; nothing is recorded or told of what it had begun, and the next one does it."""
    live.write("1s")
    before = live.runs()
    with live.hanging():
        with daemon(live, "cut") as running:
            running.wait_for(live.asked)
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == CUT_OFF
        live.left_alone()
        (said,) = running.says("left to the next start")
        assert said["message"].startswith("ended before its work, the grace time of 1 s is over")
        assert "1 evaluation (playback_volume at " in said["message"]
        assert live.runs() == before
        assert live.incidents() == []
    with daemon(live, "again") as running:
        running.wait_for(lambda: len(live.runs()) >= 6)
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
    assert {run.outcome for run in live.runs()} == {"ok"}
    assert live.incidents() == ["drop"]


def test_asked_twice_it_ends_at_once(live):
    """However long the grace time is."""
    live.write("1d")
    with live.hanging(), daemon(live, "twice") as running:
        running.wait_for(live.asked)
        running.process.send_signal(signal.SIGINT)
        running.wait_for(lambda: live.probe("/readyz")[0] == 503)
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == CUT_OFF
    (said,) = running.says("left to the next start")
    assert said["message"].startswith("ended before its work, asked twice to end")


def test_a_receiver_that_hangs_holds_nobody_up_and_is_told_by_the_next_life(live, hook):
    """What was being sent counts as not sent: it may come twice, and is never lost."""
    live.write("1s")
    hook.hanging = True
    with daemon(live, "sending") as running:
        running.wait_for(lambda: hook.taken)
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == CUT_OFF
    (said,) = running.says("left to the next start")
    assert re.search(r"left to the next start: 1 message \(text \d of sw-\w+ to hook\)$", said["message"])
    first = hook.taken[0].json()
    hook.hanging = False
    told = len(hook.taken)
    with daemon(live, "told") as running:
        running.wait_for(lambda: len(hook.taken) > told and live.queued() == 0)
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
    assert hook.taken[told].json()["incident"] == first["incident"]
