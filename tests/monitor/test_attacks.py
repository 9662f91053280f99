"""What a rule file may not do, tried: read files, run code, write, reach other servers. Each is refused, and says why.

Sources are opened as somebody careless would: PostgreSQL as its superuser, SQLite and files by a user who could write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from monitor.query import Source, SourceError
from monitor.sources import SourceConfig, open_source
from monitor.sources.duckdb_session import open_session
from monitor.sources.expressions import check_select
from rules.model import SourceRef
from tests.contracts.source_contract import Asked, leaves
from tests.monitor.commands.place import END, RULE, TOML, Place, events

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = timedelta(seconds=30)
TODAY = Asked(("d",), start=FIRST, end=FIRST + timedelta(days=1))
SECRET = "swordfish-4711"
"""What stands in a file that no rule may read."""


@dataclass(frozen=True)
class Target:
    """A source of one table, `events`, in a folder with a file that holds the secret."""

    source: Source
    folder: Path
    plain: SourceRef

    def ask(self, query: str | None = None, where: str | None = None) -> str:
        """The refusal. An answer is a failure of the test, unless it is refused by nobody and says nothing."""
        text = (query or where or "").replace("FOLDER", str(self.folder))
        ref = self.plain if query is None else SourceRef("db", (), text)
        asked = Asked(("d",), start=FIRST, end=FIRST + timedelta(days=1), where=text if query is None else None)
        with pytest.raises(SourceError) as caught:
            self.source.count(asked.of(ref))
        return str(caught.value)

    def untouched(self) -> bool:
        """Whether the table and the folder are as they were."""
        rows = leaves(self.source.count(TODAY.of(self.plain)), 1)
        return rows == {(FIRST, "x"): (1,)} and "made" not in {path.name for path in self.folder.iterdir()}


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "secret.csv").write_text(f"ts,d\n2026-01-01 00:00:00,{SECRET}\n")
    with closing(sqlite3.connect(folder / "secret.db")) as connection, connection:
        connection.execute("CREATE TABLE events (ts TIMESTAMP, d TEXT)")
        connection.execute("INSERT INTO events VALUES ('2026-01-01 00:00:00', ?)", (SECRET,))
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Target]:
    lake = tmp_path / "lake"
    lake.mkdir()
    table = pa.table({"ts": pa.array([FIRST], pa.timestamp("us", "UTC")), "d": ["x"]})
    pq.write_table(table, lake / "events.parquet")
    source = open_source("db", SourceConfig("duckdb", {"events": (str(lake / "events.parquet"),)}, timeout=LIMIT))
    yield Target(source, folder_of(tmp_path), SourceRef("db", ("events",)))
    source.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Target]:
    path = tmp_path / "events.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE events (ts TIMESTAMP, d TEXT)")
        connection.execute("INSERT INTO events VALUES ('2026-01-01 00:00:00', 'x')")
    source = open_source("db", SourceConfig("sql", url=f"sqlite:///{path}", timeout=LIMIT))
    yield Target(source, folder_of(tmp_path), SourceRef("db", ("events",)))
    source.close()


@pytest.fixture
def postgres(tmp_path: Path, postgres_url: str) -> Iterator[Target]:
    """As the superuser, with functions and a view that write, a sequence, and a helper that runs a text as SQL."""
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in (
            "DROP SCHEMA IF EXISTS target CASCADE",
            "CREATE SCHEMA target",
            "CREATE TABLE target.events AS SELECT TIMESTAMPTZ '2026-01-01Z' AS ts, 'x' AS d",
            "CREATE SEQUENCE target.counter",
            "CREATE FUNCTION target.wipe() RETURNS text LANGUAGE sql AS 'DELETE FROM target.events RETURNING d'",
            "CREATE VIEW target.trap AS SELECT TIMESTAMPTZ '2026-01-01Z' AS ts, target.wipe() AS d",
        ):
            connection.exec_driver_sql(statement)
    source = open_source("db", SourceConfig("sql", url=postgres_url, timeout=LIMIT))
    yield Target(source, folder_of(tmp_path), SourceRef("db", ("target", "events")))
    source.close()
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA target CASCADE")


AT = {
    "files": "TIMESTAMP '2026-01-01' AS ts",
    "sqlite": "'2026-01-01' AS ts",
    "postgres": "TIMESTAMPTZ '2026-01-01Z' AS ts",
}

QUERIES = {
    "files": (
        "SELECT ts, d FROM read_csv('FOLDER/secret.csv')",
        "SELECT AT, content AS d FROM read_text('FOLDER/secret.csv')",
        "SELECT AT, content AS d FROM read_blob('FOLDER/secret.csv')",
        "SELECT ts, d FROM read_json_auto('FOLDER/secret.csv')",
        "SELECT ts, d FROM parquet_scan('FOLDER/secret.csv')",
        "SELECT ts, d FROM 'FOLDER/secret.csv'",
        'SELECT ts, d FROM "FOLDER/secret.csv"',
        "FROM 'FOLDER/secret.csv'",
        "SELECT ts, d FROM events UNION ALL FROM 'FOLDER/secret.csv'",
        "SELECT ts, (SELECT max(d) FROM 'FOLDER/secret.csv') AS d FROM events",
        "WITH e AS (SELECT * FROM 'FOLDER/secret.csv') SELECT * FROM e",
        "SELECT ts, d FROM events WHERE d IN (SELECT d FROM 'FOLDER/secret.csv')",
        "SELECT ts, d FROM sqlite_scan('FOLDER/secret.db', 'events')",
        "SELECT AT, file AS d FROM glob('FOLDER/*')",
        "SELECT * FROM query('FROM read_csv(''FOLDER/secret.csv'')')",
        "SELECT * FROM query_table('FOLDER/secret.csv')",
        "SELECT ts, d FROM 'https://127.0.0.1:9/secret.csv'",
        "SELECT ts, d FROM 's3://bucket/secret.csv'",
        "SELECT ts, getenv('HOME') AS d FROM events",
        "SELECT ts, current_setting('temp_directory') AS d FROM events",
        "SELECT ts, path AS d FROM duckdb_databases(), events",
        "COPY events TO 'FOLDER/made'",
        "COPY (SELECT 1) TO 'FOLDER/made'",
        "EXPORT DATABASE 'FOLDER/made'",
        "ATTACH 'FOLDER/secret.db' AS other",
        "ATTACH 'FOLDER/made' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CALL pragma_version()",
        "CREATE TABLE made AS SELECT 1",
        "DROP VIEW events",
        "SELECT 1; DROP VIEW events",
    ),
    "sqlite": (
        "ATTACH 'FOLDER/secret.db' AS other",
        "VACUUM INTO 'FOLDER/made'",
        "SELECT AT, readfile('FOLDER/secret.csv') AS d",
        "SELECT AT, writefile('FOLDER/made', 'x') AS d",
        "SELECT AT, load_extension('FOLDER/secret.csv') AS d",
        "SELECT AT, edit('x') AS d",
        "SELECT AT, name AS d FROM fsdir('FOLDER')",
        "SELECT AT, file AS d FROM pragma_database_list",
        "SELECT AT, zeroblob(900000000) AS d",
        "PRAGMA query_only = false",
        "PRAGMA writable_schema = true",
        "DELETE FROM events RETURNING ts, d",
        "INSERT INTO events VALUES ('2026-01-01', 'y') RETURNING ts, d",
        "UPDATE events SET d = 'y' RETURNING ts, d",
        "REPLACE INTO events VALUES ('2026-01-01', 'y')",
        "DROP TABLE events",
        "SELECT 1; DELETE FROM events",
    ),
    "postgres": (
        "SELECT AT, pg_read_file('FOLDER/secret.csv') AS d",
        "SELECT AT, pg_catalog.pg_read_file('FOLDER/secret.csv') AS d",
        "SELECT AT, \"pg_read_file\"('FOLDER/secret.csv') AS d",
        "SELECT AT, PG_READ_FILE/**/('FOLDER/secret.csv') AS d",
        "SELECT AT, U&\"\\0070g_read_file\"('FOLDER/secret.csv') AS d",
        "SELECT AT, d FROM pg_read_file('FOLDER/secret.csv') AS d",
        "SELECT AT, d FROM pg_ls_dir('FOLDER') AS d",
        "SELECT AT, d FROM ROWS FROM (pg_ls_dir('FOLDER')) AS d",
        "SELECT AT, pg_stat_file('FOLDER/secret.csv')::text AS d",
        "SELECT AT, lo_import('FOLDER/secret.csv')::text AS d",
        "SELECT AT, lo_export(1, 'FOLDER/made')::text AS d",
        "SELECT AT, query_to_xml('DELETE FROM target.events', true, true, '')::text AS d",
        "SELECT AT, dblink('dbname=postgres', 'SELECT 1')::text AS d",
        "SELECT AT, d FROM crosstab('SELECT pg_read_file(''x'')') AS c(d text)",
        "SELECT AT, current_setting('data_directory') AS d",
        "SELECT AT, set_config('search_path', 'target', false) AS d",
        "SELECT AT, pg_sleep(1000)::text AS d",
        "SELECT AT, pg_terminate_backend(1)::text AS d",
        "SELECT AT, pg_advisory_lock(1)::text AS d",
        "SELECT AT, rolpassword AS d FROM pg_authid",
        "SELECT AT, passwd AS d FROM pg_catalog.pg_shadow",
        "SELECT AT, query AS d FROM pg_stat_activity",
        "SELECT AT, nextval('target.counter')::text AS d",
        "SELECT ts, target.wipe() AS d FROM target.events",
        "SELECT ts, d FROM target.trap",
        "WITH gone AS (DELETE FROM target.events RETURNING *) SELECT * FROM gone",
        "SELECT * INTO target.made FROM target.events",
        "SELECT * FROM target.events FOR UPDATE",
        "DELETE FROM target.events RETURNING *",
        "TRUNCATE target.events",
        "COPY target.events TO 'FOLDER/made'",
        "COPY target.events FROM PROGRAM 'touch FOLDER/made'",
        "DO $$ BEGIN DELETE FROM target.events; END $$",
        "CREATE TABLE target.made AS SELECT 1",
        "SET default_transaction_read_only = off",
        "SELECT 1; DELETE FROM target.events",
        "COMMIT",
    ),
}

FILTERS = {
    "files": (
        "d IN (SELECT d FROM 'FOLDER/secret.csv')",
        "d = (FROM read_text('FOLDER/secret.csv'))",
        "d = getenv('HOME')",
        "true; DROP VIEW events",
        "true) UNION ALL SELECT 0, d, 1 FROM 'FOLDER/secret.csv' --",
    ),
    "sqlite": (
        "d = load_extension('x')",
        "d = (SELECT d FROM events)",
        "d = readfile('FOLDER/secret.csv')",
        "1); DELETE FROM events; --",
    ),
    "postgres": (
        "d = pg_read_file('FOLDER/secret.csv')",
        "d = U&\"\\0070g_read_file\"('FOLDER/secret.csv')",
        "d = target.wipe()",
        "EXISTS (SELECT 1 FROM pg_authid)",
        "nextval('target.counter') > 0",
        "d = lo_import('FOLDER/secret.csv')::text",
        "true); DELETE FROM target.events; --",
    ),
}

TRIED = [(kind, "query", text) for kind, texts in QUERIES.items() for text in texts]
TRIED += [(kind, "where", text) for kind, texts in FILTERS.items() for text in texts]


@pytest.mark.parametrize(("kind", "key", "text"), TRIED)
def test_what_a_rule_asks_only_reads_what_it_may(request, kind, key, text):
    """Refused in one line, which holds nothing of the file; and the events and the folder are as they were."""
    target: Target = request.getfixturevalue(kind)
    text = text.replace("AT, ", f"{AT[kind]}, ", 1) if text.startswith("SELECT AT, ") else text
    told = target.ask(**{key: text})
    assert "\n" not in told
    assert SECRET not in told
    assert target.untouched()


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("mysql", "SELECT LOAD_FILE('/etc/passwd')"),
        ("mysql", "SELECT * FROM events INTO OUTFILE '/tmp/made'"),
        ("mysql", "SELECT @@datadir"),
        ("mysql", "SELECT * FROM mysql.user"),
        ("mysql", "SELECT get_lock('a', 100)"),
        ("mysql", "SELECT /*!50000 sleep(100) */ 1"),
        ("clickhouse", "SELECT * FROM file('/etc/passwd')"),
        ("clickhouse", "SELECT * FROM url('http://127.0.0.1', 'CSV')"),
        ("clickhouse", "SELECT * FROM remote('other', 'a', 'b')"),
        ("clickhouse", "SELECT * FROM executable('x', 'y')"),
        ("clickhouse", "SELECT * FROM events SETTINGS readonly = 0"),
        ("clickhouse", "SELECT * FROM system.users"),
        ("trino", "SELECT * FROM TABLE(postgresql.system.query(query => 'DROP TABLE x'))"),
        ("trino", "CALL system.runtime.kill_query('x')"),
        ("bigquery", "SELECT * FROM EXTERNAL_QUERY('a', 'b')"),
        ("bigquery", "EXPORT DATA OPTIONS(uri='gs://made') AS SELECT 1"),
        ("snowflake", "SELECT $1 FROM @stage/secret"),
        ("snowflake", "SELECT system$cancel_query('x')"),
        ("snowflake", "COPY INTO @stage FROM events"),
        ("snowflake", "PUT file:///etc/passwd @stage"),
        ("duckdb", "SELECT * FROM '/etc/passwd'"),
        ("duckdb", "SELECT * FROM read_csv_auto(['/etc/passwd'])"),
    ],
)
def test_engines_that_are_not_here_are_refused_by_the_text(dialect, text):
    """What is known of the others, from their manuals."""
    with pytest.raises(SourceError):
        check_select(text, dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('FOLDER/secret.csv')",
        "SELECT * FROM 'FOLDER/secret.csv'",
        "SELECT * FROM glob('FOLDER/*')",
        "SELECT * FROM sqlite_scan('FOLDER/secret.db', 'events')",
    ],
)
def test_files_are_locked_behind_the_check_of_the_text(tmp_path, sql):
    """Were the check of the text to miss one, DuckDB itself may open nothing but the table's own files."""
    folder = folder_of(tmp_path)
    with pytest.raises(SourceError) as caught, open_session("db", (), "UTC", 30.0) as session:
        session.rows(sql.replace("FOLDER", str(folder)))
    assert SECRET not in str(caught.value)


