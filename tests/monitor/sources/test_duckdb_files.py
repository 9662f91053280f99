"""What only files have: partitions, guessed types, changing schemas, and a lock on everything else."""

import gzip
import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.query import CountQuery, QueryRefusedError, SourceError
from monitor.sources import SourceConfig, open_source
from monitor.sources.duckdb_files import DuckDBFiles
from monitor.sources.duckdb_session import open_session
from rules.model import Interval, Metric, SourceRef, Timestamp
from tests.contracts.source_contract import Asked, leaves

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
REF = SourceRef("lake", ("events",))


def files(pattern, timeout=timedelta(seconds=30)):
    """A lake of one table."""
    return DuckDBFiles("lake", {"events": (str(pattern),)}, timeout)


def profile_of(source, query):
    """(files opened, row groups read, row groups there) by DuckDB's own profile."""
    found = json.loads(source.profile(query))
    scans: list[dict] = []

    def walk(node):
        if "Total Files Read" in node.get("extra_info", {}):
            scans.append(node)
        for child in [*node.get("children", []), *(node.get("operator") or [])]:
            walk(child)

    walk(found)
    (scan,) = scans
    return int(scan["extra_info"]["Total Files Read"]), scan["row_groups_scanned"], scan["total_row_groups_to_scan"]


@pytest.fixture
def month(tmp_path):
    """31 folders by day, 24 events each, one per hour."""
    for day in range(31):
        folder = tmp_path / f"dt={FIRST + day * DAY:%Y-%m-%d}"
        folder.mkdir()
        times = [FIRST + day * DAY + i * HOUR for i in range(24)]
        pq.write_table(
            pa.table({"ts": pa.array(times, pa.timestamp("us", "UTC")), "d": ["x"] * 24}), folder / "p.parquet"
        )
    return tmp_path / "**/*.parquet"


def test_only_partitions_of_the_window_are_opened(month):
    """One hour opens its day and the two beside it: 3 of 31 files, by DuckDB's own profile."""
    source = files(month)
    start = FIRST + 14 * DAY + 7 * HOUR
    query = Asked(("d",), start=start, end=start + HOUR).of(REF)
    assert profile_of(source, query)[0] == 3
    cost = source.cost(query)
    assert (cost.files, cost.files_total) == (3, 31)
    assert cost.bytes is not None
    assert cost.bytes < source.cost(Asked(start=FIRST, end=FIRST + 31 * DAY).of(REF)).bytes / 8
    assert leaves(source.count(query), 1) == {(start, "x"): (1,)}


def test_two_windows_open_the_days_of_both(month):
    """Days between two windows stay closed."""
    windows = tuple(Interval(FIRST + day * DAY, FIRST + day * DAY + HOUR) for day in (3, 20))
    source = files(month)
    query = Asked(("d",), windows=windows).of(REF)
    assert profile_of(source, query)[0] == 6
    assert len(source.count(query)) == 2


def test_a_window_without_partition_is_zero(month):
    """No folder of that day: nothing came. A glob that matches nothing at all is an error."""
    start = FIRST + 60 * DAY
    assert len(files(month).count(Asked(("d",), start=start, end=start + DAY).of(REF))) == 0
    with pytest.raises(QueryRefusedError, match="not a column"):
        files(month).count(Asked(("nope",), start=start, end=start + DAY).of(REF))
    with pytest.raises(SourceError, match="no file matches"):
        files(month.parent / "nothing*.parquet").count(Asked().of(REF))


