"""What only databases have: read-only transactions, limits of the server, secrets in URLs, several dialects."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from monitor.query import Arrivals, Column, Cost, Listing, QueryRefusedError, SourceError
from monitor.sources import SourceConfig, open_source
from monitor.sources.buckets import Clock, plan_arrivals, plan_buckets
from monitor.sources.dialects import DIALECTS, dialect_of
from monitor.sources.sql import SqlSource, _Asked, _statement
from monitor.sources.sql_tables import SqlColumn, SqlRelation, Verbatim
from rules.model import Interval, Metric, SourceRef, Timestamp
from tests.contracts.source_contract import Asked, leaves

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMIT = timedelta(seconds=20)
TODAY = Asked(("d",), start=FIRST, end=FIRST + DAY)


def sqlite_with(path, *statements):
    """A SQLite file after some statements, as a source."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return SqlSource("db", f"sqlite:///{path}", LIMIT)


@pytest.fixture
def server(postgres_url):
    """An engine with all rights on the test server, to prepare tables with."""
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS shop CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA shop")
        connection.exec_driver_sql("CREATE TABLE shop.events (ts timestamptz, d text)")
        connection.exec_driver_sql("INSERT INTO shop.events VALUES ('2026-01-01 00:10Z', 'x')")
    return engine


REF = SourceRef("db", ("shop", "events"))


@pytest.mark.parametrize("value", ["1767225600", "2460000.5", "'soon'", "'01/02/2026'", "'1767225600'"])
def test_sqlite_times_that_are_no_iso_text_are_refused(tmp_path, value):
    """Unix times, julian days and other spellings are not guessed at."""
    source = sqlite_with(
        tmp_path / "a.db",
        "CREATE TABLE events (ts TIMESTAMP, d TEXT)",
        f"INSERT INTO events VALUES ('2026-01-01 00:00:00', 'x'), ({value}, 'x')",
    )
    with pytest.raises(QueryRefusedError, match="ISO 8601") as caught:
        source.count(TODAY.of(SourceRef("db", ("events",))))
    assert caught.value.subject == "ts"


def test_sqlite_times_with_offsets_and_fractions(tmp_path):
    """Each text says for itself whether it is an instant; fractions are never rounded into the next bucket."""
    source = sqlite_with(
        tmp_path / "a.db",
        "CREATE TABLE events (ts DATETIME, d TEXT)",
        "INSERT INTO events VALUES ('2026-01-01T00:59:59.9999Z', 'z'), ('2026-01-01 01:59:59.9999+01:00', 'plus'),"
        " ('2026-01-01 01:30:00', 'naive'), ('2026-01-01T05:30+05:00', 'short')",
    )
    query = replace(TODAY, zone="Europe/Oslo", dimensions=("d",)).of(SourceRef("db", ("events",)))
    assert set(leaves(source.count(query), 1)) == {(FIRST, "z"), (FIRST, "plus"), (FIRST, "naive"), (FIRST, "short")}


def test_sqlite_columns_hold_what_they_like(tmp_path):
    """An INTEGER column with a fraction or a text in it is not summed."""
    for value in ("1.5", "'many'"):
        source = sqlite_with(
            tmp_path / f"{len(value)}.db",
            "CREATE TABLE events (ts TIMESTAMP, n INTEGER)",
            f"INSERT INTO events VALUES ('2026-01-01 00:00:00', 1), ('2026-01-01 00:00:00', {value})",
        )
        with pytest.raises(QueryRefusedError, match="non-negative integer"):
            source.count(replace(TODAY, dimensions=(), measures=(Metric("sum", "n"),)).of(SourceRef("db", ("events",))))


def test_a_sqlite_source_is_read_only(tmp_path):
    """The file is not even created, and not changed by a connection of the source."""
    with pytest.raises(SourceError, match="unable to open"):
        SqlSource("db", f"sqlite:///{tmp_path}/none.db", LIMIT).count(TODAY.of(SourceRef("db", ("events",))))
    assert not list(tmp_path.iterdir())
    source = sqlite_with(tmp_path / "a.db", "CREATE TABLE events (ts TIMESTAMP, d TEXT)")
    with (
        pytest.raises(SourceError, match="readonly database"),
        source._connected(SourceRef("db", ("events",)), LIMIT) as connection,
    ):
        connection.exec_driver_sql("INSERT INTO events VALUES ('2026-01-01', 'x')")


