"""A real daemon on a file whose history has been damaged: it says so, tells what it can, and judges nothing by it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.ports import Part
from monitor import store
from tests.monitor.commands.place import HOUR, PROGRAM, RULE, Place, at
from tests.monitor.commands.test_run import SECRETS, SLOW, TOML, daemon, fill, runs
from tests.monitor.store.make import message
from tests.monitor.store.test_backup import damage
from tests.standins.slack import SlackStandin

pytestmark = pytest.mark.xdist_group("daemon")


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackStandin]:
    with SlackStandin() as standin:
        yield standin


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, slack: SlackStandin) -> Place:
    """A live table, watched until six hours ago, when a message was queued; since then the disk has lost some bytes."""
    now = datetime.now(UTC)
    place = Place(tmp_path_factory.mktemp("damaged"))
    settings = TOML.format(url=slack.url).replace('app_token = {env = "SLACK_APP_TOKEN"}\n', "")
    place.write("slicewatch.toml", settings)
    place.write("rules/playback.yaml", RULE.replace("lake.", "live.") + "    notify: [oncall]\n")
    fill(place, now)
    watched_until = now.replace(minute=0, second=0, microsecond=0) - 6 * HOUR
    assert place.run("once", *at(watched_until), **SECRETS).exit_code == 0
    file = place.folder / "slicewatch.db"
    state = store.Store.open(f"sqlite:///{file}")
    with state.write() as tx:
        store.enqueue(tx, message("told-all-the-same"), "oncall", [Part.TEXT], watched_until)
    state.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE slicewatch_page SET body = zeroblob(length(body)) WHERE bucket % 7200 = 0")
    return place


def test_the_daemon_says_what_is_wrong_and_delivers_what_it_can(place: Place, slack: SlackStandin) -> None:
    """No evaluation counts, none is made up, nobody is told of a loss that is none; what waited goes out."""
    before = runs(place)
    with daemon(place, place.folder / "run.log", **SECRETS) as running:
        running.wait_for(lambda: "is damaged" in running.log.read_text() and slack.roots())
        running.end(signal.SIGTERM)
    assert running.process.returncode == 0
    lines = [line for line in running.log.read_text().splitlines() if "is damaged" in line]
    assert f"store sqlite:///{place.folder}/slicewatch.db is damaged" in lines[0]
    assert "`slicewatch restore FILE`" in lines[0]
    assert "Traceback" not in running.log.read_text()
    assert [root["text"].splitlines()[0] for root in slack.roots()] == ["device=ios 0 events"]
    assert [run for run in runs(place) if run not in before] == []


def test_commands_say_it_too(place: Place, tmp_path: Path) -> None:
    """`once` and `backup` end with one line and exit code 2; `status` does once its own tables are hit."""
    for words in (["once"], ["backup", str(tmp_path / "b.db")]):
        done = program(place, *words)
        assert done.returncode == 2, done
        assert "is damaged" in done.stderr
        assert "Traceback" not in done.stderr
    damage(place.folder / "slicewatch.db", "slicewatch_run")
    done = program(place, "status")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is damaged (database disk image is malformed): stop slicewatch" in done.stderr


def program(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own."""
    command = [PROGRAM, *words, "--config", str(place.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SLOW, env=os.environ | SECRETS, check=False)