def test_row_groups_outside_the_window_are_skipped(tmp_path):
    """In one large file, statistics leave out what the window does not need."""
    times = pa.array([FIRST + i * timedelta(minutes=1) for i in range(100_000)], pa.timestamp("us"))
    pq.write_table(pa.table({"ts": times}), tmp_path / "a.parquet", row_group_size=2_000)
    start = FIRST + 30 * DAY
    _, read, there = profile_of(files(tmp_path / "a.parquet"), Asked(start=start, end=start + HOUR).of(REF))
    assert (there, read <= 4) == (50, True)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_every_resolution_of_time(tmp_path, unit, zone):
    """Seconds to nanoseconds, naive and aware, give the same buckets."""
    times = pa.array([FIRST, FIRST + 59 * timedelta(minutes=1), FIRST + HOUR], pa.timestamp(unit, zone))
    pq.write_table(pa.table({"ts": times}), tmp_path / "a.parquet")
    found = leaves(files(tmp_path / "a.parquet").count(Asked(start=FIRST, end=FIRST + DAY).of(REF)), 0)
    assert found == {(FIRST,): (2,), (FIRST + HOUR,): (1,)}


def test_a_column_that_came_later_is_null_before(tmp_path):
    """A lake gains columns: older files have NULL there, also where the window holds only older files."""
    for day, extra in ((1, {}), (2, {"app": ["7", "8"]})):
        folder = tmp_path / f"dt=2026-01-{day * 10:02d}"
        folder.mkdir()
        times = pa.array([FIRST + (day * 10 - 1) * DAY] * 2, pa.timestamp("us"))
        pq.write_table(pa.table({"ts": times, "d": ["x", "y"], **extra}), folder / "a.parquet")
    source = files(tmp_path / "*/*.parquet")
    both = Asked(("app",), start=FIRST, end=FIRST + 31 * DAY).of(REF)
    assert sorted(key[1] or "" for key in leaves(source.count(both), 1)) == ["", "7", "8"]
    older = Asked(("app",), start=FIRST + 9 * DAY, end=FIRST + 10 * DAY).of(REF)
    assert [key[1] for key in leaves(source.count(older), 1)] == [None]
    assert len(source.count(replace(older, where="app = '7'"))) == 0


def test_partition_values_are_dimensions_as_spelled(tmp_path):
    """`version=010` is '010', a default partition is NULL, and a filter on a partition works."""
    for value in ("010", "10", "__HIVE_DEFAULT_PARTITION__"):
        folder = tmp_path / f"version={value}"
        folder.mkdir()
        pq.write_table(pa.table({"ts": pa.array([FIRST], pa.timestamp("us"))}), folder / "a.parquet")
    source = files(tmp_path / "*/*.parquet")
    query = Asked(("version",), start=FIRST, end=FIRST + DAY).of(REF)
    assert {key[1] for key in leaves(source.count(query), 1)} == {"010", "10", None}
    assert len(source.count(replace(query, dimensions=(), where="version IS NOT NULL"))) == 1


def test_a_partition_may_be_the_time_column(tmp_path):
    """`date=2026-01-03` as the only time there is, counted by day."""
    for day in (2, 3):
        folder = tmp_path / f"date=2026-01-0{day}"
        folder.mkdir()
        pq.write_table(pa.table({"visits": [day, day]}), folder / "a.parquet")
    asked = Asked(time="date", bucket=DAY, start=FIRST, end=FIRST + 9 * DAY, measures=(Metric("sum", "visits"),))
    found = leaves(files(tmp_path / "*/*.parquet").count(asked.of(REF)), 0)
    assert found == {(FIRST + DAY,): (4,), (FIRST + 2 * DAY,): (6,)}


def test_compressed_csv_with_codes(tmp_path):
    """Codes keep their zeros, an empty field is NULL, times with an offset are instants."""
    text = "ts,code,n\n2026-01-01T01:00:00+01:00,01,1\n2026-01-01T00:30:00Z,1,2\n2026-01-01T00:30:00Z,,\n"
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write(text)
    asked = Asked(("code",), start=FIRST, end=FIRST + DAY, measures=(Metric("count"), Metric("sum", "n")))
    found = leaves(files(tmp_path / "*.csv.gz").count(asked.of(REF)), 1)
    assert found == {(FIRST, "01"): (1, 1), (FIRST, "1"): (1, 2), (FIRST, None): (1, 0)}