def test_a_view_of_sqlite_is_a_table(tmp_path):
    """Views, whose columns may have no declared type, are judged by their values."""
    source = sqlite_with(
        tmp_path / "a.db",
        "CREATE TABLE raw (ts TIMESTAMP, d TEXT)",
        "INSERT INTO raw VALUES ('2026-01-01 00:10:00', 'x')",
        "CREATE VIEW events AS SELECT replace(ts, ' ', 'T') AS ts, upper(d) AS d FROM raw",
    )
    assert leaves(source.count(TODAY.of(SourceRef("db", ("events",)))), 1) == {(FIRST, "X"): (1,)}


def test_a_sqlite_source_lists_its_tables_and_views(tmp_path):
    """Without a schema, in order."""
    source = sqlite_with(tmp_path / "a.db", "CREATE TABLE stops (at TIMESTAMP)", "CREATE VIEW a AS SELECT * FROM stops")
    assert isinstance(source, Listing)
    assert source.tables() == (("a",), ("stops",))


def test_a_slow_sqlite_query_is_interrupted(tmp_path):
    """A limit of a third of a second ends an endless query."""
    source = sqlite_with(tmp_path / "a.db", "CREATE TABLE events (ts TIMESTAMP, d TEXT)")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT '2026-01-01' AS ts, i AS d FROM n"
    query = replace(TODAY.of(SourceRef("db", (), endless)), timeout=timedelta(seconds=0.3))
    with pytest.raises(SourceError, match=r"timed out after 0\.3 s"):
        source.count(query)


def test_a_slow_postgresql_query_is_cancelled_by_the_server(postgres_url, server):
    """The server's own limit ends it, and nothing of it goes on running."""
    source = SqlSource("db", postgres_url, LIMIT)
    endless = "SELECT TIMESTAMPTZ '2026-01-01' AS ts, 'x' AS d FROM generate_series(1, 2000000000) AS g"
    query = replace(TODAY.of(SourceRef("db", (), endless)), timeout=timedelta(seconds=0.3))
    with pytest.raises(SourceError, match=r"timed out after 0\.3 s") as caught:
        source.count(query)
    assert not isinstance(caught.value, QueryRefusedError)
    with server.connect() as connection:
        running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%2000000000%%'"
        busy = connection.exec_driver_sql(f"{running} AND pid <> pg_backend_pid()").scalar()
    assert busy == 0
    assert leaves(source.count(TODAY.of(REF)), 1) == {(FIRST, "x"): (1,)}
    source.close()


def test_a_postgresql_source_cannot_write(postgres_url, server):
    """Even a function or a view with an effect meets a read-only transaction."""
    with server.begin() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE shop.counter")
        connection.exec_driver_sql(
            "CREATE FUNCTION shop.spoil() RETURNS text LANGUAGE sql AS 'DELETE FROM shop.events RETURNING d'"
        )
        connection.exec_driver_sql("CREATE VIEW shop.trap AS SELECT TIMESTAMPTZ '2026-01-01' AS ts, shop.spoil() AS d")
    source = SqlSource("db", postgres_url, LIMIT)
    for ref in (
        SourceRef("db", ("shop", "trap")),
        SourceRef("db", (), "SELECT ts, shop.spoil() AS d FROM shop.events"),
    ):
        with pytest.raises(SourceError, match="read-only transaction"):
            source.count(TODAY.of(ref))
    with pytest.raises(QueryRefusedError, match="nextval"):
        source.count(TODAY.of(SourceRef("db", (), "SELECT ts, nextval('shop.counter') AS d FROM shop.events")))
    assert leaves(source.count(TODAY.of(REF)), 1) == {(FIRST, "x"): (1,)}
    source.close()


