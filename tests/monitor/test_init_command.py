"""`slicewatch init`, over real files."""

import io
import json
import sqlite3
from datetime import UTC, datetime

import duckdb
import pytest
from click.testing import CliRunner

from monitor.commands.check import World, run_check
from monitor.commands.init import init, run_init
from monitor.opening import open_source
from monitor.settings import load_settings
from rules.load import load_rules

NOW = datetime(2026, 3, 1, tzinfo=UTC)

CSV = """\
id,event_time,device,os,app version,country
1,2026-01-01 00:30:00,ios,x,1.2,NO
2,2026-01-02 00:30:00,tv,y,1.3,SE
"""


def begun(folder, data=None, *, as_json=False, env=None, variable=None):
    out, config = io.StringIO(), folder / "slicewatch.toml"
    code = run_init(config, data=data, variable=variable, env=env or {}, out=out, as_json=as_json, opener=open_source)
    return code, out.getvalue().replace(f"{folder.as_posix()}/", "")


def lake(folder, name="lake/events.csv", text=CSV):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def check_code(folder, *, online=False, env=None):
    out, world = io.StringIO(), World(open_source)
    code = run_check(folder / "slicewatch.toml", online=online, env=env or {}, out=out, now=NOW, world=world)
    return code, out.getvalue()


def only_rule(folder):
    (rule,) = load_rules([folder / "rules/example.yaml"]).rules
    return rule


def test_what_it_writes_passes_check(tmp_path):
    """Without data the two files are an example that is sound."""
    code, text = begun(tmp_path)
    assert code == 0
    assert "slicewatch.toml: written\nrules/example.yaml: written\n" in text
    assert check_code(tmp_path) == (0, "1 rule can run; 0 errors, 0 warnings\n")


@pytest.mark.parametrize("form", ["lake", "lake/events.csv", "lake/*.csv"], ids=["folder", "file", "glob"])
def test_what_it_writes_for_data_passes_check_online(tmp_path, form):
    """The time column and the text columns of the files are found; the files are named relative to the settings."""
    lake(tmp_path)
    assert begun(tmp_path, str(tmp_path / form))[0] == 0
    code, text = check_code(tmp_path, online=True)
    assert (code, text.splitlines()[-1]) == (0, "1 rule can run; 0 errors, 0 warnings")
    rule = only_rule(tmp_path)
    assert (rule.timestamp.column, rule.dimensions) == ("event_time", ("device", "os", "country"))
    (globs,) = [globs for _, globs in load_settings(tmp_path / "slicewatch.toml", {}).sources[0].tables]
    assert "lake/" in (tmp_path / "slicewatch.toml").read_text()
    assert globs[0].startswith(tmp_path.as_posix())


def test_columns_with_odd_names_are_quoted(tmp_path):
    """Spaces, colons and words that YAML reads as something else."""
    lake(tmp_path, text='"event: time",app version,"null",n\n2026-01-01 00:30:00,a,b,1\n')
    assert begun(tmp_path, str(tmp_path / "lake"))[0] == 0
    rule = only_rule(tmp_path)
    assert (rule.timestamp.column, rule.dimensions) == ("event: time", ("app version", "null"))
    assert check_code(tmp_path, online=True)[0] == 0


def test_parquet_of_days_gets_daily_buckets(tmp_path):
    """A date column cannot tell hours apart; an integer column may be a sum, which is said and not assumed."""
    folder = tmp_path / "visits"
    folder.mkdir()
    duckdb.sql(f"COPY (SELECT DATE '2026-01-01' AS date, 'NO' AS country, 3 AS visits) TO '{folder / 'a.parquet'}'")
    assert begun(tmp_path, str(folder))[0] == 0
    assert only_rule(tmp_path).time_bucket.days == 1
    assert "# metrics: [{sum: visits}]" in (tmp_path / "rules/example.yaml").read_text()
    assert check_code(tmp_path, online=True)[0] == 0


def test_it_never_overwrites_and_says_so(tmp_path):
    """A file that exists stays byte for byte; the other one is written."""
    (tmp_path / "slicewatch.toml").write_text("mine")
    code, text = begun(tmp_path)
    assert code == 0
    assert "slicewatch.toml: exists, left as it is\nrules/example.yaml: written\n" in text
    assert (tmp_path / "slicewatch.toml").read_text() == "mine"


def test_it_says_as_json_what_it_wrote(tmp_path):
    """One object per file."""
    begun(tmp_path)
    (tmp_path / "slicewatch.toml").unlink()
    lines = [json.loads(line) for line in begun(tmp_path, as_json=True)[1].splitlines()]
    assert lines == [{"file": "slicewatch.toml", "written": True}, {"file": "rules/example.yaml", "written": False}]