def test_a_dimension_in_a_filter_keeps_its_type(tmp_path):
    """CSV: `zone > 5` compares numbers though zone is a dimension."""
    (tmp_path / "a.csv").write_text("ts,zone\n2026-01-01 00:00:00,7\n2026-01-01 00:00:00,3\n")
    asked = Asked(("zone",), start=FIRST, end=FIRST + DAY, where="zone > 5")
    assert leaves(files(tmp_path / "a.csv").count(asked.of(REF)), 1) == {(FIRST, "7"): (1,)}


def test_json_times_with_and_without_fractions(tmp_path):
    """JSON has no times: ISO text is read as times, whatever its precision and offset."""
    texts = ["2026-01-01T00:00:00Z", "2026-01-01T00:30:00.123456Z", "2026-01-01 02:10:00.5+01:00"]
    (tmp_path / "a.ndjson").write_text("".join(json.dumps({"ts": text, "d": "01"}) + "\n" for text in texts))
    source = files(tmp_path / "a.ndjson")
    assert [column.family for column in source.columns(REF)] == ["time", "string"]
    found = leaves(source.count(Asked(("d",), start=FIRST, end=FIRST + DAY).of(REF)), 1)
    assert found == {(FIRST, "01"): (2,), (FIRST + HOUR, "01"): (1,)}


