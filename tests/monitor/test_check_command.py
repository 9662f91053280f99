"""`slicewatch check`, over real files and a real database."""

import io
import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from monitor.app import open_notifier
from monitor.commands.check import World, check, run_check
from monitor.opening import open_source
from tests.standins.slack import SlackStandin

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WORLD = World(open_source, timer=lambda: 0.0)
"""Sources as the program opens them, no receivers, and a clock that stands still."""

TOML = """\
rules = ["rules/*.yaml"]

[sources.lake]
kind = "duckdb"
tables.playback = "lake/*.csv"
tables.empty = "empty/*.parquet"

[receivers.oncall]
kind = "console"
"""
LAKE = TOML[TOML.index("[sources") : TOML.index("[receivers")]

RULE = """\
rules:
  - name: playback_volume
    source: lake.playback
    timestamp: event_time
    metrics: [count, {sum: visits}]
    dimensions: [device, os]
"""

CSV = """\
event_time,day,device,os,visits,weight
2026-01-01 00:30:00,2026-01-01,ios,17,3,0.5
2026-02-28 23:30:00,2026-02-28,tv,,4,0.5
"""


@pytest.fixture
def place(tmp_path):
    """A folder with settings, one sound rule and a lake."""
    write(tmp_path, "slicewatch.toml", TOML)
    write(tmp_path, "rules/playback.yaml", RULE)
    write(tmp_path, "lake/events.csv", CSV)
    (tmp_path / "empty").mkdir()
    columns = "NULL::TIMESTAMP AS event_time, '' AS device, '' AS os, 1 AS visits"
    duckdb.sql(f"COPY (SELECT {columns} WHERE false) TO '{tmp_path / 'empty/events.parquet'}'")
    return tmp_path


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def checked(folder, *, online=False, env=None, now=NOW, world=WORLD):
    """Exit code and the problems that --json prints."""
    out = io.StringIO()
    code = run_check(
        folder / "slicewatch.toml",
        online=online,
        env=env or {},
        out=out,
        now=now,
        form="json",
        world=world,
    )
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def shown(folder, *, online=False):
    """Exit code and the text, with the folder left out."""
    out = io.StringIO()
    code = run_check(folder / "slicewatch.toml", online=online, env={}, out=out, now=NOW, world=WORLD)
    return code, out.getvalue().replace(f"{folder.as_posix()}/", "")


def codes(found):
    return [(Path(problem["file"]).name, problem["line"], problem["column"], problem["code"]) for problem in found]


def test_nothing_wrong_is_0(place):
    """Offline and online; the text says how much history there is and when it is enough."""
    assert shown(place) == (0, "1 rule can run; 0 errors, 0 warnings\n")
    code, text = shown(place, online=True)
    first, last, full = "2026-01-01 00:30", "2026-02-28 23:30 UTC", "2026-01-29 00:30 UTC"
    assert code == 0
    assert text.splitlines() == [
        f"playback_volume: events of lake.playback from {first} to {last}; full protection from {full}",
        "    protection now: full",
        "    1 combination in the newest week; a day of 24 checks reads 2.98 kB in about 0 s",
        "1 rule can run; 0 errors, 0 warnings",
    ]


def test_a_mistake_in_a_rule_file_is_1_and_its_message_is_the_designs(place):
    """Both ways of showing it."""
    write(place, "rules/playback.yaml", RULE.replace("dimensions", "dimension"))
    code, text = shown(place)
    assert code == 1
    assert "rules/playback.yaml:6:5: error[unknown-key]: 'dimension' is not a key of a rule\n" in text
    assert "   6 |     dimension: [device, os]\n     |     ^^^^^^^^^ did you mean 'dimensions'?\n" in text
    assert text.endswith("0 rules can run; 2 errors, 0 warnings\n")
    code, found = checked(place)
    assert code == 1
    assert found[1] == {
        "file": (place / "rules/playback.yaml").as_posix(),
        "line": 6,
        "column": 5,
        "severity": "error",
        "code": "unknown-key",
        "message": "'dimension' is not a key of a rule",
        "hint": "did you mean 'dimensions'?",
    }