def test_tables_of_one_two_and_three_parts(postgres_url, server):
    """schema.table, database.schema.table, and a table of the default schema."""
    with server.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS public.plain_events AS SELECT * FROM shop.events")
    source = SqlSource("db", postgres_url, LIMIT)
    for table in (("shop", "events"), ("postgres", "shop", "events"), ("plain_events",)):
        assert leaves(source.count(TODAY.of(SourceRef("db", table))), 1) == {(FIRST, "x"): (1,)}
    with pytest.raises(QueryRefusedError):
        source.count(TODAY.of(SourceRef("db", ("shop.events",))))
    assert {("plain_events",), ("shop", "events")} <= set(source.tables())
    assert not any(table[0] in {"public", "pg_catalog", "information_schema"} for table in source.tables())
    source.close()


def test_types_of_postgresql(postgres_url, server):
    """Enums, uuids, numeric without places, padded characters: dimensions as printed, whole numbers summed."""
    with server.begin() as connection:
        connection.exec_driver_sql("CREATE TYPE shop.kind AS ENUM ('big', 'small')")
        connection.exec_driver_sql(
            "CREATE TABLE shop.typed (ts timestamp, k shop.kind, c char(4), i numeric(20, 0), f numeric(20, 2), u uuid)"
        )
        connection.exec_driver_sql(
            "INSERT INTO shop.typed VALUES ('2026-01-01', 'big', 'ab', 7, 1.5, '00000000-0000-0000-0000-000000000001')"
        )
    source = SqlSource("db", postgres_url, LIMIT)
    ref = SourceRef("db", ("shop", "typed"))
    query = replace(TODAY, dimensions=("k", "u", "f"), measures=(Metric("sum", "i"),)).of(ref)
    uuid = "00000000-0000-0000-0000-000000000001"
    assert leaves(source.count(query), 3) == {(FIRST, "big", uuid, "1.50"): (7,)}
    assert Column("i", "numeric", "integer") in source.columns(ref)
    with pytest.raises(QueryRefusedError, match="numeric"):
        source.count(replace(query, measures=(Metric("sum", "f"),)))
    source.close()


def test_missing_rights_are_an_error_of_the_source(postgres_url, server):
    """No permission: unknown, to be asked again, not the rule's fault."""
    with server.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS guest")
        connection.exec_driver_sql("CREATE ROLE guest LOGIN PASSWORD 'hunter2'")
    source = SqlSource("db", sa.make_url(postgres_url).set(username="guest", password="hunter2"), LIMIT)
    with pytest.raises(SourceError, match="permission denied") as caught:
        source.count(TODAY.of(REF))
    assert not isinstance(caught.value, QueryRefusedError)
    source.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://monitor:hunter%2F2@127.0.0.1:1/db",
        "postgresql+psycopg://monitor@127.0.0.1:1/db?password=hunter%2F2",
        "postgresql+psycopg://monitor:hunter%2F2@127.0.0.1:1/db?options=bad option=",
    ],
)
def test_no_message_holds_a_secret(url):
    """A server that is not there: one line, without the password in any spelling."""
    source = SqlSource("db", url, LIMIT)
    with pytest.raises(SourceError) as caught:
        source.count(TODAY.of(REF))
    assert "hunter" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter" not in repr(SourceConfig("sql", url=url))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("hunter2 is no url", "no SQLAlchemy URL"),
        ("", "needs a url"),
        ("mysql+pymysql://u:hunter2@h/d", "pymysql"),
        ("oracle://u:hunter2@h/d", "not supported yet"),
        ("nonsense://u:hunter2@h/d", "not supported yet"),
        ("trino://u:hunter2@h/d", "no SQLAlchemy dialect"),
    ],
)
def test_urls_that_cannot_be_opened(url, message):
    """Each says what is missing, without repeating the URL."""
    with pytest.raises(SourceError, match=message) as caught:
        open_source("db", SourceConfig("sql", url=url))
    assert "hunter2" not in str(caught.value)


def test_a_source_costs_what_is_not_known(tmp_path):
    """SQL engines do not say beforehand."""
    source = sqlite_with(tmp_path / "a.db", "CREATE TABLE events (ts TIMESTAMP, d TEXT)")
    assert source.cost(TODAY.of(SourceRef("db", ("events",)))) == Cost()