def test_files_that_cannot_be_read_are_an_error_of_the_source(tmp_path):
    """A broken file, formats mixed in a table, and an unknown format: unknown, never zero."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(SourceError) as caught:
        files(tmp_path / "a.parquet").count(Asked().of(REF))
    assert not isinstance(caught.value, QueryRefusedError)
    assert "\n" not in str(caught.value)
    (tmp_path / "b.csv").write_text("ts\n2026-01-01\n")
    with pytest.raises(SourceError, match="must all be"):
        files(tmp_path / "*").count(Asked().of(REF))
    (tmp_path / "c.orc").write_text("")
    with pytest.raises(SourceError, match="by their extension"):
        files(tmp_path / "*.orc").count(Asked().of(REF))


def test_file_names_with_wildcards_are_only_names(tmp_path):
    """A file called `a[1]*.parquet` is read as that file, with or without neighbours it would match."""
    table = pa.table({"ts": pa.array([FIRST], pa.timestamp("us"))})
    for name in ("a[1]*.parquet", "a1.parquet", "it's.parquet"):
        pq.write_table(table, tmp_path / name)
    found = leaves(files(tmp_path / "*.parquet").count(Asked(start=FIRST, end=FIRST + DAY).of(REF)), 0)
    assert found == {(FIRST,): (3,)}


@pytest.fixture
def session(tmp_path):
    """A locked session that may touch one file, beside another."""
    table = pa.table({"a": [1]})
    for name in ("mine.parquet", "other.parquet"):
        pq.write_table(table, tmp_path / name)
    with open_session("lake", [str(tmp_path / "mine.parquet")], "UTC", 30) as opened:
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('{folder}/other.parquet')",
        "SELECT * FROM read_parquet('{folder}/*.parquet')",
        "SELECT getenv('HOME')",
        "COPY (SELECT 1) TO '{folder}/mine.parquet'",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "ATTACH '{folder}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "CREATE TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "PRAGMA database_list",
        "EXPORT DATABASE '{folder}/dump'",
    ],
)
def test_a_session_reaches_its_files_and_nothing_else(session, tmp_path, sql):
    """Even SQL that had passed every check could not read another file, write, attach, load or unlock."""
    before = sorted(tmp_path.iterdir())
    mine = (tmp_path / "mine.parquet").read_bytes()
    with pytest.raises((duckdb.Error, SourceError)):
        session.rows(sql.format(folder=tmp_path))
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "mine.parquet").read_bytes() == mine
    assert session.rows(f"SELECT a FROM read_parquet('{tmp_path}/mine.parquet')") == [(1,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT now() AS ts, content AS d FROM read_text('/etc/passwd')",
        "SELECT ts, d FROM '/etc/passwd'",
        "COPY events TO 'x.csv'",
        "SELECT ts, d FROM events, read_csv('/etc/passwd')",
        "SELECT ts, (SELECT content FROM read_text('/etc/passwd')) AS d FROM events",
        "FROM query('SELECT 1')",
        "ATTACH 'x.db'",
        "PRAGMA database_list",
        "SET threads = 1",
    ],
)
def test_a_query_reads_its_tables_only(month, query):
    """`query:` may name configured tables; functions that read files and other statements are refused."""
    with pytest.raises(QueryRefusedError):
        files(month).count(Asked(("d",)).of(SourceRef("lake", (), query)))


def test_a_query_joins_tables_by_their_names(tmp_path):
    """Two tables of a source, CTEs and set operations."""
    times = pa.array([FIRST, FIRST], pa.timestamp("us"))
    pq.write_table(pa.table({"ts": times, "id": [1, 2]}), tmp_path / "e.parquet")
    (tmp_path / "n.csv").write_text("id,name\n1,ios\n2,web\n")
    source = DuckDBFiles(
        "lake", {"e": (str(tmp_path / "e.parquet"),), "ref.names": (str(tmp_path / "n.csv"),)}, timedelta(seconds=30)
    )
    text = "WITH x AS (SELECT ts, name FROM e JOIN ref.names USING (id)) SELECT * FROM x UNION ALL SELECT * FROM x"
    ref = SourceRef("lake", (), text)
    query = Asked(("name",), start=FIRST, end=FIRST + DAY).of(ref)
    assert leaves(source.count(query), 1) == {(FIRST, "ios"): (2,), (FIRST, "web"): (2,)}
    assert [column.name for column in source.columns(ref)] == ["ts", "name"]
    assert source.span(ref, Timestamp("ts"), None) == Interval(FIRST, FIRST)
    with pytest.raises(QueryRefusedError) as caught:
        source.count(replace(query, source=SourceRef("lake", (), "SELECT * FROM ref.name")))
    assert caught.value.suggestions == ("ref.names",)


def test_a_slow_query_is_interrupted(month):
    """A limit of a third of a second ends a query of hours within a second or two."""
    text = "SELECT ts, d FROM events, range(100000000) AS a, range(100000) AS b WHERE (a.range * b.range) % 7 = 3"
    query = replace(
        Asked(("d",), start=FIRST, end=FIRST + DAY).of(SourceRef("lake", (), text)), timeout=timedelta(seconds=0.3)
    )
    with pytest.raises(SourceError, match=r"timed out after 0\.3 s") as caught:
        files(month).count(query)
    assert not isinstance(caught.value, QueryRefusedError)
    assert not [thread for thread in threading.enumerate() if thread.name == "slicewatch-query-limit"]


def test_an_error_in_the_data_is_not_the_rules_fault(tmp_path):
    """A value that cannot be converted is an error of the source, on one line."""
    pq.write_table(pa.table({"ts": pa.array([FIRST], pa.timestamp("us")), "d": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError) as caught:
        files(tmp_path / "a.parquet").count(Asked(start=FIRST, end=FIRST + DAY, where="CAST(d AS INTEGER) > 1").of(REF))
    assert re.fullmatch(r"lake\.events: .*'x'.*", str(caught.value))


def test_kinds_of_sources(tmp_path):
    """A source is opened by its kind; another kind is an error that lists them."""
    (tmp_path / "a.csv").write_text("ts,d\n2026-01-01,x\n")
    source = open_source("lake", SourceConfig("duckdb", {"events": (str(tmp_path / "a.csv"),)}))
    query = CountQuery(REF, Timestamp("ts"), DAY, (Interval(FIRST, FIRST + DAY),), ("d",), (Metric("count"),))
    assert leaves(source.count(query), 1) == {(FIRST, "x"): (1,)}
    assert source.span(REF, Timestamp("ts"), None) == Interval(FIRST, FIRST)
    with pytest.raises(SourceError, match="duckdb, sql"):
        open_source("lake", SourceConfig("mongo"))
