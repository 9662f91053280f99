"""`slicewatch ack`, `snooze`, `not-a-problem`: what people do, from the command line."""

from __future__ import annotations

import io
import json
import threading
import time
from datetime import timedelta

import pytest

from alerts.model import Actor
from monitor import store
from monitor.acting import Desk
from monitor.app import App
from monitor.scheduler import Daemon
from tests.monitor.commands.place import OUTAGE

pytestmark = pytest.mark.xdist_group("commands")


def only(place) -> dict:
    (view,) = place.lines("status")
    (incident,) = view["rules"][0]["open"]
    return incident


def test_what_people_do_is_told_shown_and_explained(told):
    """Acknowledge, take back, snooze: each answers in a sentence, `status` shows it, `explain` who it was."""
    name = only(told)["id"]
    assert told.run("ack", name, "--as", "Kari").stdout.startswith("Acknowledged by Kari until ")
    assert told.run("ack", name, "--as", "Kari").stdout == f"Nothing to do: {name} is acknowledged already.\n"
    assert "by Kari until" in told.run("status").stdout
    assert told.run("ack", name, "--take-back", "--as", "Ola").stdout == "Acknowledgement taken back by Ola.\n"
    assert told.run("snooze", name, "resolved", "--as", "Kari").stdout == "Snoozed by Kari until it is over.\n"
    assert (only(told)["state"], only(told)["hush"]["until"]) == ("snoozed", None)
    found = json.loads(told.run("explain", name, "--json").stdout)["incidents"][0]["actions"]
    assert [(act["action"], act["by"]["name"]) for act in found] == [
        ("acknowledge", "Kari"),
        ("reopen", "Ola"),
        ("snooze", "Kari"),
    ]
    assert " snooze by Kari (cli " in told.run("explain", name).stdout


def test_no_problem_closes_it(told):
    """Nothing is open afterwards; what it was called is kept; the end is in the outbox for whoever heard of it."""
    name = only(told)["id"]
    answer = told.run("not-a-problem", name, "--new-normal", "--as", "Kari").stdout
    assert answer.startswith("Kari says it is as it should be")
    (view,) = told.lines("status")
    assert view["rules"][0]["open"] == []
    state = store.Store.open(f"sqlite:///{told.folder / 'slicewatch.db'}")
    with state.read() as tx:
        assert store.incident(tx, name).feedback.value == "new-normal"
        assert [part.state for part in store.deliveries(tx, name) if part.part == "text"] == ["done", "queued"]
    state.close()


def test_what_is_refused_says_why_and_ends_with_1(told):
    """An incident that is none, an end that is none: one sentence on standard error."""
    refused = told.run("ack", "sw-none")
    assert (refused.exit_code, refused.stderr) == (1, "no incident is called 'sw-none'\n")
    late = told.run("snooze", only(told)["id"], "yesterday")
    assert late.exit_code == 1
    assert "write 30m or 2h" in late.stderr


def test_the_daemon_wakes_a_snooze_between_two_evaluations(told):
    """Half an hour after an evaluation it is told again, by the daemon alone, and delivered."""
    at = OUTAGE[1] + timedelta(minutes=1)
    with App.open(told.config, {}, out=io.StringIO()) as app:
        with app.state.read() as tx:
            (incident,) = store.incidents(tx)
        Desk(app).snooze(incident.id, Actor("cli", "kari", "Kari"), at, "20m")
        began = time.monotonic()
        clock = lambda: at + timedelta(minutes=25, seconds=time.monotonic() - began)  # noqa: E731  # a clock that goes
        daemon = Daemon(app, now=clock, follow_seconds=0.02)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        until = time.monotonic() + 60
        while "Snoozed by Kari until 4 Mar 09:21 UTC, and still bad." not in app.out.getvalue():
            assert time.monotonic() < until, "it was not told again"
            time.sleep(0.02)
        daemon.stop()
        thread.join(60)
        assert not thread.is_alive()


def test_a_silence_is_added_listed_shown_and_ended(told):
    """It says what it covers, until when, who and why; `status` shows it; ended, it is listed with --all alone."""
    add = told.run(
        "silence", "add", "playback_*", "device=ios", "--for", "2h", "--reason", "7.3 rolls back", "--as", "Kari"
    )
    name, rest = add.stdout.split(maxsplit=1)
    assert rest.startswith("playback_* device=ios  silenced until ")
    assert rest.endswith(" by Kari: 7.3 rolls back\n")
    (listed,) = told.lines("silence", "list")
    assert (listed["id"], listed["slice"], listed["by"]["name"]) == (name, {"device": "ios"}, "Kari")
    assert f"{name}: playback_* device=ios silenced until" in told.run("status").stdout
    assert told.run("silence", "end", name).stdout.endswith("(over)\n")
    assert told.run("silence", "list").stdout == "no silence holds\n"
    assert [line["id"] for line in told.lines("silence", "list", "--all")] == [name]
    again = told.run("silence", "end", name)
    assert (again.exit_code, again.stderr.startswith(f"{name} is over since ")) == (1, True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("add", "playbak_volume", "--for", "2h", "--reason", "x"), "did you mean 'playback_volume'?"),
        (("add", "*", "devise=ios", "--for", "2h", "--reason", "x"), "did you mean 'device'?"),
        (("add", "*", "--reason", "x"), "say how long: --for 2h"),
        (("add", "*", "--for", "2h"), "a silence says why"),
        (("add", "*", "--for", "2h", "--reason", "x", "--label", "tier"), "'tier' is no label: write KEY=VALUE"),
        (("end",), "name the silence to end"),
        (("end", "sl-none"), "no silence is called 'sl-none'"),
    ],
)
def test_a_silence_that_is_meant_otherwise_is_refused(fresh, args, says):
    """A mistyped rule or dimension silences nothing, and says what is meant."""
    refused = fresh.run("silence", *args)
    assert refused.exit_code in {1, 2}
    assert says in refused.stderr
