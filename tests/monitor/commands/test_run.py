"""`slicewatch run`: the daemon, as a process of its own over a table that is written to now."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor import store
from tests.monitor.commands.place import HOUR, PROGRAM, RULE, Place, at, events
from tests.monitor.commands.place import TOML as COUNTED
from tests.standins.slack import APP_TOKEN, TOKEN, SlackStandin
from tests.standins.slack_socket import SocketStandin

pytestmark = pytest.mark.xdist_group("daemon")

TOML = """\
rules = ["rules/*.yaml"]

[store]
url = "sqlite:///slicewatch.db"

[sources.live]
kind = "sql"
url = "sqlite:///live.db"

[receivers.terminal]
kind = "console"

[receivers.oncall]
kind = "slack"
channel = "#oncall"
token = {{env = "SLACK_TOKEN"}}
app_token = {{env = "SLACK_APP_TOKEN"}}
base_url = "{url}"
"""
SECRETS = {"SLACK_TOKEN": TOKEN, "SLACK_APP_TOKEN": APP_TOKEN}
SLOW = 120.0
"""Seconds after which something that takes a second or two has failed, on a busy machine."""


def fill(place: Place, now: datetime) -> None:
    """Five weeks of events up to three hours from now, a device gone from two hours before this one on."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    frame = events(hour + 3 * HOUR, outage=(hour - 2 * HOUR, hour + 3 * HOUR))
    with closing(sqlite3.connect(place.folder / "live.db")) as connection, connection:
        connection.execute("CREATE TABLE playback (event_time TIMESTAMP, device TEXT, country TEXT, events INTEGER)")
        rows = [(str(row[0]), *row[1:]) for row in frame.itertuples(index=False)]
        connection.executemany("INSERT INTO playback VALUES (?, ?, ?, ?)", rows)


@dataclass(frozen=True)
class Running:
    """A daemon's process, and the log of this one alone."""

    process: subprocess.Popen[str]
    log: Path

    def wait_for(self, what: Callable[[], object]) -> None:
        """Until `what` holds; a daemon that ended meanwhile, or took too long, fails with its log."""
        until = time.monotonic() + SLOW
        while not what():
            assert self.process.poll() is None, f"the daemon ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"it did not happen in time: {self.log.read_text()}"
            time.sleep(0.1)

    def up(self) -> bool:
        """Whether it watches."""
        return "watching 1 rule" in self.log.read_text()

    def end(self, number: signal.Signals) -> str:
        """Ask it to end by a signal; what it printed."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=SLOW)
        return out


@contextmanager
def daemon(place: Place, log: Path, **env: str) -> Iterator[Running]:
    """A daemon that is surely gone afterwards."""
    command = [PROGRAM, "run", "--config", str(place.config)]
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, env=os.environ | env)
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.communicate()


def runs(place: Place) -> list[store.Run]:
    state = store.Store.open(f"sqlite:///{place.folder / 'slicewatch.db'}")
    try:
        with state.read() as tx:
            return store.runs(tx, "playback_volume")[::-1]
    finally:
        state.close()


@pytest.fixture(scope="module")
def socket() -> Iterator[SocketStandin]:
    with SocketStandin() as standin:
        yield standin


@pytest.fixture(scope="module")
def slack(socket: SocketStandin) -> Iterator[SlackStandin]:
    with SlackStandin(socket_url=socket.url) as standin:
        yield standin


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, slack: SlackStandin) -> Place:
    """A live table, watched until six hours ago."""
    now = datetime.now(UTC)
    place = Place(tmp_path_factory.mktemp("live"))
    place.write("slicewatch.toml", TOML.format(url=slack.url))
    place.write(
        "rules/playback.yaml", RULE.replace("lake.", "live.") + "    schedule: 30m\n    notify: [terminal, oncall]\n"
    )
    fill(place, now)
    watched_until = now.replace(minute=0, second=0, microsecond=0) - 6 * HOUR
    assert place.run("once", *at(watched_until), **SECRETS).exit_code == 0
    return place


@dataclass(frozen=True)
class Story:
    """What came of the first daemon, from its start to its end by SIGTERM."""

    begins_after: int
    """Tick of the evaluation before."""
    pid: int
    returncode: int
    out: str
    log: list[str]
    second: subprocess.CompletedProcess[str]
    """A second daemon on the same store, meanwhile."""
    rule: dict[str, Any]
    """What `status` said of the rule, meanwhile."""
    shown: dict[str, Any]
    """The incident's message in Slack, once somebody had pressed its button."""


@pytest.fixture(scope="module")
def story(place: Place, slack: SlackStandin, socket: SocketStandin) -> Story:
    """A daemon that has told what there was to tell, and has ended."""
    (before,) = runs(place)
    with daemon(place, place.folder / "first.log", **SECRETS) as running:
        running.wait_for(lambda: slack.roots() and all_delivered(place))
        second = subprocess.run(
            [PROGRAM, "run", "--config", str(place.config)],
            capture_output=True,
            text=True,
            timeout=SLOW,
            env=os.environ | SECRETS,
            check=False,
        )
        (rule,) = place.lines("status")[0]["rules"]
        running.wait_for(socket.connected.is_set)
        socket.send("interactive", acknowledged(slack))
        running.wait_for(lambda: "Take back" in str(slack.roots()) and all_delivered(place))
        out = running.end(signal.SIGTERM)
    process = running.process
    return Story(
        before.tick,
        process.pid,
        process.returncode,
        out,
        running.log.read_text().splitlines(),
        second,
        rule,
        slack.roots()[0],
    )


