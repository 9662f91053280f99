"""`slicewatch suggest`: a rule that runs, from what a table holds."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pandas as pd
import pytest

from monitor.commands.suggest import not_named
from rules.parse import parse_rules
from tests.monitor.commands.place import RULE, TOML, Place

pytestmark = pytest.mark.xdist_group("commands")

OS_OF = {"ios": "iOS", "android": "Android", "web": "(other)", "tv": "tvOS"}


@pytest.fixture
def place(tmp_path):
    """A table of single events whose os follows from the device, and one that nobody watches."""
    made = Place(tmp_path)
    made.write("slicewatch.toml", TOML.replace("[receivers", 'tables."raw.clicks" = "clicks/*.parquet"\n\n[receivers'))
    made.write_events(clients(2_000 * 24))
    return made


def clients(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    at = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.sort(rng.integers(0, 2 * 86_400, rows)), unit="s")
    device = rng.choice(list(OS_OF), rows, p=[0.4, 0.3, 0.2, 0.1])
    frame = pd.DataFrame({"received_at": at + pd.Timedelta(minutes=2), "event_time": at, "device": device})
    frame["os"] = [OS_OF[name] for name in device]
    frame["country"] = rng.choice(["NO", "SE", "US", None], rows)
    frame["is_test"] = False
    frame["version"] = rng.integers(1, 6, rows)
    frame["session"] = [f"s{i}" for i in range(rows)]
    frame["user_id"] = rng.integers(0, 10**9, rows)
    return frame


def test_the_rule_says_what_it_is_made_from_and_can_be_run(place):
    """Time by name, rich columns first, what follows or names single things left out; the file is sound as it stands."""
    run = place.run("suggest", "lake.playback")
    assert run.exit_code == 0, run.stderr
    assert run.stdout.splitlines() == [
        "# Suggested by slicewatch from lake.playback: events from 2026-03-01 00:00 to 2026-03-02 23:59 UTC.",
        "version: 1",
        "rules:",
        "  - name: playback_volume",
        "    source: lake.playback",
        "    timestamp: event_time  # TIMESTAMP; naive times are read as UTC",
        "    arrived_at: received_at  # if it says when an event could be read: late is then told from lost",
        "    dimensions: [version, country, device]",
        "    #   version: 5 values, 2.3 bits",
        "    #   country: 4 values, 2.0 bits",
        "    #   device: 4 values, 1.8 bits",
        "    #   os: 4 values, 1.8 bits: follows from device, left out",
        "    #   session: 48,000 values are too many to slice by, left out",
        "    #   always the same, left out: is_test",
        "    time_bucket: 1h  # 1k rows in each, 80 combinations in the last days",
        "    sensitivity: medium  # one false incident a week at most, whatever the number of slices",
        "    #   1 days of history: full protection takes 28",
        "    # severity: critical",
        "    # owner: the team that answers for it",
        '    # notify: "#oncall"',
    ]
    assert run.stderr.endswith("no rule watches: lake.raw.clicks\n")
    place.write("rules/suggested.yaml", run.stdout)
    assert place.run("check").exit_code == 0
    assert place.run("suggest").stdout == "no rule watches lake.raw.clicks\n"


def test_rows_that_are_counts_are_summed_and_the_rule_is_tried(fresh):
    """Each combination has one row an hour: the amount is summed; what it told of late stands beside the budget."""
    found = json.loads(fresh.run("suggest", "lake.playback", "--json").stdout)
    assert (found["sum"], found["dimensions"], found["time_bucket_seconds"]) == (
        "events",
        ["device", "country"],
        3600.0,
    )
    assert "    metrics: [{sum: events}]  #" in found["rule"]
    assert "    #   incidents in the last 1d of history, 28 slices tested: 1, true ones included" in found["rule"]
    (rule,) = parse_rules(found["rule"], "x.yaml").rules
    assert rule.metrics[0].name == "sum(events)"


def test_tables_of_a_database_that_no_rule_watches_are_listed(place):
    """Those there are, views too; a source that cannot be asked is told, and the others are listed all the same."""
    connection = sqlite3.connect(place.folder / "w.db")
    for name in ("events", "stops"):
        connection.execute(f"CREATE TABLE {name} (at TIMESTAMP, device TEXT)")
    connection.execute("CREATE VIEW daily AS SELECT * FROM stops")
    connection.close()
    warehouse = '[sources.warehouse]\nkind = "sql"\nurl = {env = "WAREHOUSE_URL"}\n\n[receivers'
    place.write("slicewatch.toml", TOML.replace("[receivers", warehouse))
    place.write("rules/a.yaml", RULE)
    place.write("rules/b.yaml", RULE.replace("playback", "events").replace("lake.", "warehouse."))
    run = place.run("suggest", WAREHOUSE_URL="sqlite:///w.db")
    assert (run.exit_code, run.stdout) == (0, "no rule watches warehouse.daily\nno rule watches warehouse.stops\n")
    (place.folder / "rules/a.yaml").unlink()
    run = place.run("suggest", WAREHOUSE_URL="sqlite:////nowhere/w.db")
    assert (run.exit_code, run.stdout) == (2, "no rule watches lake.playback\n")
    assert "warehouse could not be asked" in run.stderr


def test_a_rule_may_write_the_default_schema_that_a_list_leaves_out():
    """A schema that the list does not have is the default one; another schema's table of that name is another table."""
    tables = [("events",), ("stops",), ("raw", "events")]
    assert not_named(tables, [("public", "events")]) == [("stops",), ("raw", "events")]
    assert not_named(tables, [("raw", "events")]) == [("events",), ("stops",)]
    assert not_named(tables, [()]) == tables


@pytest.mark.parametrize(
    ("table", "code", "said"),
    [
        ("lakes.playback", 2, "no source is called 'lakes' - did you mean 'lake'?"),
        ("lake", 2, "name a table of lake: lake.TABLE"),
        ("lake.plays", 2, "plays"),
    ],
)
def test_what_is_not_there_is_told(fresh, table, code, said):
    """A source or table nobody has, with what was meant."""
    run = fresh.run("suggest", table)
    assert (run.exit_code, run.stdout) == (code, "")
    assert said in run.stderr


def test_a_table_that_cannot_be_sliced_is_1(place):
    """No time, or nothing but single things: said with the columns there are."""
    place.write_events(clients(500)[["event_time", "session"]].assign(session=lambda f: f["session"] + "x" * 3))
    place.write_events(pd.DataFrame({"device": ["a", "b"]}))
    run = place.run("suggest", "lake.playback")
    assert (run.exit_code, run.stdout) == (1, "")
    assert "no column is a time: device (VARCHAR)" in run.stderr