@pytest.mark.parametrize(
    ("text", "why"),
    [("a,b\nx,y\n", "no column is a time"), ("at,n\n2026-01-01 00:00:00,3\n", "no column is text")],
)
def test_data_that_cannot_be_watched_write_nothing(tmp_path, text, why):
    """The columns that are there are named."""
    lake(tmp_path, text=text)
    code, said = begun(tmp_path, str(tmp_path / "lake"))
    assert (code, why in said) == (1, True)
    assert not (tmp_path / "slicewatch.toml").exists()


@pytest.mark.parametrize("name", ["nowhere", "nowhere/*.parquet", "."])
def test_data_that_are_not_there_write_nothing(tmp_path, name):
    """A missing path, a glob of nothing, a folder without events."""
    code, said = begun(tmp_path, str(tmp_path / name))
    assert code == 1
    assert said.strip()
    assert not (tmp_path / "slicewatch.toml").exists()


def database(folder, rows=400):
    """A SQLite file with a table of events whose os follows from the device, and an empty one."""
    connection = sqlite3.connect(folder / "w.db")
    connection.execute("CREATE TABLE playback (event_time TIMESTAMP, device TEXT, os TEXT, country TEXT)")
    devices = [("ios", "iOS"), ("tv", "tvOS"), ("web", "(other)")]
    events = [
        (f"2026-02-28 {n % 24:02}:{n % 60:02}:00", *devices[n % 7 % 3], "NO" if n % 3 else "SE") for n in range(rows)
    ]
    connection.executemany("INSERT INTO playback VALUES (?, ?, ?, ?)", events)
    connection.execute("CREATE TABLE clicks (at TIMESTAMP, button TEXT)")
    connection.commit()
    connection.close()
    return {"WAREHOUSE_URL": "sqlite:///w.db"}


def test_a_table_of_a_database_gets_settings_and_a_rule(tmp_path):
    """The URL stays in its variable; the rule is made from what the table holds, and passes check --online."""
    env = database(tmp_path)
    code, said = begun(tmp_path, "playback", env=env, variable="WAREHOUSE_URL")
    assert (code, "rules/example.yaml: written" in said) == (0, True)
    assert 'url = {env = "WAREHOUSE_URL"}' in (tmp_path / "slicewatch.toml").read_text()
    rule = only_rule(tmp_path)
    assert (rule.source.name, rule.timestamp.column) == ("warehouse.playback", "event_time")
    assert set(rule.dimensions) == {"device", "country"}
    code, text = check_code(tmp_path, online=True, env=env)
    assert (code, text.splitlines()[-1]) == (0, "1 rule can run; 0 errors, 0 warnings")


def test_a_table_of_the_settings_that_are_there_gets_a_rule_beside_the_others(tmp_path):
    """Of its own file; nothing else is touched. A table that is not there writes nothing."""
    env = database(tmp_path)
    begun(tmp_path, "playback", env=env, variable="WAREHOUSE_URL")
    before = (tmp_path / "slicewatch.toml").read_text()
    code, said = begun(tmp_path, "warehouse.clickz", env=env)
    assert (code, "did you mean 'clicks'?" in said) == (1, True)
    assert begun(tmp_path, "warehouse.clicks", env=env)[1].startswith("rules/clicks.yaml: written\n")
    (rule,) = load_rules([tmp_path / "rules/clicks.yaml"]).rules
    assert (rule.source.name, rule.dimensions) == ("warehouse.clicks", ("button",))
    assert (tmp_path / "slicewatch.toml").read_text() == before
    assert check_code(tmp_path, env=env)[0] == 0


def test_a_database_that_cannot_be_asked_writes_nothing(tmp_path):
    """The variable is not set, or the table is not there."""
    code, said = begun(tmp_path, "playback", variable="WAREHOUSE_URL")
    assert (code, "WAREHOUSE_URL" in said) == (1, True)
    code, said = begun(tmp_path, "playbak", env=database(tmp_path), variable="WAREHOUSE_URL")
    assert (code, "did you mean 'playback'?" in said) == (1, True)
    assert not (tmp_path / "slicewatch.toml").exists()


def test_where_nothing_can_be_written_it_is_2(tmp_path):
    """The folder's name is taken by a file."""
    (tmp_path / "taken").write_text("")
    out = io.StringIO()
    assert run_init(tmp_path / "taken/slicewatch.toml", data=None, env={}, out=out) == 2
    assert "cannot be written" in out.getvalue()


def test_the_command_takes_its_options(tmp_path):
    """As the program runs it."""
    lake(tmp_path)
    run = CliRunner().invoke(init, [str(tmp_path / "lake"), "--config", str(tmp_path / "slicewatch.toml"), "--json"])
    assert (run.exit_code, [json.loads(line)["written"] for line in run.output.splitlines()]) == (0, [True, True])
