"""What is asked of a source at once: how long, how much, how many rows; and that nothing goes on at the engine afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from monitor.query import CountQuery, QueryRefusedError, QueryTimeoutError, ScanTooLargeError, SourceError
from monitor.sources import Limits
from monitor.sources.duckdb_files import DuckDBFiles
from monitor.sources.sql import SqlSource
from rules.model import SourceRef
from tests.contracts.source_contract import Asked, leaves

SLOW = 120.0
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY, LONG = timedelta(days=1), timedelta(minutes=5)
TODAY = Asked(("d",), start=FIRST, end=FIRST + DAY)
ENDLESS = {
    "postgresql": "SELECT TIMESTAMPTZ '2026-01-01' AS ts, 'x' AS d FROM generate_series(1, 2000000001) AS g",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT '2026-01-01' AS ts, i AS d FROM n",
    "duckdb": "SELECT e.ts, concat(a.range, e.d) AS d FROM events AS e, range(1000000) AS a, range(1000000) AS b",
}


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + SLOW
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def server(postgres_url: str) -> sa.Engine:
    return sa.create_engine(postgres_url, poolclass=sa.NullPool)


def running(server: sa.Engine) -> int:
    """How many of the endless queries the server works on."""
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%2000000001%' AND pid <> pg_backend_pid()"
    )
    with server.connect() as connection:
        return int(connection.execute(query).scalar_one())


def sqlite_of(path: Path, rows: int = 1) -> SqlSource:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE events (ts TIMESTAMP, d TEXT)")
        connection.executemany(
            "INSERT INTO events VALUES ('2026-01-01 00:10:00', ?)", [(f"v{n}",) for n in range(rows)]
        )
    return SqlSource("db", f"sqlite:///{path}", LONG)


def lake_of(folder: Path, rows: int = 1, limits: Limits | None = None) -> DuckDBFiles:
    table = pa.table({"ts": pa.array([FIRST] * rows, pa.timestamp("us", "UTC")), "d": [f"v{n}" for n in range(rows)]})
    pq.write_table(table, folder / "events.parquet")
    return DuckDBFiles("db", {"events": (str(folder / "events.parquet"),)}, LONG, limits=limits)


@pytest.fixture(params=sorted(ENDLESS))
def endless(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SqlSource | DuckDBFiles, CountQuery]]:
    """A source of each engine, and a query that would run for hours."""
    kind = request.param
    if kind == "postgresql":
        source: SqlSource | DuckDBFiles = SqlSource("db", request.getfixturevalue("postgres_url"), LONG)
    else:
        source = sqlite_of(tmp_path / "a.db") if kind == "sqlite" else lake_of(tmp_path)
    yield source, TODAY.of(SourceRef("db", (), ENDLESS[kind]))
    source.close()


@contextmanager
def asked(source: SqlSource | DuckDBFiles, query: CountQuery) -> Iterator[list[BaseException]]:
    """The query, running in a thread that has ended afterwards; the errors it ended with."""
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            source.count(query)
        except SourceError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    yield errors
    thread.join(SLOW)
    assert not thread.is_alive()


def test_a_query_that_takes_too_long_is_told_apart(endless):
    """From a source that fails: by it one knows that the query is at fault."""
    source, query = endless
    with pytest.raises(QueryTimeoutError, match=r"timed out after 0\.3 s"):
        source.count(replace(query, timeout=timedelta(seconds=0.3)))


def test_a_source_that_is_stopped_ends_what_runs_and_what_begins_after(endless):
    """From another thread, at the engine; it is no time-out, for its time was not up."""
    source, query = endless
    with asked(source, query) as errors:
        wait_for(lambda: source._running._alarms if isinstance(source, SqlSource) else source._pool.running._alarms)
        source.stop()
    with asked(source, query) as after:
        pass
    assert len(errors) == len(after) == 1
    assert not isinstance(errors[0], QueryTimeoutError)


def test_nothing_runs_at_the_server_after_a_stop(postgres_url, server):
    """PostgreSQL's own list of what it works on is empty of it."""
    source = SqlSource("db", postgres_url, LONG)
    with asked(source, TODAY.of(SourceRef("db", (), ENDLESS["postgresql"]))):
        wait_for(lambda: running(server) == 1)
        source.stop()
    assert running(server) == 0
    source.close()


def test_nothing_runs_at_the_server_after_the_process_was_killed(postgres_url, server):
    """With SIGKILL nobody can cancel anything: the server itself sees within seconds that nobody waits."""
    with server.connect() as connection:
        major = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    assert major >= 14, "older servers notice it at the statement's time limit"
    program = (
        "import sys; from datetime import timedelta; from monitor.sources.sql import SqlSource;"
        "from rules.model import SourceRef; from tests.monitor.sources.test_limits import TODAY, ENDLESS;"
        "SqlSource('db', sys.argv[1], timedelta(hours=1)).count(TODAY.of(SourceRef('db', (), ENDLESS['postgresql'])))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, postgres_url], env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )
    try:
        wait_for(lambda: running(server) == 1 or process.poll() is not None)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: running(server) == 0)


