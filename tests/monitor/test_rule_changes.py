"""What follows from a change of the rule files: incidents of removed rules, and files that break."""

from __future__ import annotations

from contextlib import contextmanager
from io import StringIO

import pytest

from alerts.breakage import BROKEN, MENDED, STOPPED
from alerts.model import State
from alerts.ports import Part
from monitor import store
from monitor.app import App
from tests.alerts.make import START, tick
from tests.monitor.commands.place import RULE, TOML, Place
from tests.monitor.store.make import decision, incident, message, transition

MORE = """
[receivers.recs-data]
kind = "console"
"""
OTHER = RULE.replace("playback_volume", "other") + "    notify: recs-data\n"
TOO_DEEP = RULE + "    depth: 9\n"


@pytest.fixture
def place(tmp_path) -> Place:
    """Two rule files, and no events: nothing is evaluated here."""
    made = Place(tmp_path)
    made.write("slicewatch.toml", TOML.replace("rules =", 'fallback = "terminal"\nrules =') + MORE)
    made.write("rules/playback.yaml", RULE)
    made.write("rules/other.yaml", OTHER)
    return made


@contextmanager
def started(place: Place):
    """An app whose rule files were followed up."""
    with App.open(place.config, {}, StringIO()) as app:
        app.settle(tick(5))
        yield app


def open_incident(app: App, rule: str) -> str:
    """An incident of a rule that `oncall` knows of; its id."""
    item = incident(f"i-{rule}", rule=rule, raised_at=START)
    with app.state.write() as tx:
        store.save_incident(tx, item)
        store.add_transition(tx, transition(item))
        store.add_decision(tx, decision(item))
        store.enqueue(tx, message(item.id), "oncall", [Part.TEXT], START)
    return item.id


def states(app: App) -> dict[str, State]:
    with app.state.read() as tx:
        return {item.rule: item.state for item in store.incidents(tx)}


def queued(app: App, thread: str) -> list[tuple[str, int]]:
    """Receiver and number of each message queued in the threads of these keys."""
    with app.state.read() as tx:
        rows = store.dump(tx)["slicewatch_outbox"]
    return sorted((receiver, seq) for _, key, receiver, seq, *_ in rows if key.startswith(thread))


def reloaded(app: App) -> None:
    app.reload()
    app.settle(tick(6))


def test_a_removed_rule_closes_its_incidents_in_a_reload_and_tells_who_knew(place):
    """Once, in the thread of the incident; the other rule's stay open."""
    with started(place) as app:
        gone = open_incident(app, "other")
        open_incident(app, "playback_volume")
        (place.folder / "rules" / "other.yaml").unlink()
        reloaded(app)
        reloaded(app)
        assert states(app) == {"other": State.RESOLVED, "playback_volume": State.FIRING}
        assert queued(app, gone) == [("oncall", 1), ("oncall", 2)]


def test_a_rule_removed_while_nothing_ran_closes_its_incidents_at_the_start(place):
    """The store knows of it, the files do not."""
    with started(place) as app:
        open_incident(app, "other")
    place.write("rules/other.yaml", OTHER.replace("name: other", "name: another"))
    with started(place) as app:
        assert states(app) == {"other": State.RESOLVED}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("rules/playback.yaml", "rules: ["),
        ("rules/playback.yaml", TOO_DEEP),
        ("slicewatch.toml", TOML.replace('["rules/*.yaml"]', '["rules/*.yaml", "teams/*.yaml"]')),
    ],
)
def test_a_rule_that_may_only_be_out_of_sight_keeps_its_incidents(place, file, text):
    """A file that cannot be read, one with an error, a pattern that names no file: it may be in there."""
    with started(place) as app:
        open_incident(app, "other")
    (place.folder / "rules" / "other.yaml").unlink()
    place.write(file, text)
    with started(place) as app:
        assert states(app) == {"other": State.FIRING}