# --- the rule file itself --------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder beside which a file lies that holds a secret, in YAML."""
    (tmp_path / "secret.yaml").write_text(f"password: {SECRET}\n")
    made = Place(tmp_path / "place")
    made.write("slicewatch.toml", TOML.replace('url = "sqlite:///slicewatch.db"', 'url = "sqlite:///made.db"'))
    return made


@pytest.mark.parametrize(
    "text",
    [
        "extends: ../../secret.yaml\n" + RULE,
        "extends: OUTSIDE/secret.yaml\n" + RULE,
        "extends: linked.yaml\n" + RULE,
        RULE + "    baseline: {events: ../../secret.yaml}\n",
        RULE + "    baseline: {events: OUTSIDE/secret.yaml}\n",
        RULE + "    description: !!python/object/apply:os.system ['touch made']\n",
        RULE + "    description: !!python/object/new:subprocess.Popen [['touch', 'made']]\n",
        RULE + "    description: !include OUTSIDE/secret.yaml\n",
        RULE + "    description: !ENV SECRET\n",
        RULE + "    detector: os:system\n",
        RULE.replace("playback_volume", "../made"),
        RULE.replace("lake.playback", "lake.OUTSIDE/secret.csv"),
        RULE.replace("source: lake.playback", "source: lake\n    query: SELECT * FROM read_csv('OUTSIDE/secret.yaml')"),
    ],
)
def test_a_rule_file_reads_no_other_files_and_runs_nothing(place, tmp_path, text):
    """It is an error with its place, and nothing of the secret is shown."""
    place.write("rules/playback.yaml", text.replace("OUTSIDE", str(tmp_path)))
    (place.folder / "rules" / "linked.yaml").symlink_to(tmp_path / "secret.yaml")
    place.write_events(events(END, days=2))
    found = place.run("check", "--online", SECRET=SECRET)
    assert found.exit_code == 1
    assert "error[" in found.stdout
    assert SECRET not in found.stdout + found.stderr
    assert not list(tmp_path.glob("**/made"))
    assert not Path("made").exists()


@pytest.mark.parametrize("name", ["../defaults.yaml", "beside.yaml"])
def test_files_of_the_folder_may_be_shared(place, name):
    """What lies beside the rules, or above them in the folder of the settings."""
    place.write(f"rules/{name}", "defaults:\n  owner: recs-data\n")
    place.write("rules/rule.yml", f"extends: {name}\n" + RULE)
    place.write("slicewatch.toml", TOML.replace("*.yaml", "rule.yml"))
    found = place.run("check")
    assert found.exit_code == 0, found.stdout
