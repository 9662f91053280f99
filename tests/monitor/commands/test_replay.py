"""`slicewatch replay`: a stretch of history as if live."""

from __future__ import annotations

import json
import re

import pytest

from tests.monitor.commands.place import END, OUTAGE, RULE, events

pytestmark = pytest.mark.xdist_group("commands")

KEYS = [
    *("rule", "metric", "kind", "cause", "also", "to", "causes", "since", "raised_at", "resolved_at"),
    *("observed", "expected", "severity", "state"),
]
STRETCH = ("--from", "2026-03-04", "--to", "2026-03-04T12:00Z")
SHORT = ("--from", "2026-03-04T05:00", "--to", "2026-03-04T08:00")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_json_lines_hold_the_documented_keys_and_standard_error_the_rest(fresh):
    """One object per incident, exit code 0 though there is one; nominal and observed noise are diagnostics."""
    run = fresh.run("replay", *STRETCH, "--json")
    (incident,) = map(json.loads, run.stdout.splitlines())
    assert run.exit_code == 0
    assert list(incident) == KEYS
    assert incident | {"observed": 0, "expected": 0} == {
        "rule": "playback_volume",
        "metric": "sum(events)",
        "kind": "drop",
        "cause": {"device": "ios"},
        "also": [],
        "to": None,
        "causes": [],
        "since": "2026-03-04T06:00:00Z",
        "raised_at": "2026-03-04T07:00:00Z",
        "resolved_at": "2026-03-04T11:00:00Z",
        "observed": 0,
        "expected": 0,
        "severity": "critical",
        "state": "resolved",
    }
    assert incident["observed"] == 0
    assert 4_500 < incident["expected"] < 6_000
    assert run.stderr == (
        "playback_volume: budget 1 false incidents a week (0.1 in this stretch), 1 incidents fired, true ones included\n"
    )


def test_text_says_what_was_raised_and_when(fresh):
    """One line per incident, under the stretch."""
    lines = fresh.run("replay", *STRETCH).stdout.splitlines()
    assert lines[0] == "playback_volume: 12 evaluations from 2026-03-04 00:00 to 2026-03-04 12:00 UTC"
    assert lines[1].startswith("2026-03-04T07:00:00Z  critical drop    device=ios  sum(events)  observed 0 of ")
    assert lines[1].endswith("since 2026-03-04T06:00:00Z  resolved 2026-03-04T11:00:00Z")
    assert len(lines) == 2


def test_where_nothing_happened_nothing_is_printed(fresh):
    """No object with --json, a plain word without."""
    quiet = ("--from", "2026-03-04T04:00", "--to", "2026-03-04T05:00")
    run = fresh.run("replay", *quiet, "--json")
    assert (run.exit_code, run.stdout) == (0, "")
    assert fresh.run("replay", *quiet).stdout.splitlines()[1] == "no incident"


def test_the_configured_store_is_not_touched(fresh, told):
    """It is not made where there is none, and equal row by row where there is one."""
    fresh.run("replay", *SHORT)
    assert not list(fresh.folder.glob("slicewatch.db*"))
    before = told.dump()
    told.run("replay", *SHORT)
    assert told.dump() == before


def test_an_incident_that_lasts_has_no_end(fresh):
    """`resolved_at` is null and the state says so."""
    (incident,) = fresh.lines("replay", *SHORT)
    assert (incident["state"], incident["resolved_at"]) == ("firing", None)
    assert incident["raised_at"] == "2026-03-04T07:00:00Z"


@pytest.mark.parametrize(("value", "shown"), [(None, None), ("(other)", "(other)")], ids=["null", "other"])
def test_null_and_the_word_other_are_causes_like_any(fresh, value, shown):
    """NULL is null in JSON; a value that reads "(other)" stays a word and is no folded rest."""
    fresh.write_events(events(END, lost=value))
    (incident,) = fresh.lines("replay", *SHORT)
    assert incident["cause"] == {"device": shown}


def test_only_the_rules_that_are_named_are_replayed(fresh):
    """Each incident names its rule; an unknown name is a usage error."""
    fresh.write("rules/second.yaml", RULE.replace("playback_volume", "second"))
    assert [incident["rule"] for incident in fresh.lines("replay", "second", *SHORT)] == ["second"]
    run = fresh.run("replay", "third", *SHORT)
    assert (run.exit_code, run.stdout) == (2, "")
    assert "no rule is called 'third' - known: playback_volume, second" in run.stderr


def test_a_broken_rule_is_told_and_stops_no_other(fresh):
    """Its problem stands on standard error with its place."""
    fresh.write("rules/broken.yaml", "rules:\n  - name: broken\n    sauce: lake.playback\n")
    run = fresh.run("replay", *SHORT, "--json")
    assert run.exit_code == 0
    assert [json.loads(line)["rule"] for line in run.stdout.splitlines()] == ["playback_volume"]
    assert "broken.yaml:3:5: error[unknown-key]: 'sauce' is not a key of a rule" in run.stderr


@pytest.mark.parametrize("to", ["2026-03-04", "2026-03-03"], ids=["empty", "backwards"])
def test_a_stretch_without_time_is_refused(fresh, to):
    """Rather than reporting that nothing happened in it."""
    run = fresh.run("replay", "--from", "2026-03-04", "--to", to)
    assert (run.exit_code, run.stdout) == (2, "")
    assert "--to is not after --from" in run.stderr


def test_a_source_that_cannot_be_asked_is_2(fresh):
    """No answer is not "no incident"."""
    (fresh.folder / "lake" / "events.parquet").unlink()
    run = fresh.run("replay", *SHORT, "--json")
    assert (run.exit_code, run.stdout) == (2, "")
    assert "lake" in run.stderr


def test_times_are_in_utc_with_z(fresh):
    """Every time of a line, whatever form the options had."""
    (incident,) = fresh.lines("replay", "--from", "2026-03-04T06:00+01:00", "--to", "2026-03-04T13:00+01:00")
    times = [incident[key] for key in ("since", "raised_at", "resolved_at")]
    assert all(TIME.fullmatch(text) for text in times)
    assert times[0] == OUTAGE[0].strftime("%Y-%m-%dT%H:%M:%SZ")
