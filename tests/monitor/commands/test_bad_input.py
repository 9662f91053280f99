"""What people get wrong, through the program: a clear line each, the right exit code, and nothing told falsely.

A disk that is full is in `tests/monitor/store/test_disk_full.py`, a store locked by another process in
`tests/crash/test_locked_store.py`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pandas as pd
import pytest

from tests.monitor.commands.place import END, HOUR, RULE, TOML, Place, at, events

pytestmark = pytest.mark.xdist_group("bad_input")

Spoil = Callable[[Place], object]


@dataclass(frozen=True)
class Case:
    """One mistake: how it is made, and what `check --online` and `once` answer."""

    id: str
    spoil: Spoil
    code: str
    at: str
    """`file:line:column` of the problem."""
    words: str
    check: int = 1
    """Exit code of `check --online`."""
    once: int | None = None
    """Exit code of `once`, where it differs from not running the rule (0)."""
    told: str = ""
    """What `once` says of it, where that is no problem of the rule file."""


def rule(old: str, new: str) -> Spoil:
    return lambda place: place.write("rules/playback.yaml", RULE.replace(old, new, 1))


def columns(**types: str) -> Spoil:
    """The lake with a column of another type."""

    def spoil(place: Place) -> None:
        frame = small()
        place.write_events(frame.astype(types))

    return spoil


def small() -> pd.DataFrame:
    """A lake of a few days: enough to be asked."""
    return events(END, 4, lost=None)


def empty(place: Place) -> None:
    place.write_events(small().head(0).astype({"events": "int64", "device": "str", "country": "str"}))


def two_of_a_name(place: Place) -> None:
    place.write("rules/second.yaml", RULE)


def without_its_secret(place: Place) -> None:
    warehouse = '[sources.warehouse]\nkind = "sql"\nurl = {env = "WAREHOUSE_URL"}\n'
    place.write("slicewatch.toml", TOML + warehouse)
    place.write("rules/playback.yaml", RULE.replace("lake.", "warehouse."))


CASES = [
    Case(
        "broken YAML",
        rule("[device, country]", "[device, country"),
        "syntax",
        "playback.yaml:7:13",
        "expected ',' or ']'",
    ),
    Case(
        "unknown key",
        rule("    owner", "    oner"),
        "unknown-key",
        "playback.yaml:8:5",
        "'oner' is not a key of a rule",
    ),
    Case(
        "unknown column",
        rule("[device, ", "[devise, "),
        "unknown-column",
        "playback.yaml:6:18",
        "'devise' is not a column of lake.playback",
        once=2,
        told="'devise' is not a column",
    ),
    Case(
        "time of a wrong type",
        columns(event_time="int64"),
        "wrong-column-type",
        "playback.yaml:4:16",
        "'event_time' of lake.playback is BIGINT, not a time",
        once=2,
        told="event_time",
    ),
    Case(
        "fractional sum",
        columns(events="float64"),
        "wrong-column-type",
        "playback.yaml:5:21",
        "'events' of lake.playback is DOUBLE; only whole numbers are summed",
        once=2,
        told="events",
    ),
    Case(
        "missing secret",
        without_its_secret,
        "missing-secret",
        "slicewatch.toml:14:7",
        "sources.warehouse.url reads the variable WAREHOUSE_URL, which is not set",
        check=2,
        once=2,
        told="WAREHOUSE_URL",
    ),
    Case(
        "two rules of one name",
        two_of_a_name,
        "duplicate-name",
        "second.yaml:2:11",
        "playback_volume",
    ),
]


def no_loss(output: str) -> bool:
    """Whether nothing is told that did not happen."""
    return not any(word in output for word in ("Traceback", "stopped", "dropped", "lost"))


@pytest.fixture
def place(tmp_path) -> Place:
    """Settings, a rule, and a lake of four days."""
    place = Place(tmp_path)
    place.write("slicewatch.toml", TOML)
    place.write("rules/playback.yaml", RULE)
    place.write_events(small())
    return place


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_mistake_is_answered_with_its_place(place, case):
    """`check --online` names file, line, column, and what is wrong; `once` says it too, and tells no loss."""
    case.spoil(place)
    run = place.run("check", "--online", "--json")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    (problem,) = [problem for problem in found if problem["severity"] == "error"]
    assert run.exit_code == case.check
    assert problem["code"] == case.code
    assert f"{problem['file']}:{problem['line']}:{problem['column']}".endswith(f"/{case.at}")
    assert case.words in problem["message"]
    run = place.run("once", *at(END))
    assert run.exit_code == (case.once or 0)
    assert case.told in run.output
    assert no_loss(run.output)


def test_a_negative_sum_is_blindness_not_a_loss(place):
    """Wherever in the history it is: `once` ends with 2, and the receiver is told what cannot be summed."""
    frame = small()
    frame.loc[len(frame) // 2, "events"] = -5
    place.write_events(frame)
    run = place.run("once", *at(END))
    assert run.exit_code == 2
    assert "CRITICAL playback_volume: lake.playback cannot be read" in run.stdout
    assert "'events' has a negative value: sum needs a non-negative integer column" in run.stdout
    assert place.lines("status")[0]["rules"][0]["health"] == "unknown"


def test_a_fraction_in_an_integer_column_is_blindness_not_a_loss(place):
    """SQLite keeps 1.5 where a column says INTEGER: seen only when it is summed."""
    place.write("slicewatch.toml", TOML + '[sources.w]\nkind = "sql"\nurl = "sqlite:///w.db"\n')
    place.write("rules/playback.yaml", RULE.replace("lake.", "w."))
    with closing(sqlite3.connect(place.folder / "w.db")) as connection, connection:
        connection.execute("CREATE TABLE playback (event_time TIMESTAMP, device TEXT, country TEXT, events INTEGER)")
        rows = [("2026-03-04 11:00:00", "ios", "NO", 3), ("2026-03-04 11:20:00", "tv", "NO", 1.5)]
        connection.executemany("INSERT INTO playback VALUES (?, ?, ?, ?)", rows)
    run = place.run("once", *at(END))
    assert run.exit_code == 2
    assert "'events' is not always an integer: sum needs a non-negative integer column" in run.stdout
    assert no_loss(run.output)


def test_an_empty_table_is_a_warning_and_nothing_to_lose(place):
    """There is nothing yet: said by `check`, and no incident; once there are events they are watched."""
    empty(place)
    run = place.run("check", "--online")
    assert run.exit_code == 0
    assert "playback.yaml:3:13: warning[empty-table]: lake.playback has no event" in run.stdout
    assert "playback_volume: no events yet" in run.stdout
    run = place.run("once", *at(END - HOUR))
    assert (run.exit_code, no_loss(run.output)) == (0, True)
    place.write_events(small())
    run = place.run("once", *at(END))
    assert (run.exit_code, no_loss(run.output)) == (0, True)
    assert place.lines("status")[0]["rules"][0]["open"] == []


def test_times_to_come_are_a_warning_and_change_no_verdict(place):
    """Events of a hundred years from now: said by `check`, left out by `once` and `replay`."""
    frame = small()
    stretch = ("--from", (END - 3 * HOUR).isoformat(), "--to", END.isoformat())
    before = place.run("replay", *stretch).stdout
    later = frame.assign(event_time=frame["event_time"] + pd.Timedelta(days=36_500))
    place.write_events(pd.concat([frame, later]))
    run = place.run("check", "--online")
    assert run.exit_code == 0
    assert "playback.yaml:4:16: warning[future-time]: the last event of lake.playback is of 2126-" in run.stdout
    run = place.run("once", *at(END))
    assert (run.exit_code, no_loss(run.output)) == (0, True)
    assert place.run("replay", *stretch).stdout == before


def test_null_and_other_are_values_and_times_of_null_are_left_out(place):
    """Nothing is wrong with them: no finding, and the slices keep their own names in the store."""
    frame = small()
    frame.loc[0, "event_time"] = pd.NaT
    place.write_events(frame)
    run = place.run("check", "--online")
    assert (run.exit_code, run.stdout.splitlines()[-1]) == (0, "1 rule can run; 0 errors, 0 warnings")
    assert place.run("once", *at(END)).exit_code == 0
    leaves = [json.loads(row[2]) for row in place.dump()["slicewatch_leaf"]]
    assert {leaf[0] for leaf in leaves} == {"ios", "android", "web", "tv", None, "(other)"}
