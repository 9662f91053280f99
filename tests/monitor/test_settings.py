"""The operators' file."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.settings import (
    MissingSecretError,
    SettingsError,
    anchored,
    load_settings,
    missing_secrets,
    parse_settings,
)

FULL = """\
rules = ["rules/*.yaml"]                   # paths are relative to this file
fallback = "recs-oncall"

[store]
url = "sqlite:///slicewatch.db"            # or postgresql+psycopg://..., or {env = "SLICEWATCH_STORE"}

[sources.lake]
kind = "duckdb"                            # files: Parquet, CSV, JSON; globs and hive partitions
tables.playback = "lake/playback/**/*.parquet"
tables.events.search = ["s3://lake/search/*.parquet", "/data/search/*.csv"]
timeout = "90s"

[sources.warehouse]
kind = "sql"
url = {env = "WAREHOUSE_URL"}              # any SQLAlchemy URL

[receivers.recs-oncall]
kind = "slack"
channel = "#oncall"
token = {env = "SLACK_BOT_TOKEN"}

[receivers.terminal]
kind = "console"

[web]
listen = "127.0.0.1:8080"
"""


def write(folder, text, name="slicewatch.toml"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def parsed(text, env=None):
    return parse_settings(text, "slicewatch.toml", Path("etc"), env or {})


def problems(text):
    with pytest.raises(SettingsError) as caught:
        parsed(text)
    return caught.value.problems


def told(text):
    """Place, code and hint of each problem."""
    return [(str(problem.place), problem.code, problem.hint) for problem in problems(text)]


def test_the_file_of_the_design_is_read():
    """Every table of it."""
    settings = parsed(FULL)
    lake, warehouse = settings.sources
    assert (settings.rules, settings.fallback, settings.listen) == (("rules/*.yaml",), "recs-oncall", "127.0.0.1:8080")
    assert (lake.kind, lake.timeout, warehouse.kind) == ("duckdb", timedelta(seconds=90), "sql")
    assert warehouse.timeout == timedelta(minutes=5)
    assert [(receiver.name, receiver.kind) for receiver in settings.receivers] == [
        ("recs-oncall", "slack"),
        ("terminal", "console"),
    ]


def test_tables_are_relative_to_the_file():
    """Addresses and absolute paths stay; a table may be `schema.table` and several globs."""
    assert parsed(FULL).sources[0].tables == (
        ("playback", ("etc/lake/playback/**/*.parquet",)),
        ("events.search", ("s3://lake/search/*.parquet", "/data/search/*.csv")),
    )


def test_the_store_is_beside_the_file_where_none_is_named(tmp_path):
    """sqlite:///slicewatch.db, as an absolute path, wherever the command is run."""
    settings = load_settings(write(tmp_path, 'rules = ["*.yaml"]'), {})
    assert settings.store_url() == f"sqlite:///{tmp_path.as_posix()}/slicewatch.db"


@pytest.mark.parametrize(
    ("url", "anchor"),
    [
        ("sqlite:///a/b.db", "sqlite:////srv/a/b.db"),
        ("sqlite:///b.db?timeout=3", "sqlite:////srv/b.db?timeout=3"),
        ("sqlite+pysqlite:///b.db", "sqlite+pysqlite:////srv/b.db"),
        ("sqlite:////abs/b.db", "sqlite:////abs/b.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://u@h/db", "postgresql+psycopg://u@h/db"),
    ],
)
def test_only_a_relative_sqlite_file_is_moved(url, anchor):
    """Other URLs stay as they are."""
    assert anchored(url, Path("/srv")) == anchor


def test_a_secret_is_read_when_it_is_used():
    """From the environment, or a file beside the settings without its last line end."""
    settings = parsed(FULL, {"SLACK_BOT_TOKEN": "xoxb-1", "WAREHOUSE_URL": "sqlite:///w.db"})
    assert dict(settings.receivers[0].secrets)["token"].reveal() == "xoxb-1"
    assert settings.source("warehouse").reveal_url() == f"sqlite:///{Path('etc').absolute().as_posix()}/w.db"


def test_a_secret_file_is_read(tmp_path):
    """A path relative to the settings; a line end after the secret is no part of it."""
    write(tmp_path, "xoxb-2\n", "secrets/slack")
    text = FULL.replace('{env = "SLACK_BOT_TOKEN"}', '{file = "secrets/slack"}')
    assert dict(load_settings(write(tmp_path, text), {}).receivers[0].secrets)["token"].reveal() == "xoxb-2"


@pytest.mark.parametrize("env", [{}, {"SLACK_BOT_TOKEN": ""}], ids=["unset", "empty"])
def test_a_missing_variable_is_named_at_first_use(env):
    """Reading the settings needs no secret; using one names the key, the variable and the place."""
    token = dict(parsed(FULL, env).receivers[0].secrets)["token"]
    with pytest.raises(MissingSecretError, match=r"receivers\.recs-oncall\.token .* SLACK_BOT_TOKEN") as caught:
        token.reveal()
    assert str(caught.value.problems[0].place) == "slicewatch.toml:20:9"


