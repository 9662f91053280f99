"""`slicewatch backup` and `restore` around a real daemon that tells a real HTTP server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.monitor.commands.place import HOUR, PROGRAM, RULE, Place, at
from tests.monitor.commands.test_run import SECRETS, SLOW, TOML, all_delivered, daemon, fill, runs
from tests.standins.slack import SlackStandin

pytestmark = pytest.mark.xdist_group("daemon")


def program(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own."""
    command = [PROGRAM, *words, "--config", str(place.config)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SLOW, env=os.environ | SECRETS, check=False, cwd=place.folder
    )


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackStandin]:
    with SlackStandin() as standin:
        yield standin


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, slack: SlackStandin) -> Place:
    """A backup of before a loss; the loss was told since; a backup while the daemon ran."""
    now = datetime.now(UTC)
    place = Place(tmp_path_factory.mktemp("backed-up"))
    settings = TOML.format(url=slack.url).replace('app_token = {env = "SLACK_APP_TOKEN"}\n', "")
    place.write("slicewatch.toml", settings)
    place.write("rules/playback.yaml", RULE.replace("lake.", "live.") + "    schedule: 30m\n    notify: [oncall]\n")
    fill(place, now)
    watched_until = now.replace(minute=0, second=0, microsecond=0) - 6 * HOUR
    assert place.run("once", *at(watched_until), **SECRETS).exit_code == 0
    assert program(place, "backup", "before.db").returncode == 0
    with daemon(place, place.folder / "first.log", **SECRETS) as running:
        running.wait_for(lambda: slack.roots() and all_delivered(place))
        made, refused = program(place, "backup", "while.db", "--json"), program(place, "restore", "before.db")
        running.end(signal.SIGTERM)
    place.write("made.json", made.stdout)
    place.write("refused.txt", refused.stderr)
    assert (made.returncode, refused.returncode) == (0, 2)
    return place


def test_the_daemon_is_not_disturbed_by_a_backup_and_refuses_a_restore(told: Place) -> None:
    """The backup says its size and moment; the refusal says which process to stop."""
    made = json.loads((told.folder / "made.json").read_text())
    assert made["bytes"] == (told.folder / "while.db").stat().st_size > 100_000
    assert "runs on this store" in (told.folder / "refused.txt").read_text()
    assert "stop it first" in (told.folder / "refused.txt").read_text()
    log = (told.folder / "first.log").read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def test_a_restored_daemon_makes_up_for_what_was_lost_and_tells_nothing_twice(
    told: Place, slack: SlackStandin, tmp_path: Path
) -> None:
    """Evaluations since the backup are made again; the incident's message is found in Slack and adopted.

    How news are put together depends on when they are sent, so that a thread may say what it has said in other words.
    """
    place = Place(tmp_path / "again")
    shutil.copytree(told.folder, place.folder)
    posts, ticks = len(slack.posts()), [run.tick for run in runs(place)]
    (before,) = place.lines("status")[0]["rules"]
    done = program(place, "restore", "before.db")
    assert done.returncode == 0, done.stderr
    assert "restored, made at" in done.stdout
    assert "the store that was there is kept" in done.stdout
    assert len(runs(place)) == 1
    with daemon(place, place.folder / "second.log", **SECRETS) as running:
        running.wait_for(lambda: len(runs(place)) >= len(ticks) and all_delivered(place))
        time.sleep(2)  # time to do what it should not
        running.end(signal.SIGTERM)
    assert [run.tick for run in runs(place)][: len(ticks)] == ticks
    (after,) = place.lines("status")[0]["rules"]
    assert [i["id"] for i in after["open"]] == [i["id"] for i in before["open"]]
    assert len(slack.roots()) == 1
    replies = [str(post.get("text", post)) for post in slack.posts() if post.get("thread_ts", post["ts"]) != post["ts"]]
    assert len(replies) == len(set(replies)) <= posts


def test_a_restore_holds_back_what_waited(told: Place, tmp_path: Path) -> None:
    """With --hold, and as JSON."""
    place = Place(tmp_path / "held")
    shutil.copytree(told.folder, place.folder)
    done = program(place, "restore", "while.db", "--hold", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["held"] == found["waiting"]
    assert Path(found["aside"]).is_file()
    assert place.lines("status")[0]["deliveries"]["queued"] == 0


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_postgresql_is_left_to_its_own_tools(tmp_path: Path, command: str) -> None:
    """One line that names them, and exit code 2; nobody is asked."""
    place = Place(tmp_path)
    place.write("slicewatch.toml", 'rules = ["rules/*.yaml"]\n\n[store]\nurl = "postgresql://nowhere.invalid/x"\n')
    place.write("b.db", "")
    done = program(place, command, "b.db")
    assert (done.returncode, done.stdout) == (2, "")
    assert "pg_dump" in done.stderr
    assert len(done.stderr.splitlines()) == 1