# --- how much --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "passes"), [(None, True), (10**9, True), (100, False)])
def test_files_larger_than_max_scan_are_not_read(tmp_path, most, passes):
    """What would be opened is weighed before it is: the source's limit."""
    source = lake_of(tmp_path, 50, Limits(max_scan=most))
    query = TODAY.of(SourceRef("db", ("events",)))
    if passes:
        assert len(source.count(query)) == 50
        return
    with pytest.raises(
        ScanTooLargeError, match=r"db\.events would read about .* and max_scan is 100 bytes: name a part"
    ):
        source.count(query)


def test_the_lower_of_the_rules_and_the_sources_max_scan_holds(tmp_path):
    """A rule may ask for less than its source allows, and not for more."""
    source = lake_of(tmp_path, 50, Limits(max_scan=10**6))
    query = TODAY.of(SourceRef("db", ("events",)))
    assert source.cost(replace(query, max_scan=10**9)).limit == 10**6
    with pytest.raises(ScanTooLargeError):
        source.count(replace(query, max_scan=100))


def test_partitions_outside_of_the_window_do_not_count(tmp_path):
    """The limit is on what is opened: a day of a large lake is small."""
    for day in range(30):
        folder = tmp_path / f"dt={FIRST + day * DAY:%Y-%m-%d}"
        folder.mkdir()
        lake_of(folder, 200)
    one = (tmp_path / "dt=2026-01-01" / "events.parquet").stat().st_size
    tables = {"events": (str(tmp_path / "**" / "*.parquet"),)}
    source = DuckDBFiles("db", tables, LONG, limits=Limits(max_scan=4 * one))
    query = TODAY.of(SourceRef("db", ("events",)))
    assert len(source.count(query)) == 200
    with pytest.raises(ScanTooLargeError):
        source.count(replace(query, windows=(replace(query.windows[0], end=FIRST + 30 * DAY),)))


@pytest.fixture
def large(server: sa.Engine) -> Iterator[str]:
    """A table of 200,000 events over 200 days, with an index on their time and a view of it."""
    with server.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS scans CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA scans")
        connection.exec_driver_sql(
            "CREATE TABLE scans.events AS SELECT TIMESTAMPTZ '2026-01-01Z' + g * INTERVAL '86.4 seconds' AS ts, "
            "'v' || mod(g, 5) AS d, repeat('x', 100) AS filler FROM generate_series(0, 199999) AS g"
        )
        connection.exec_driver_sql("CREATE INDEX ON scans.events (ts)")
        connection.exec_driver_sql("CREATE VIEW scans.seen AS SELECT * FROM scans.events")
        connection.exec_driver_sql("ANALYZE scans.events")
    yield "scans"
    with server.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA scans CASCADE")


@pytest.mark.parametrize("table", ["events", "seen"])
def test_postgresql_says_how_much_it_would_read(postgres_url, server, large, table):
    """A day that an index finds is a two-hundredth of the table, a filter on the whole span is all of it."""
    source = SqlSource("db", postgres_url, LONG, Limits(max_scan=5_000_000))
    ref = SourceRef("db", (large, table))
    with server.connect() as connection:
        size = connection.exec_driver_sql("SELECT pg_relation_size('scans.events')").scalar_one()
    day, whole = TODAY.of(ref), replace(TODAY, end=FIRST + 200 * DAY).of(ref)
    assert source.cost(whole).bytes == size
    found = source.cost(day).bytes
    assert found is not None
    assert size / 1_000 < found < size / 50
    assert sum(row[0] for row in leaves(source.count(day), 1).values()) == 1_000
    with pytest.raises(ScanTooLargeError, match=r"would read about \d+(\.\d+)? MB, and max_scan is 5 MB"):
        source.count(whole)
    source.close()


def test_an_engine_that_cannot_say_is_not_held_to_it(tmp_path):
    """SQLite gives no estimate: nothing is refused for what nobody knows."""
    source = sqlite_of(tmp_path / "a.db")
    query = replace(TODAY.of(SourceRef("db", ("events",))), max_scan=1)
    assert source.cost(query).bytes is None
    assert len(source.count(query)) == 1


# --- how many rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgresql"])
def test_an_answer_of_too_many_rows_is_refused_and_never_held(tmp_path, kind, request):
    """The engine is asked for one row more than may be: a dimension of a million values costs the memory of a hundred."""
    limits = Limits(max_rows=100)
    if kind == "postgresql":
        source: SqlSource | DuckDBFiles = SqlSource("db", request.getfixturevalue("postgres_url"), LONG, limits)
    elif kind == "sqlite":
        sqlite_of(tmp_path / "a.db")
        source = SqlSource("db", f"sqlite:///{tmp_path / 'a.db'}", LONG, limits)
    else:
        source = lake_of(tmp_path, limits=limits)
    many = {
        "postgresql": "SELECT TIMESTAMPTZ '2026-01-01' AS ts, g::text AS d FROM generate_series(1, {}) AS g",
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) "
        "SELECT '2026-01-01' AS ts, i AS d FROM n",
        "duckdb": "SELECT e.ts, concat(a.range, e.d) AS d FROM events AS e, range({}) AS a",
    }[kind]
    assert len(source.count(TODAY.of(SourceRef("db", (), many.format(100))))) == 100
    with pytest.raises(QueryRefusedError, match="more than 100 rows") as caught:
        source.count(TODAY.of(SourceRef("db", (), many.format(100_000))))
    assert caught.value.subject == "max_rows"
    source.close()