def test_a_missing_secret_file_is_named():
    """So is a file that is not there."""
    text = FULL.replace('{env = "SLACK_BOT_TOKEN"}', '{file = "nowhere"}')
    with pytest.raises(MissingSecretError, match="etc/nowhere"):
        dict(parsed(text).receivers[0].secrets)["token"].reveal()


def test_all_missing_secrets_are_listed():
    """For `check`; those that are there are not."""
    assert [problem.place.line for problem in missing_secrets(parsed(FULL))] == [15, 20]
    assert [problem.place.line for problem in missing_secrets(parsed(FULL, {"SLACK_BOT_TOKEN": "x"}))] == [15]


def test_no_repr_shows_a_secret():
    """Neither the settings' nor the secret's own, nor that of a URL."""
    settings = parsed(FULL, {"SLACK_BOT_TOKEN": "hush-token", "WAREHOUSE_URL": "sql://u:hush-url@h/d"})
    assert dict(settings.receivers[0].secrets)["token"].reveal() == "hush-token"
    assert "hush" not in repr(settings)
    assert "hush" not in str(dict(settings.receivers[0].secrets)["token"])


@pytest.mark.parametrize(
    "line",
    [
        'token = "hush"',
        "token = 'hush'",
        'tokn = "hush"',
        'token = "hush',
        "token = hush",
        'token = {evn = "hush"}',
        'token = ["hush"]',
        'token = {env = "A", file = "hush"}',
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_repeated(line):
    """Whatever else is wrong with its line."""
    text = f'rules = ["r"]\n[receivers.a]\nkind = "slack"\nchannel = "#a"\n{line}\n'
    found = problems(text)
    assert found
    assert not any("hush" in problem.render() for problem in found)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush@host/db",
        "postgresql://host/db?password=hush",
        "trino://:hush@host",
        "snowflake://host/db?token=hush",
        "postgresql://me:hush@[half/db",
    ],
)
@pytest.mark.parametrize("table", ["[store]", '[sources.w]\nkind = "sql"'])
def test_a_url_with_a_password_is_refused_and_never_repeated(url, table):
    """In the store's URL and in a source's."""
    (problem,) = problems(f'rules = ["r"]\n{table}\nurl = "{url}"\n')
    assert problem.code == "plain-secret"
    assert "hush" not in problem.render()


@pytest.mark.parametrize(
    ("text", "place", "code", "hint"),
    [
        ('rules = ["r"]\nfalback = "a"', "2:1", "unknown-key", "did you mean 'fallback'?"),
        ('rules = ["r"]\n[stor]\nurl = "x"', "2:2", "unknown-key", "did you mean 'store'?"),
        ('rules = ["r"]\n[store]\nulr = "x"', "3:1", "unknown-key", "did you mean 'url'?"),
        ('rules = ["r"]\n[store]\nurl = "x.db"', "3:7", "bad-value", "such as sqlite:///slicewatch.db"),
        ('rules = ["r"]\n[web]\nport = 3', "3:1", "unknown-key", "listen"),
        ('rules = ["r"]\n[web]\nlisten = "here"', "3:10", "bad-value", "127.0.0.1:8080"),
        ('fallback = "a"', "", "missing-key", "rules"),
        ("rules = []", "1:9", "empty", ""),
        ('rules = "r"', "1:9", "wrong-type", "write [r]"),
        ('rules = ["r"]\nfallback = "b"\n[receivers.bb]\nkind = "console"', "2:12", "unknown-receiver", "'bb'"),
        ('rules = ["r"]\n[sources.a]\nkind = "dukdb"', "3:8", "unknown-kind", "did you mean 'duckdb'?"),
        ('rules = ["r"]\n[sources.a]\ntables.x = "y"', "2:2", "missing-key", "known: duckdb, sql"),
        ('rules = ["r"]\n[sources.a]\nkind = "duckdb"', "2:2", "missing-key", "tables.NAME"),
        ('rules = ["r"]\n[sources.a]\nkind = "duckdb"\ntables.x = 3', "4:12", "wrong-type", "parquet"),
        ('rules = ["r"]\n[sources.a]\nkind = "sql"', "2:2", "missing-key", "WAREHOUSE_URL"),
        ('rules = ["r"]\n[sources.a]\nkind = "sql"\nurl = {env = "U"}\ntables.x = "y"', "5:1", "unknown-key", "known"),
        (
            'rules = ["r"]\n[sources.a]\nkind = "sql"\nurl = {env = "U"}\ntimeout = "5 min"',
            "5:11",
            "bad-duration",
            "5m",
        ),
        ('rules = ["r"]\n[sources.a]\nkind = "sql"\nurl = {env = "U"}\ntimeout = 5', "5:11", "bad-duration", "5m"),
        ('rules = ["r"]\nsources = 3', "2:11", "wrong-type", ""),
        ('rules = ["r"]\n[receivers]\na = 3', "3:5", "wrong-type", ""),
        ('rules = ["r"]\n[receivers.a]\nkind = "slack"\nchannel = "#a"', "2:2", "missing-key", "SLACK_BOT_TOKEN"),
        ('rules = ["r"]\n[receivers.a]\nkind = "console"\nchannel = "#a"', "4:1", "unknown-key", "kind"),
        ('rules = ["r"\n', "", "syntax", ""),
        ('rules = ["r"]\nrules = ["r"]', "", "syntax", ""),
        ('rules = ["r"]\na == 3', "2:4", "syntax", ""),
    ],
)
def test_a_mistake_is_answered_with_its_place_and_what_to_do(text, place, code, hint):
    """One mistake, one problem."""
    ((where, what, do),) = told(text)
    assert where == ":".join(filter(None, ("slicewatch.toml", place)))
    assert what == code
    assert hint in do