def all_delivered(place: Place) -> bool:
    """Whether nothing waits to be sent, to any receiver."""
    return place.lines("status")[0]["deliveries"]["queued"] == 0


def acknowledged(slack: SlackStandin) -> dict[str, Any]:
    """What Slack sends when somebody presses the first button under the only message there is."""
    (buttons,) = [block for block in slack.roots()[0]["blocks"] if block["type"] == "actions"]
    pressed = buttons["elements"][0] | {"block_id": buttons["block_id"], "action_ts": f"{time.time():.6f}"}
    user = {"id": "U0KARI", "name": "kari", "team_id": "T1"}
    return {
        "type": "block_actions",
        "user": user,
        "team": {"id": "T1"},
        "actions": [pressed],
        "response_url": slack.reply_url,
    }


def test_the_daemon_catches_up_tells_and_ends(place, slack, story):
    """Every evaluation missed since the last one is made in order; the loss is told to both receivers; SIGTERM ends it."""
    assert story.returncode == 0
    assert story.log[0].endswith("INFO watching 1 rule")
    assert story.log[-1].endswith("INFO stopped")
    assert not [line for line in story.log if "Traceback" in line]

    ticks = [run.tick for run in runs(place)]
    assert all(run.outcome == "ok" for run in runs(place))
    assert len(ticks) >= 13
    assert ticks == list(range(story.begins_after, ticks[-1] + 1, 1800))

    assert len(slack.roots()) == 1
    assert slack.calls("chat.postMessage")[0].args["text"].startswith("CRITICAL playback_volume: device=ios 0 events")
    assert "CRITICAL playback_volume: device=ios stopped" in story.out
    assert story.rule["health"] == "firing"
    assert [incident["cause"] for incident in story.rule["open"]] == [{"device": "ios"}]


def test_the_daemon_answers_a_button(slack, story):
    """Pressed in Slack, done in the store, shown in the message, answered to whoever pressed, and logged."""
    assert "kari" in str(story.shown["blocks"])
    assert slack.replies[0]["text"].startswith("Acknowledged by kari until ")
    assert [line for line in story.log if "slack: acknowledge " in line and "by kari (U0KARI)" in line]


def test_a_second_daemon_on_the_same_store_is_refused(story):
    """It says which process is in its way, and tells nobody anything."""
    assert (story.second.returncode, story.second.stdout) == (2, "")
    assert f"another slicewatch daemon (process {story.pid}) runs on this store" in story.second.stderr
    assert "Traceback" not in story.second.stderr


@pytest.mark.usefixtures("story")
def test_a_daemon_started_again_repeats_nothing(place, slack):
    """The same store, a new process: no message a second time, no verdict changed; SIGINT ends it too."""
    told, before = len(slack.posts()), open_ones(place)
    with daemon(place, place.folder / "again.log", **SECRETS) as running:
        running.wait_for(running.up)
        time.sleep(5)  # time to do what it should not
        out = running.end(signal.SIGINT)
    assert running.process.returncode == 0
    assert out == ""
    assert len(slack.posts()) == told
    assert open_ones(place) == before


def open_ones(place: Place) -> list[tuple[str, str, str]]:
    """What an evaluation that falls due meanwhile leaves as it is."""
    (rule,) = place.lines("status")[0]["rules"]
    return [(incident["id"], incident["since"], incident["state"]) for incident in rule["open"]]


def test_a_daemon_without_its_secret_says_which(place):
    """It ends at once with exit code 2 and the variable's name, and holds no lock."""
    run = subprocess.run(
        [PROGRAM, "run", "--config", str(place.config)],
        capture_output=True,
        text=True,
        timeout=SLOW,
        check=False,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert "missing secret: receivers.oncall.token reads the variable SLACK_TOKEN, which is not set" in run.stderr


def test_a_rule_edited_is_active_after_sighup(tmp_path):
    """Though the file seems untouched (size, time, inode), which the watch for changes takes for no edit at all."""
    place = Place(tmp_path)
    place.write("slicewatch.toml", COUNTED)
    file = place.write("rules/playback.yaml", RULE)
    place.write_events(events(datetime.now(UTC).replace(minute=0, second=0, microsecond=0), days=2, lost=None))
    with daemon(place, tmp_path / "run.log") as running:
        running.wait_for(lambda: "playback_volume at " in running.log.read_text())
        before = file.stat()
        with file.open("r+") as opened:
            opened.write(RULE.replace("playback_volume", "playback_amount"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        running.process.send_signal(signal.SIGHUP)
        running.wait_for(lambda: "playback_amount at " in running.log.read_text())
        running.end(signal.SIGTERM)
    log = running.log.read_text()
    assert "rules read again: added: playback_amount; removed: playback_volume" in log
    assert running.process.returncode == 0
    assert "Traceback" not in log
    # DuckDB says at the interpreter's end what is still held on to.
    assert log.endswith("INFO stopped\n")