def test_an_unknown_column_is_shown_as_in_the_design(place):
    """At the column's own word, naming the table."""
    write(place, "rules/playback.yaml", RULE.replace("[device, os]", "[devise, os]"))
    code, text = shown(place, online=True)
    assert code == 1
    assert text.startswith(
        "rules/playback.yaml:6:18: error[unknown-column]: 'devise' is not a column of lake.playback\n"
        "   6 |     dimensions: [devise, os]\n"
        "     |                  ^^^^^^ did you mean 'device'?\n"
    )


@pytest.mark.parametrize(
    ("change", "code", "at", "words"),
    [
        (("event_time", "event_tme"), "unknown-column", "4:16", "'event_tme' is not a column"),
        (("sum: visits", "sum: visit"), "unknown-column", "5:28", "'visit' is not a column"),
        (("event_time", "device"), "time-as-dimension", "6:18", "'device' is the timestamp"),
        (("event_time", "weight"), "wrong-column-type", "4:16", "DOUBLE, not a time"),
        (("event_time", "day"), "wrong-column-type", "4:16", "cannot be told apart by 1h"),
        (("sum: visits", "sum: weight"), "wrong-column-type", "5:28", "only whole numbers"),
        (("metrics:", "arrived_at: loaded\n    metrics:"), "unknown-column", "5:17", "'loaded' is not a column"),
        (("metrics:", "arrived_at: day\n    metrics:"), "wrong-column-type", "5:17", "DATE, not a time of day"),
        (("lake.playback", "lake.playbak"), "unknown-table", "3:13", "'playbak'"),
        (("lake.playback", "lak.playback"), "unknown-source", "3:13", "'lak'"),
        (("    metrics", "    where: devise = 'ios'\n    metrics"), "unknown-column", "5:12", "'devise'"),
        (("    metrics", "    notify: [oncall, oncal]\n    metrics"), "unknown-receiver", "5:22", "'oncal'"),
    ],
)
def test_a_rule_that_does_not_fit_its_source_is_1(place, change, code, at, words):
    """Columns, types, tables, sources and receivers, each at its own place."""
    write(place, "rules/playback.yaml", RULE.replace(*change, 1))
    exit_code, found = checked(place, online=True)
    assert exit_code == 1
    (problem,) = [problem for problem in found if problem["severity"] == "error"]
    assert (problem["code"], f"{problem['line']}:{problem['column']}") == (code, at)
    assert words in problem["message"]


def test_days_are_told_apart_by_days(place):
    """A date column serves daily buckets."""
    write(place, "rules/playback.yaml", RULE.replace("event_time", "day") + "    time_bucket: 1d\n")
    assert checked(place, online=True) == (0, [])


@pytest.mark.parametrize("extra", ["", "    where: device = 'radio'\n"], ids=["table", "where"])
def test_no_events_are_a_warning(place, extra):
    """The rule is right, and will learn nothing yet; a warning alone is no finding."""
    rule = RULE if extra else RULE.replace("lake.playback", "lake.empty")
    write(place, "rules/playback.yaml", rule + extra)
    code, found = checked(place, online=True)
    assert (code, [(problem["code"], problem["severity"]) for problem in found]) == (0, [("empty-table", "warning")])


def test_events_to_come_are_a_warning(place):
    """A clock that is wrong, or the wrong column."""
    code, found = checked(place, online=True, now=NOW - timedelta(days=9))
    assert (code, [problem["code"] for problem in found]) == (0, ["future-time"])


def test_a_source_that_cannot_be_asked_is_2(place):
    """Unknown is not fine; the other source's rule is examined all the same."""
    (place / "lake/events.csv").unlink()
    write(place, "rules/empty.yaml", RULE.replace("playback_volume", "other").replace("lake.playback", "lake.empty"))
    code, found = checked(place, online=True)
    assert code == 2
    assert [problem["code"] for problem in found if problem["file"].endswith("playback.yaml")] == ["unreachable"]
    assert any(problem["file"].endswith("empty.yaml") for problem in found)


def test_settings_that_cannot_be_read_are_2(tmp_path):
    """No file, nothing checked."""
    code, found = checked(tmp_path)
    assert (code, [problem["code"] for problem in found]) == (2, ["unreadable"])