def test_several_mistakes_are_told_at_once():
    """In the order of the file."""
    text = 'rules = []\nx = 1\n[sources.a]\nkind = "sql"\n[receivers.b]\nkind = "slack"\n'
    assert [place for place, _, _ in told(text)] == [
        f"slicewatch.toml:{at}" for at in ("1:9", "2:1", "3:2", "5:2", "5:2")
    ]


def test_a_file_that_is_not_there_says_what_to_do(tmp_path):
    """`init`, or another path."""
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "slicewatch.toml", {})
    (problem,) = caught.value.problems
    assert problem.code == "unreadable"
    assert "init" in problem.hint


def test_a_file_in_another_encoding_is_a_problem(tmp_path):
    """Not a crash."""
    path = tmp_path / "slicewatch.toml"
    path.write_bytes(b'rules = ["\xff"]')
    with pytest.raises(SettingsError, match="UTF-8"):
        load_settings(path, {})


def test_the_only_receiver_is_the_fallback():
    """Of two, none is chosen."""
    one = 'rules = ["r"]\n[receivers.a]\nkind = "console"\n'
    assert parsed(one).fallback == "a"
    assert parsed(one + '[receivers.b]\nkind = "console"\n').fallback is None


@pytest.mark.parametrize("name", ["recs-oncall", "#oncall", "#recs-oncall"])
def test_a_receiver_is_meant_by_name_or_by_channel(name):
    """Rules may write either."""
    assert parsed(FULL).receiver(name).name == "recs-oncall"
    assert parsed(FULL).receiver("#recs") is None


def test_rule_files_are_found_in_order_and_once(tmp_path):
    """Patterns in their order, files sorted, a file that two patterns name once, folders not at all."""
    for name in ("b.yaml", "a.yaml", "sub/c.yaml"):
        write(tmp_path, "rules: []", f"rules/{name}")
    (tmp_path / "rules/d.yaml").mkdir()
    path = write(tmp_path, 'rules = ["rules/b.yaml", "rules/**/*.yaml", "none/*.yaml"]')
    found = load_settings(path, {}).rule_paths()
    assert [file.relative_to(tmp_path).as_posix() for file in found] == [
        "rules/b.yaml",
        "rules/a.yaml",
        "rules/sub/c.yaml",
    ]


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from([*"[]{}=.\"'\n#", "rules", "sources", "a", '"r"', "kind", "url"])).map("".join)
)
def test_any_text_is_settings_or_problems(text):
    """Never another error."""
    with suppress(SettingsError):
        assert parsed(text).rules


def test_how_a_daemon_ends_and_logs():
    """Half a minute, lines for people, and no address of its own for probes, where the file does not say."""
    plain, said = parsed(FULL), parsed(FULL + DAEMON)
    assert (plain.daemon.grace, plain.daemon.health) == (timedelta(seconds=30), None)
    assert (plain.log.format, plain.log.level) == ("text", "info")
    assert (said.daemon.grace, said.daemon.health) == (timedelta(minutes=2), "0.0.0.0:8081")
    assert (said.log.format, said.log.level, said.log.number) == ("json", "warning", 30)


DAEMON = """
[daemon]
grace = "2m"
health = "0.0.0.0:8081"

[log]
format = "json"
level = "warning"
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[daemon]\ngrace = "0s"', "bad-duration"),
        ("[daemon]\ngrace = 30", "bad-duration"),
        ('[daemon]\nhealth = "8081"', "bad-value"),
        ('[daemon]\nhelth = "127.0.0.1:8081"', "unknown-key"),
        ('[log]\nformat = "xml"', "unknown-value"),
        ('[log]\nlevel = "loud"', "unknown-value"),
    ],
)
def test_a_mistake_about_the_daemon_has_a_place(text, code):
    """Each in the line where it stands."""
    assert [(place, found) for place, found, _ in told(f'rules = ["*.yaml"]\n{text}\n')] == [
        (f"slicewatch.toml:3:{text.splitlines()[1].index('=') + 3 if code != 'unknown-key' else 1}", code)
    ]