@pytest.mark.parametrize("backend", sorted(DIALECTS))
def test_every_dialect_makes_one_group_by(backend):
    """The statement compiles, with the filter as it was written and quoted names."""
    dialect = dialect_of(backend)
    compiler = mysql.dialect() if backend == "mysql" else None
    relation = SqlRelation(
        "db.events",
        sa.table("events"),
        {
            name: SqlColumn(Column(name, "", group), clock)
            for name, group, clock in (("ts", "time", Clock.NAIVE), ("or der", "integer", None), ("n", "integer", None))
        },
    )
    window = Interval(datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 30, 22, tzinfo=UTC))
    query = replace(
        Asked(("or der",), measures=(Metric("count"), Metric("sum", "n")), zone="Europe/Oslo", where="x <> ':y'"),
        windows=(window,),
        bucket=DAY,
        days="Europe/Oslo",
    ).of(SourceRef("db", ("events",)))
    plan = plan_buckets(Clock.NAIVE, "Europe/Oslo", DAY, "Europe/Oslo", query.windows)
    asked = _Asked(relation, relation.columns["ts"], plan)
    text = str(_statement(query, asked, dialect).compile(dialect=compiler))
    assert text.count("GROUP BY") == 1
    assert "(x <> ':y'\n)" in text
    assert ("`or der`" if backend == "mysql" else '"or der"') in text


@pytest.mark.parametrize("backend", sorted(DIALECTS))
def test_every_dialect_counts_by_arrival_in_one_group_by(backend):
    """The class of lateness is part of the one statement."""
    dialect = dialect_of(backend)
    relation = SqlRelation(
        "db.events",
        sa.table("events"),
        {name: SqlColumn(Column(name, "", "time"), Clock.NAIVE) for name in ("ts", "at")},
    )
    start = datetime(2026, 3, 28, 23, tzinfo=UTC)
    late = Arrivals(Timestamp("at", "Europe/Oslo"), (HOUR, DAY), start + 2 * DAY)
    query = Asked(zone="Europe/Oslo", bucket=DAY, days="Europe/Oslo", windows=(Interval(start, start + DAY),)).of(
        SourceRef("db", ("events",))
    )
    query = replace(query, arrivals=late)
    plan = plan_buckets(Clock.NAIVE, "Europe/Oslo", DAY, "Europe/Oslo", query.windows)
    asked = _Asked(relation, relation.columns["ts"], plan, plan_arrivals(Clock.NAIVE, late, plan))
    text = str(_statement(query, asked, dialect).compile(dialect=mysql.dialect() if backend == "mysql" else None))
    assert text.count("GROUP BY") == 1
    assert "slicewatch_lag" in text.rsplit("GROUP BY", 1)[1]


def test_text_is_not_searched_for_parameters():
    """Colons, percent signs and backslashes of a filter reach the engine as they are."""
    text = "a = ':b' AND c LIKE '%d' AND e = '\\:f'"
    assert str(Verbatim(text).compile()) == text


def test_drivers_that_are_not_used_are_not_imported(tmp_path):
    """Opening files imports no SQLAlchemy, opening SQLite no DuckDB and no psycopg."""
    program = (
        "import sys; from monitor.sources import SourceConfig, open_source;"
        "open_source('a', SourceConfig(sys.argv[1], {}, sys.argv[2]));"
        "print([name for name in ('duckdb', 'sqlalchemy', 'psycopg') if name in sys.modules])"
    )
    for kind, loaded in (("duckdb", "['duckdb']"), ("sql", "['sqlalchemy']")):
        run = subprocess.run(
            [sys.executable, "-c", program, kind, f"sqlite:///{tmp_path}/a.db"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        assert run.stdout.strip() == loaded


def test_an_unknown_zone_and_an_odd_span(tmp_path):
    """A span needs a zone that exists."""
    source = sqlite_with(tmp_path / "a.db", "CREATE TABLE events (ts TIMESTAMP, d TEXT)")
    with pytest.raises(QueryRefusedError, match="no time zone"):
        source.span(SourceRef("db", ("events",)), Timestamp("ts", "Mars/Base"), None)
