"""Databases that are used again: while the files are the same, by one user at a time, and never after an error."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.query import SourceError
from monitor.sources.duckdb_pool import MOST_IDLE, SessionPool


@pytest.fixture
def lake(tmp_path):
    """One file of three rows."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), path)
    return path


@pytest.fixture
def pool():
    made = SessionPool()
    yield made
    made.close()


def rows(pool: SessionPool, path, zone: str = "UTC", sql: str = "SELECT count(*) FROM read_parquet('{}')"):
    """What a SELECT over the file answers."""
    with pool.session("lake", [str(path)], zone, 30) as session:
        return session.rows(sql.format(path))


def test_a_database_is_used_again_while_its_files_are_the_same(pool, lake):
    """The second count opens none; another time zone is another database."""
    assert rows(pool, lake) == [(3,)]
    (first,) = pool._idle
    assert rows(pool, lake) == [(3,)]
    assert pool._idle == [first]
    assert rows(pool, lake, "Europe/Oslo") == [(3,)]
    assert len(pool._idle) == 2


def test_a_file_that_changed_is_read_as_it_is(pool, lake):
    """Written anew, even with the same time or the same size: nothing known of the old one is used."""
    assert rows(pool, lake) == [(3,)]
    size, time = lake.stat().st_size, lake.stat().st_mtime_ns
    pq.write_table(pa.table({"a": [4, 5, 6]}), lake)
    assert lake.stat().st_size == size
    assert rows(pool, lake, sql="SELECT sum(a) FROM read_parquet('{}')") == [(15,)]
    pq.write_table(pa.table({"a": [1] * 4000}), lake)
    os.utime(lake, ns=(time, time))
    assert rows(pool, lake) == [(4000,)]


def test_a_file_put_in_place_of_another_is_another(pool, lake):
    """Of the same size and time, as a copy that keeps times makes it: the database of the old one is not used."""
    assert rows(pool, lake) == [(3,)]
    (first,), mark = pool._idle, lake.stat()
    other = lake.with_name("b.parquet")
    pq.write_table(pa.table({"a": [4, 5, 6]}), other)
    os.utime(other, ns=(mark.st_mtime_ns, mark.st_mtime_ns))
    other.replace(lake)
    assert (lake.stat().st_size, lake.stat().st_mtime_ns) == (mark.st_size, mark.st_mtime_ns)
    assert rows(pool, lake, sql="SELECT sum(a) FROM read_parquet('{}')") == [(15,)]
    assert pool._idle[0] == first
    assert len(pool._idle) == 2


def test_a_database_is_not_used_again_after_an_error(pool, lake):
    """Whatever state it is in, nobody meets it."""
    with pytest.raises(SourceError):
        rows(pool, lake, sql="SELECT b FROM read_parquet('{}')")
    assert pool._idle == []
    assert rows(pool, lake) == [(3,)]


def test_each_thread_has_a_database_to_itself(pool, lake):
    """Six at once all get their answer, and no more than a few databases wait afterwards."""
    together = Barrier(6)

    def ask(_):
        with pool.session("lake", [str(lake)], "UTC", 30) as session:
            together.wait(timeout=30)
            return session.rows(f"SELECT count(*) FROM read_parquet('{lake}')")

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(ask, range(6))) == [[(3,)]] * 6
    assert len(pool._idle) == MOST_IDLE


def test_a_file_that_is_gone_says_so(pool, lake):
    """An error of the source, with its name and the file."""
    lake.unlink()
    with pytest.raises(SourceError, match=r"^lake: No such file or directory: .*a\.parquet"):
        rows(pool, lake)
