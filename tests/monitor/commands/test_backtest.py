"""`slicewatch backtest`: what the daemon would have told, as a report."""

from __future__ import annotations

import io
import json
import re
import subprocess

import pytest

from monitor import store
from monitor.app import App
from monitor.replay import Replay
from tests.monitor.commands.place import END, HOUR, OUTAGE, RULE, Place
from tests.monitor.verdicts import bucket_by_bucket, verdicts

pytestmark = pytest.mark.xdist_group("commands")

SHORT = ("--from", "2026-03-04T05:00", "--to", "2026-03-04T11:00")
KNOWN = """\
    known:
      - {name: the outage, from: 2026-03-04T06:00, to: 2026-03-04T09:00, slice: {device: ios}, kind: drop}
      - {from: 2026-03-04T06:00, to: 2026-03-04T09:00, slice: {device: tv}}
"""


def test_it_is_the_daemon_bucket_by_bucket(fresh):
    """The daemon, started anew for each tick on the store it left, comes to the same fits, flags and incidents."""
    with App.open(fresh.config, {}, io.StringIO(), store_url="sqlite://") as app:
        (rule,) = app.rules.rules
        start = OUTAGE[0] - HOUR
        replay = Replay(rule, app.source("lake"), store.Store.open("sqlite://"), start, END - HOUR)
        expected = bucket_by_bucket(replay)
        assert len(replay.incidents()) == 1
        replay.state.close()
    for hour, wanted in enumerate(expected, 1):
        with App.open(fresh.config, {}, io.StringIO()) as daemon:
            outcome = daemon.tick(rule, start + hour * HOUR)
            assert outcome.judged == (start + (hour - 1) * HOUR,)
            assert verdicts(daemon.state) == wanted
    assert len(expected) == 6


def committed(place: Place) -> Place:
    """The folder's rules as the first revision of a git repository; the lake is no part of it."""
    words = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(place.folder))
    for command in (("init", "-q"), ("add", "rules", "slicewatch.toml"), ("commit", "-q", "-m", "first")):
        subprocess.run([*words, *command], check=True, capture_output=True)
    return place


@pytest.fixture(scope="module")
def reported(_fresh, tmp_path_factory):
    """JSON and page of a rule that was changed to wait for one more evaluation, against the one before."""
    import shutil

    folder = tmp_path_factory.mktemp("reported") / "place"
    shutil.copytree(_fresh.folder, folder)
    place = committed(Place(folder))
    place.write("rules/playback.yaml", RULE + "    for: 1\n" + KNOWN)
    page = folder / "report.html"
    return place.run("backtest", *SHORT, "--against", "HEAD", "--html", str(page), "--json"), page.read_text()


def test_json_says_what_would_have_fired_and_what_was_missed(reported):
    """One object per rule, incidents as `replay` prints them; how fast it went is a diagnostic."""
    run = reported[0]
    assert run.exit_code == 0
    assert re.fullmatch(r"playback_volume: [\d.]+ CPU seconds, [\d,]+ slices x buckets a CPU second\n", run.stderr)
    (report,) = map(json.loads, run.stdout.splitlines())
    against = report.pop("against")
    assert (against["revision"], against["added"], against["removed"]) == ("HEAD", [], [])
    assert [kept["later_seconds"] for kept in against["kept"]] == [3600.0]
    assert [i["cause"] for i in report.pop("incidents")] == [{"device": "ios"}]
    assert [(label["name"], label["told_at"]) for label in report.pop("known")] == [
        ("the outage", "2026-03-04T08:00:00Z"),
        ("", None),
    ]
    assert report == {
        "rule": "playback_volume",
        "from": "2026-03-04T05:00:00Z",
        "to": "2026-03-04T11:00:00Z",
        "evaluations": 6,
        "unknown": 0,
        "slices": 28,
        "noise": {"budget_per_week": 1.0, "nominal": 0.0357, "fired": 1, "unlabelled": 0},
        "noisiest": [{"slice": {"device": "ios"}, "incidents": 1, "buckets": 3}],
        "delay_seconds": {"median": 7200.0, "longest": 7200.0},
        "recall": 0.5,
        "precision": 1.0,
    }


def test_the_page_holds_all_it_shows(reported):
    """One file: nothing is fetched, no script runs, names are escaped; incident, label and change are in it."""
    html = reported[1]
    assert not re.search(r"<script|<link|<img|src=|https?://|@import|url\(", html)
    for words in ("device=ios", "MISSED  device=tv", "Against HEAD", "0 added, 0 removed, 1 as before", "<polyline"):
        assert words in html
    assert html.startswith("<!doctype html>")


def test_what_is_no_revision_is_2(fresh):
    """Outside a repository, and of a revision that is none: a line that says which."""
    run = fresh.run("backtest", *SHORT, "--against", "HEAD")
    assert (run.exit_code, run.stdout) == (2, "")
    assert "not a git repository" in run.stderr
    run = committed(fresh).run("backtest", *SHORT, "--against", "main~99")
    assert (run.exit_code, run.stdout) == (2, "")
    assert "'main~99' is no revision of " in run.stderr


def test_a_stretch_without_time_is_refused(fresh):
    """As by `replay`."""
    run = fresh.run("backtest", "--from", "2026-03-04", "--to", "2026-03-04")
    assert (run.exit_code, run.stdout) == (2, "")
    assert "--to is not after --from" in run.stderr