def test_a_renamed_rule_is_not_a_removed_one(place):
    """What it `was` is adopted first."""
    with started(place) as app:
        open_incident(app, "other")
        place.write("rules/other.yaml", OTHER.replace("name: other", "name: another\n    was: other"))
        reloaded(app)
        assert states(app) == {"another": State.FIRING}


def test_a_breakage_is_told_once_and_once_more_when_it_is_mended(place):
    """However often it is edited meanwhile; the next breakage is a thread of its own."""
    with started(place) as app:
        assert queued(app, "file-") == []
        place.write("rules/other.yaml", "rules: [")
        reloaded(app)
        place.write("rules/other.yaml", OTHER + "    depth: 9\n")
        reloaded(app)
        assert queued(app, "file-") == [("recs-data", BROKEN)]
        assert [rule.name for rule in app.rules.rules] == ["other", "playback_volume"]
        place.write("rules/other.yaml", OTHER)
        reloaded(app)
        reloaded(app)
        assert queued(app, "file-") == [("recs-data", BROKEN), ("recs-data", MENDED)]
        place.write("rules/other.yaml", "rules: [")
        reloaded(app)
        assert queued(app, "file-") == [("recs-data", BROKEN), ("recs-data", BROKEN), ("recs-data", MENDED)]


def test_a_file_cut_down_to_nothing_is_broken_and_not_without_rules(place):
    """A write that failed half way leaves an empty file: its rules run on, their incidents stay, and their owner is told."""
    with started(place) as app:
        open_incident(app, "other")
        place.write("rules/other.yaml", "")
        reloaded(app)
        assert states(app) == {"other": State.FIRING}
        assert [rule.name for rule in app.rules.rules] == ["other", "playback_volume"]
        assert queued(app, "file-") == [("recs-data", BROKEN)]
        place.write("rules/other.yaml", "rules: []\n")
        reloaded(app)
        assert states(app) == {"other": State.RESOLVED}
        assert [rule.name for rule in app.rules.rules] == ["playback_volume"]


def test_a_breakage_is_the_same_by_whatever_path_the_daemon_was_started(place, monkeypatch):
    """Started with a relative path and then with an absolute one: told once."""
    monkeypatch.chdir(place.folder)
    place.write("rules/other.yaml", "rules: [")
    for config in (place.config.relative_to(place.folder), place.config):
        with App.open(config, {}, StringIO()) as app:
            app.settle(tick(5))
            assert queued(app, "file-") == [("terminal", STOPPED)]


def test_a_start_that_stops_the_rules_of_a_broken_file_is_told_in_its_thread(place):
    """They went on as they were until then; afterwards nobody evaluates them, and whoever heard of the breakage hears it."""
    with started(place) as app:
        place.write("rules/other.yaml", "rules: [")
        reloaded(app)
    for _ in range(2):
        with started(place) as app:
            assert [rule.name for rule in app.rules.rules] == ["playback_volume"]
            assert queued(app, "file-") == [("recs-data", BROKEN), ("recs-data", STOPPED)]


def test_a_rule_that_does_not_run_holds_back_nothing(place):
    """Nobody closes its incident: the other rule would be silent for as long as the file is broken."""
    place.write("rules/playback.yaml", RULE + "    inhibited_by: [other]\n")
    for text, held_by in ((OTHER, ("other",)), (OTHER + "    depth: 9\n", ())):
        place.write("rules/other.yaml", text)
        with started(place) as app:
            (rule,) = app.chosen(["playback_volume"])
            assert rule.inhibited_by == held_by
            assert "unknown-rule" not in {problem.code for problem in app.rules.problems}


def test_a_file_that_never_was_in_order_is_told_to_the_fallback(place):
    """Nobody knows whose rules those are."""
    place.write("rules/other.yaml", "rules: [")
    with started(place) as app:
        assert queued(app, "file-") == [("terminal", STOPPED)]
