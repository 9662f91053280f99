"""Which hive partitions can hold a window."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.query import SourceError
from monitor.sources.partitions import DataFile, held_by, hive_keys, list_files, prune

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("dt=2026-01-03", datetime(2026, 1, 3), datetime(2026, 1, 4)),
        ("DATE=20260103", datetime(2026, 1, 3), datetime(2026, 1, 4)),
        ("event_date=2026-01-03", datetime(2026, 1, 3), datetime(2026, 1, 4)),
        ("dt=2026-01-03/hour=07", datetime(2026, 1, 3, 7), datetime(2026, 1, 3, 8)),
        ("dt=2026-01-03-07", datetime(2026, 1, 3, 7), datetime(2026, 1, 3, 8)),
        ("dt=2026-01-03T07%3A00", datetime(2026, 1, 3, 7), datetime(2026, 1, 3, 8)),
        ("year=2026", datetime(2026, 1, 1), datetime(2027, 1, 1)),
        ("year=2026/month=12", datetime(2026, 12, 1), datetime(2027, 1, 1)),
        ("year=2026/month=1/country=NO/day=3", datetime(2026, 1, 3), datetime(2026, 1, 4)),
        ("year=2026/month=01/day=03/hour=23", datetime(2026, 1, 3, 23), datetime(2026, 1, 4)),
        ("ingest_date=2026-01-03", None, datetime(2026, 1, 4)),
    ],
)
def test_times_of_partitions(path, low, high):
    """Names of days and their parts, as lakes write them; arrival only bounds from above."""
    assert held_by(hive_keys(f"/lake/{path}/x.parquet")) == ((low, high),)


@pytest.mark.parametrize(
    "path",
    [
        "country=NO",
        "birth_date=1990-01-01",
        "dt=latest",
        "dt=__HIVE_DEFAULT_PARTITION__",
        "dt=2026-13-45",
        "day=03",
        "hour=07",
        "month=01",
        "year=26x",
        "release=2026-01-03",
        "year=2026/month=13",
    ],
)
def test_what_is_no_time_rules_nothing_out(path):
    """Other keys, values that are no dates, and parts without their whole."""
    file = DataFile(f"/lake/{path}/x.parquet", hive_keys(f"/lake/{path}/x.parquet"))
    assert prune([file], [(datetime(2031, 1, 1), datetime(2031, 1, 2))]) == (file,)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)),
    st.integers(-14, 14),
    st.integers(0, 3),
    st.integers(1, 72),
)
def test_a_partition_that_holds_an_event_is_never_left_out(event, offset, depth, hours):
    """Whatever zone names the folder and however deep, a window around the event opens it."""
    named = event + timedelta(hours=offset)
    folders = [
        f"dt={named:%Y-%m-%d}",
        f"year={named:%Y}/month={named:%m}/day={named:%d}",
        f"date={named:%Y%m%d}/hour={named:%H}",
        f"year={named:%Y}/month={named.month}",
    ]
    path = f"/lake/{folders[depth]}/x.parquet"
    window = (event - timedelta(hours=hours - 1), event + timedelta(hours=1))
    assert prune([DataFile(path, hive_keys(path))], [window])


def test_days_far_from_every_window_are_left_out():
    """A day on either side of each window is kept, nothing else."""
    paths = [f"/lake/dt=2026-01-{day:02d}/x.parquet" for day in range(1, 32)]
    files = [DataFile(path, hive_keys(path)) for path in paths]
    windows = [(datetime(2026, 1, 5), datetime(2026, 1, 6)), (datetime(2026, 1, 20, 7), datetime(2026, 1, 20, 8))]
    assert [file.path[13:-10][-2:] for file in prune(files, windows)] == ["04", "05", "06", "19", "20", "21"]


def test_late_arrivals_are_found():
    """Folders by arrival: all from the window on are read, those before are not."""
    paths = [f"/lake/arrival_date=2026-01-{day:02d}/x.parquet" for day in range(1, 11)]
    files = [DataFile(path, hive_keys(path)) for path in paths]
    kept = prune(files, [(datetime(2026, 1, 5), datetime(2026, 1, 6))])
    assert [file.path for file in kept] == paths[3:]


def test_unfinished_files_are_not_listed(tmp_path):
    """What a writer hides by `_` or `.` is not there yet; `_key=value` is a partition."""
    for name in ("a.parquet", "_temporary/0/b.parquet", ".c.parquet", "_d.parquet", "_p=1/e.parquet", "x/y/f.parquet"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = [file.path.removeprefix(f"{tmp_path}/") for file in list_files([f"{tmp_path}/**/*.parquet"])]
    assert found == ["_p=1/e.parquet", "a.parquet", "x/y/f.parquet"]


def test_object_stores_are_not_yet_read():
    """Said plainly, not taken for a folder."""
    with pytest.raises(SourceError, match="object stores"):
        list_files(["s3://bucket/*.parquet"])
