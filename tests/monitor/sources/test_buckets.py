"""Bucket arithmetic against Python's own datetime."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.query import QueryRefusedError
from monitor.sources.buckets import Clock, instant, local_to_utc, merge_windows, plan_buckets, utc_to_local
from monitor.sources.duckdb_files import _shifted as duckdb_shifted
from rules.model import Interval
from tests.contracts.source_contract import EPOCH, bucket_of

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Oslo",
        "America/New_York",
        "America/Sao_Paulo",  # clocks changed at midnight
        "America/Havana",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",  # by half an hour
        "Pacific/Apia",
        "Asia/Beirut",
        "Africa/Casablanca",
    ]
)
BUCKETS = st.sampled_from([timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6)])
MOMENTS = st.datetimes(datetime(2012, 1, 1), datetime(2030, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))


def seconds_of(moment):
    """Whole seconds since the epoch."""
    return (moment - EPOCH) // timedelta(seconds=1)


def window_around(moment, bucket, zone):
    """A window of some buckets that holds the moment, aligned."""
    start = bucket_of(moment - timedelta(days=3), bucket, zone)
    return Interval(start, bucket_of(moment + timedelta(days=3), bucket, zone))


def start_of(plan, seconds):
    """The start of the bucket of an instant, by the integer arithmetic that engines do."""
    number = (seconds + plan.local.at(seconds) - plan.origin) // plan.size
    assert number >= 0
    return plan.starts(np.array([number], dtype="int64")).astype("int64")[0] // 1_000_000


@given(MOMENTS, BUCKETS)
def test_short_buckets_are_aligned_to_the_epoch(moment, bucket):
    """The integer bucket is Python's floor of the time since the epoch."""
    plan = plan_buckets(Clock.AWARE, "UTC", bucket, "UTC", [window_around(moment, bucket, ZoneInfo("UTC"))])
    assert start_of(plan, seconds_of(moment)) == seconds_of(bucket_of(moment, bucket, ZoneInfo("UTC")))


@given(MOMENTS, ZONES)
def test_day_buckets_start_at_local_midnight(moment, name):
    """The integer day is Python's local day, over every change of clocks."""
    zone, day = ZoneInfo(name), timedelta(days=1)
    plan = plan_buckets(Clock.AWARE, "UTC", day, name, [window_around(moment, day, zone)])
    assert start_of(plan, seconds_of(moment)) == seconds_of(bucket_of(moment, day, zone))


@given(MOMENTS, ZONES)
def test_wall_clocks_are_read_as_python_reads_them(moment, name):
    """Skipped and repeated wall clocks included (fold=0)."""
    zone = ZoneInfo(name)
    wall = moment.replace(tzinfo=None, microsecond=0)
    start = seconds_of(moment)
    offsets = local_to_utc(zone, start - 86_400, start + 86_400)
    assert start - offsets.at(start) == seconds_of(wall.replace(tzinfo=zone).astimezone(UTC))


@given(MOMENTS, ZONES, st.integers(0, 400))
def test_offsets_are_python_s_within_the_span(moment, name, days):
    """The step function gives Python's offset at both ends and in between."""
    start = seconds_of(moment)
    offsets = utc_to_local(ZoneInfo(name), start, start + days * 86_400)
    for at in range(start, start + days * 86_400 + 1, max(1, days) * 21_600):
        expected = datetime.fromtimestamp(at, ZoneInfo(name)).utcoffset()
        assert timedelta(seconds=offsets.at(at)) == expected


@settings(max_examples=25, deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=20), ZONES)
def test_duckdb_does_the_same_arithmetic(moments, name):
    """The CASE expression that DuckDB gets is the step function."""
    walls = [seconds_of(moment) for moment in moments]
    offsets = local_to_utc(ZoneInfo(name), min(walls), max(walls))
    sql = f"SELECT {duckdb_shifted('us', '-', offsets)} FROM (SELECT unnest($1) AS us)"
    connection = duckdb.connect()
    found = [row[0] for row in connection.execute(sql, [[wall * 1_000_000 for wall in walls]]).fetchall()]
    connection.close()
    assert found == [(wall - offsets.at(wall)) * 1_000_000 for wall in walls]


def test_windows_that_touch_become_one():
    """Sorted, joined, empty ones dropped."""
    hour = timedelta(hours=1)
    windows = [Interval(EPOCH + a * hour, EPOCH + b * hour) for a, b in ((5, 6), (1, 2), (2, 3), (4, 4), (9, 8))]
    assert merge_windows(windows) == ((3600, 3 * 3600), (5 * 3600, 6 * 3600))


@pytest.mark.parametrize(
    "bucket", [timedelta(0), timedelta(seconds=-1), timedelta(hours=25), timedelta(microseconds=1)]
)
def test_buckets_of_no_use_are_refused(bucket):
    """Not whole seconds, not positive, or more than a day and not whole days."""
    with pytest.raises(QueryRefusedError):
        plan_buckets(Clock.AWARE, "UTC", bucket, "UTC", [Interval(EPOCH, EPOCH + timedelta(days=1))])


def test_instants_of_wall_clocks():
    """A wall clock is read in the zone given, an instant is what it is."""
    oslo = ZoneInfo("Europe/Oslo")
    assert instant(Clock.NAIVE, 0, oslo) == EPOCH - timedelta(hours=1)
    assert instant(Clock.AWARE, 1, oslo) == EPOCH + timedelta(microseconds=1)