def test_a_mistake_in_the_settings_is_1(place):
    """With its place."""
    write(place, "slicewatch.toml", TOML.replace("tables.playback", "table.playback"))
    code, found = checked(place)
    assert (code, codes(found)[0]) == (1, ("slicewatch.toml", 5, 1, "unknown-key"))


def test_a_missing_secret_is_1_offline_and_told_once_online(place):
    """Naming the key and the variable; online the source behind it could not be asked."""
    warehouse = '[sources.warehouse]\nkind = "sql"\nurl = {env = "WAREHOUSE_URL"}\n'
    write(place, "slicewatch.toml", TOML + warehouse)
    write(place, "rules/w.yaml", RULE.replace("playback_volume", "w").replace("lake.", "warehouse."))
    code, found = checked(place)
    assert (code, codes(found)) == (1, [("slicewatch.toml", 12, 7, "missing-secret")])
    assert "sources.warehouse.url" in found[0]["message"]
    assert "WAREHOUSE_URL" in found[0]["message"]
    assert checked(place, online=True) == (2, found)


def test_a_database_is_asked_like_files(place):
    """SQLite, whose file is relative to the settings."""
    connection = sqlite3.connect(place / "w.db")
    connection.execute("CREATE TABLE playback (event_time TIMESTAMP, device TEXT, os TEXT, visits INTEGER)")
    connection.execute("INSERT INTO playback VALUES ('2026-02-01 00:00:00', 'ios', '17', 3)")
    connection.commit()
    connection.close()
    warehouse = '[sources.warehouse]\nkind = "sql"\nurl = {env = "WAREHOUSE_URL"}\n'
    write(place, "slicewatch.toml", TOML.replace(LAKE, warehouse))
    rule = write(place, "rules/playback.yaml", RULE.replace("lake.", "warehouse."))
    env = {"WAREHOUSE_URL": "sqlite:///w.db"}
    assert checked(place, online=True, env=env) == (0, [])
    rule.write_text(rule.read_text().replace("[device", "[devise").replace("warehouse.playback", "warehouse.playbak"))
    code, found = checked(place, online=True, env=env)
    assert (code, [(problem["code"], problem["line"]) for problem in found]) == (1, [("unknown-table", 3)])
    rule.write_text(rule.read_text().replace("warehouse.playbak", "warehouse.playback"))
    code, found = checked(place, online=True, env=env)
    assert (code, [(problem["code"], problem["column"]) for problem in found]) == (1, [("unknown-column", 18)])


def test_one_broken_rule_hides_no_other(place):
    """Mistakes of one file, of one rule of another, and a name taken twice are all told; the rest can run."""
    write(place, "rules/a.yaml", "rules: [")
    write(place, "rules/b.yaml", RULE.replace("playback_volume", "b") + "    depth: 7\n")
    write(place, "rules/z.yaml", RULE)
    code, text = shown(place, online=True)
    assert code == 1
    assert [line.split(":")[0] for line in text.splitlines() if "error[" in line] == [
        "rules/a.yaml",
        "rules/b.yaml",
        "rules/z.yaml",
    ]
    assert text.endswith("1 rule can run; 3 errors, 0 warnings\n")


def test_a_pattern_that_names_no_file_is_a_warning(place):
    """Perhaps the rules come later."""
    (place / "rules/playback.yaml").unlink()
    assert checked(place)[1][0]["code"] == "no-rule-files"


def test_a_rule_that_tells_nobody_is_a_warning_unless_it_is_a_shadow(place):
    """Two receivers and no fallback."""
    write(place, "slicewatch.toml", TOML + '[receivers.other]\nkind = "console"\n')
    assert [problem["code"] for problem in checked(place)[1]] == ["nobody-told"]
    write(place, "rules/playback.yaml", RULE + "    mode: shadow\n")
    assert checked(place) == (0, [])


def test_a_severity_that_no_receiver_has_is_a_warning(place):
    """A list by severity that leaves out the rule's own, where no fallback takes it."""
    write(place, "slicewatch.toml", TOML + '[receivers.other]\nkind = "console"\n')
    write(place, "rules/playback.yaml", RULE + "    notify: {critical: oncall}\n")
    (told, spare) = checked(place)[1]
    assert (told["code"], told["line"], told["message"]) == (
        "nobody-told",
        7,
        "nobody is told of its warning incidents",
    )
    assert spare["code"] == "unused-receiver"
    write(place, "rules/playback.yaml", RULE + "    notify: {critical: oncall, warning: other}\n")
    assert checked(place) == (0, [])
    escalate = "    notify: {info: oncall, warning: other}\n    escalate: [{drop: 90%, severity: critical}]\n"
    write(place, "rules/playback.yaml", RULE + escalate)
    assert [problem["message"] for problem in checked(place)[1]] == ["nobody is told of its critical incidents"]


def test_what_no_rule_uses_is_not_told_beside_an_error(place):
    """The rule with the mistake may be the one that uses it."""
    write(place, "slicewatch.toml", TOML + '[sources.archive]\nkind = "duckdb"\ntables.a = "a/*.csv"\n')
    assert [problem["code"] for problem in checked(place)[1]] == ["unused-source"]
    write(place, "rules/a.yaml", RULE.replace("lake.playback", "archive.a").replace("dimensions", "dimension"))
    assert "unused-source" not in [problem["code"] for problem in checked(place)[1]]


def test_warnings_are_suppressed_where_they_are_told(place):
    """In rule files and in the operators' file, offline and online; `empty-table` is known only online."""
    rule = RULE.replace("lake.playback", "lake.empty  # slicewatch: disable=empty-table events come in spring")
    write(place, "rules/playback.yaml", rule)
    archive = (
        '# slicewatch: disable=unused-source until spring\n[sources.archive]\nkind = "duckdb"\ntables.a = "a/*.csv"\n'
    )
    write(place, "slicewatch.toml", TOML + archive)
    assert (checked(place), checked(place, online=True)) == ((0, []), (0, []))
    write(place, "rules/playback.yaml", rule.replace("lake.empty", "lake.playback"))
    assert checked(place) == (0, [])
    assert [problem["code"] for problem in checked(place, online=True)[1]] == ["unused-suppression"]


def test_the_stage_of_protection_and_the_days_to_go_are_told(place):
    """By the history of events, for a table that is five days old."""
    (place / "lake/events.csv").write_text(CSV.replace("2026-01-01", "2026-02-24"))
    code, text = shown(place, online=True)
    assert (code, text.splitlines()[1]) == (0, "    protection now: knows the time of day; 24 days until it is full")


def test_what_a_day_of_checks_costs_follows_the_schedule(place):
    """A check every quarter of an hour is made 96 times; what one took is measured, what it reads the files say."""
    write(place, "rules/playback.yaml", RULE + "    schedule: 15m\n")
    out = io.StringIO()
    ticks = iter([10.0, 10.5])
    world = World(open_source, timer=lambda: next(ticks))
    run_check(place / "slicewatch.toml", online=True, env={}, out=out, now=NOW, world=world)
    assert "a day of 96 checks reads 11.9 kB in about 48 s\n" in out.getvalue()


def test_a_receiver_is_asked_without_sending_anything(place):
    """Slack knows the token: fine; it does not: a finding; it does not answer: 2, with everything else checked."""
    with SlackStandin() as slack:
        text = (
            f'[receivers.slack]\nkind = "slack"\nchannel = "#oncall"\ntoken = {{env = "T"}}\nbase_url = "{slack.url}"\n'
        )
        write(place, "slicewatch.toml", TOML.partition("[receivers")[0] + text)
        world = World(open_source, partial(open_notifier, out=io.StringIO()))
        assert checked(place, online=True, env={"T": slack.token}, world=world) == (0, [])
        assert [call.method for call in slack.accepted] == ["auth.test"]
        code, found = checked(place, online=True, env={"T": "revoked"}, world=world)
        assert (code, codes(found)) == (1, [("slicewatch.toml", 8, 2, "receiver-refused")])
    code, found = checked(place, online=True, env={"T": slack.token}, world=world)
    assert (code, codes(found)) == (2, [("slicewatch.toml", 8, 2, "receiver-unreachable")])


def test_strict_makes_warnings_findings(place):
    """Without it they are told and cost nothing; what could not be asked stays 2."""
    write(place, "rules/playback.yaml", RULE + "    baseline: {lookback: 10d}\n")
    config = ["--config", str(place / "slicewatch.toml")]
    assert [CliRunner().invoke(check, [*config, *more]).exit_code for more in ((), ("--strict",))] == [0, 1]
    (place / "lake/events.csv").unlink()
    assert CliRunner().invoke(check, [*config, "--online", "--strict"]).exit_code == 2


def test_the_command_takes_its_options(place):
    """As the program runs it: --config, --online, --json, and the exit code."""
    run = CliRunner().invoke(check, ["--config", str(place / "slicewatch.toml"), "--online"])
    assert (run.exit_code, run.output.splitlines()[-1]) == (0, "1 rule can run; 0 errors, 0 warnings")
    run = CliRunner().invoke(check, ["--config", str(place / "none.toml"), "--json"])
    assert (run.exit_code, json.loads(run.output)["code"]) == (2, "unreadable")


def test_a_detector_nobody_brings_is_refused(place):
    """The rule is not run, and its place and the nearest name are told."""
    write(place, "rules/playback.yaml", RULE + "    detector: threshol\n")
    code, problems = checked(place)
    assert code == 1
    (problem,) = problems
    assert (problem["code"], problem["line"], problem["column"]) == ("unknown-detector", 7, 15)
    assert problem["hint"] == "did you mean 'threshold'?"


def test_more_slices_than_a_detector_can_judge_are_told_before_it_runs(place):
    """`stl` sees one slice at a time: the last day's slices are counted."""
    rows = [f"2026-02-28 {n % 24:02}:30:00,2026-02-28,d{n},{n % 90},1,0.5" for n in range(180)]
    write(place, "lake/more.csv", "event_time,day,device,os,visits,weight\n" + "\n".join(rows) + "\n")
    write(place, "rules/playback.yaml", RULE + "    detector: stl\n    baseline: {lookback: 28d}\n")
    _, problems = checked(place, online=True)
    (problem,) = [p for p in problems if p["code"] == "too-many-slices"]
    assert (problem["line"], problem["severity"]) == (7, "error")
    assert problem["message"].startswith("stl judges at most 200 slices, and the last day has ")


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "junit"])
def test_every_form_has_the_same_exit_code_and_names_the_place(place, form):
    """1 for an error, and 0 once it is mended; standard output holds the form and nothing else."""
    rule = write(place, "rules/playback.yaml", RULE.replace("[device, os]", "[device, device]"))
    command = ["--config", str(place / "slicewatch.toml"), "--format", form]
    run = CliRunner().invoke(check, command)
    assert run.exit_code == 1
    assert rule.as_posix() in run.output
    assert "duplicate-dimension" in run.output
    if form == "sarif":
        assert [a["location"]["uri"] for a in json.loads(run.output)["runs"][0]["artifacts"]][1] == rule.as_posix()
    write(place, "rules/playback.yaml", RULE)
    assert CliRunner().invoke(check, command).exit_code == 0


def test_a_mistake_is_an_annotation_where_github_asks_for_it(place):
    """At the place of the mistake, with the exit code of every other form."""
    rule = write(place, "rules/playback.yaml", RULE.replace("[device, os]", "[device, device]"))
    run = CliRunner().invoke(check, ["--config", str(place / "slicewatch.toml"), "--format", "github"])
    assert run.exit_code == 1
    assert run.output.startswith(f"::error file={rule.as_posix()},line=6,col=26,title=duplicate-dimension::")


def test_a_check_offline_loads_no_data_frames_and_no_database(place):
    """It starts before every commit: what only a source needs stays on the disk."""
    program = (
        "import atexit, sys; from monitor.cli import main;"
        "heavy = {'pandas', 'numpy', 'scipy', 'duckdb', 'sqlalchemy', 'matplotlib', 'ruamel.yaml'};"
        "atexit.register(lambda: print(sorted(heavy & sys.modules.keys()))); main()"
    )
    command = [sys.executable, "-c", program, "check", "--config", str(place / "slicewatch.toml")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "."})
    assert run.stdout.splitlines() == ["1 rule can run; 0 errors, 0 warnings", "[]"]
