from __future__ import annotations

import hashlib
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo import DEFAULT_DEVICE, DEVICE_NAMES, Lake, write_demo_config, write_lake
from monitor.demo.fleet import DEVICES, MOBILE_APP, TV_APP, adoption

END = datetime(2026, 3, 18, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVENTS = 400_000
DAYS = 21


def small_lake(folder: Path, **other) -> Lake:
    return write_lake(folder, **({"seed": 3, "end": END, "events": EVENTS, "days": DAYS} | other))


def events(lake: Lake) -> pd.DataFrame:
    """All events, with the hour (UTC) as DuckDB reads it."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    files = f"{lake.folder}/{lake.pattern}"
    query = "SELECT *, date_trunc('hour', event_time) AS hour FROM read_parquet(?, hive_partitioning => true)"
    return connection.sql(query, params=[files]).to_arrow_table().to_pandas()


def hourly(frame: pd.DataFrame, *by: str) -> pd.Series:
    return frame.groupby(["hour", *by], dropna=False).size()


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return small_lake(tmp_path_factory.mktemp("broken") / "lake")


@pytest.fixture(scope="module")
def frame(lake) -> pd.DataFrame:
    return events(lake)


@pytest.fixture(scope="module")
def control(tmp_path_factory) -> pd.DataFrame:
    """The same seed, and nothing breaks."""
    quiet = small_lake(tmp_path_factory.mktemp("control") / "lake", outage_start=END, outage_end=END)
    assert quiet.lost == 0
    return events(quiet)


def during(lake: Lake, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["event_time"] >= lake.outage_start) & (frame["event_time"] < lake.outage_end)]


def test_lake_holds_what_it_says(lake, frame):
    """Events, time span, partitions and their days are as told."""
    assert len(frame) == lake.events
    assert abs(lake.events / EVENTS - 1) < 0.02
    assert lake.start <= frame["event_time"].min()
    assert lake.end - HOUR <= frame["event_time"].max() < lake.end
    assert lake.files == len(list(lake.folder.glob("dt=*/part-0.parquet"))) == DAYS + 1
    assert (frame["event_time"].dt.date == frame["dt"]).all()


def test_device_is_absent_in_the_outage_only(lake, frame):
    """The default device, a large one, has no event in six hours and some in every other hour."""
    assert lake.device == DEFAULT_DEVICE
    assert (lake.end - lake.outage_start, lake.end - lake.outage_end) == (10 * HOUR, 4 * HOUR)
    assert not (during(lake, frame)["device"] == lake.device).any()
    assert frame[frame["device"] == lake.device]["hour"].nunique() == 24 * DAYS - 6


def test_total_is_what_it_would_have_been(frame, control):
    """Each hour's total equals that of the same seed without an outage."""
    pd.testing.assert_series_equal(hourly(frame), hourly(control))


def test_nothing_else_changes(lake, frame, control):
    """Outside the outage the leaves' counts are those of the same seed without one."""
    leaf = ("device", "os", "country", "app_version")
    quiet = control.drop(during(lake, control).index)
    pd.testing.assert_series_equal(hourly(frame.drop(during(lake, frame).index), *leaf), hourly(quiet, *leaf))


def test_the_others_grow_in_proportion(lake, frame, control):
    """Every other device takes of the loss what is its share."""
    grown = during(lake, frame).groupby("device").size() - during(lake, control).groupby("device").size()
    others = during(lake, control).groupby("device").size().drop(lake.device)
    assert grown.drop(lake.device, errors="ignore").sum() == lake.lost
    share = grown.dropna() / lake.lost
    assert (share - others / others.sum()).abs().max() < 0.03


def test_a_campaign_may_be_on_some_devices(tmp_path, control):
    """Devices out of the campaign stay as they would have been."""
    lake = small_lake(tmp_path / "lake", device="watch", campaign=["iphone", "android_phone"])
    frame = events(lake)
    pd.testing.assert_series_equal(hourly(frame), hourly(control))
    untouched = ~frame["device"].isin(["watch", *lake.campaign])
    kept = ~control["device"].isin(["watch", *lake.campaign])
    pd.testing.assert_series_equal(hourly(frame[untouched], "device"), hourly(control[kept], "device"))


def test_shares_are_large_and_small(lake, frame):
    """A dozen devices, largest first, the smallest around a third of a percent; they are the events' own shares."""
    shares = {device.name: device.share for device in lake.devices}
    assert len(shares) == 12
    assert list(shares) == list(DEVICE_NAMES)
    assert 0.002 < lake.devices[-1].share < 0.004
    assert sum(device.share for device in DEVICES) == pytest.approx(1)
    before = frame[frame["event_time"] < lake.outage_start]["device"].value_counts(normalize=True)
    assert all(before[name] == pytest.approx(share) for name, share in shares.items())


def test_no_two_dimensions_share_their_cells(frame):
    """No device has the same events as a system or a version, and the web has no version."""
    pairs = frame.groupby(["device", "os"]).size()
    systems, devices = frame["os"].value_counts(), frame["device"].value_counts()
    assert all(size < max(systems[system], devices[device]) for (device, system), size in pairs.items())
    assert frame[frame["device"].str.startswith("web")]["app_version"].isna().all()
    assert frame[~frame["device"].str.startswith("web")]["app_version"].notna().all()


def test_awkward_values_are_there(frame):
    """NULL and a real "(other)" occur, and Norway."""
    assert frame["country"].isna().any()
    assert (frame["country"] == "(other)").any()
    assert (frame["os"] == "(other)").any()
    assert (frame["country"] == "NO").any()


def test_versions_come_and_stay(frame):
    """New versions appear during the history, and an old one fades without vanishing."""
    mobile = frame[frame["device"] == "android_phone"]
    days = mobile.groupby(["app_version", "dt"]).size()
    first = {version: days[version].index.min() for version in days.index.get_level_values(0).unique()}
    assert len(set(first.values())) >= 2
    old = days["8.4"]
    assert len(old) == DAYS + 1
    assert 0.15 < old.iloc[-4:-1].mean() / old.iloc[1:4].mean() < 0.8


def test_the_day_has_a_rhythm(control):
    """Nights are quiet, evenings of the sofa and mornings of the desk differ, weekends too."""
    total = hourly(control).groupby(lambda hour: hour.hour).mean()
    assert total.max() > 1.6 * total.min()
    german = control[control["country"] == "DE"].groupby("device")["event_time"]
    local = {device: (times.dt.hour + 1).mode()[0] for device, times in german}
    assert 8 <= local["web_desktop"] <= 17
    assert 19 <= local["smart_tv"] <= 23
    desk = control[control["device"] == "web_desktop"].groupby("dt").size()
    full = desk.iloc[1:-1]
    weekend = np.array([day.weekday() >= 5 for day in full.index])
    assert full[weekend].mean() < 0.85 * full[~weekend].mean()


def test_some_events_arrive_late(frame):
    """Most events arrive within minutes, a few hours late, none before it happened."""
    delay = frame["ingested_at"] - frame["event_time"]
    assert delay.min() >= timedelta(0)
    assert delay.quantile(0.9) < timedelta(minutes=10)
    assert 0.005 < (delay > HOUR).mean() < 0.03
    assert delay.max() <= timedelta(hours=24)


def digests(lake: Lake) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(lake.folder.rglob("*.parquet"))]


def test_same_seed_same_bytes(lake, tmp_path):
    """The same arguments write the same files; another seed writes others."""
    assert digests(small_lake(tmp_path / "again")) == digests(lake)
    other = digests(small_lake(tmp_path / "other", seed=4))
    assert not set(other) & set(digests(lake))


def test_a_small_device_can_break(tmp_path, control):
    """The smallest device breaks like a large one."""
    lake = small_lake(tmp_path / "lake", device=DEVICE_NAMES[-1])
    frame = events(lake)
    assert 0 < lake.lost < 200
    assert not (during(lake, frame)["device"] == DEVICE_NAMES[-1]).any()
    pd.testing.assert_series_equal(hourly(frame), hourly(control))


def test_progress_is_told_by_day(tmp_path):
    """Progress counts the days' files up to the last."""
    told: list[tuple[int, int]] = []
    lake = small_lake(tmp_path / "lake", events=5_000, days=2, progress=lambda done, of: told.append((done, of)))
    assert told == [(day, lake.files) for day in range(1, lake.files + 1)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "toaster"},
        {"campaign": ["toaster"]},
        {"campaign": []},
        {"device": "watch", "campaign": ["watch", "car"]},
        {"end": END.replace(minute=30)},
        {"end": END.replace(tzinfo=None)},
        {"outage_start": END, "outage_end": END - HOUR},
        {"outage_start": END - timedelta(days=DAYS)},
        {"outage_end": END + HOUR},
    ],
)
def test_impossible_arguments_are_refused(tmp_path, wrong):
    """Unknown devices and times that are no whole UTC hours of the history are errors, and nothing is written."""
    with pytest.raises(ValueError, match=r"device|hour|outage"):
        small_lake(tmp_path / "lake", **wrong)
    assert not (tmp_path / "lake").exists()


def test_a_full_folder_is_left_alone(lake):
    """A second lake is never written into a first."""
    with pytest.raises(FileExistsError):
        small_lake(lake.folder)


def test_config_points_at_the_lake(lake, tmp_path_factory):
    """The configuration's glob, read relative to its file, finds every file of the lake."""
    folder = tmp_path_factory.mktemp("config") / "demo"
    config = write_demo_config(folder, lake)
    settings = tomllib.loads(config.read_text())
    pattern = settings["sources"]["lake"]["tables"]["playback"]
    found = duckdb.connect().execute("SELECT count(*) FROM glob(?)", [f"{folder}/{pattern}"]).fetchone()
    assert found == (lake.files,)
    assert settings["rules"] == ["rules/*.yaml"]
    rule = (folder / "rules" / "playback.yaml").read_text()
    assert "- name: playback_volume\n" in rule
    assert f"notify: {next(iter(settings['receivers']))}\n" in rule


@given(day=st.floats(0, 60), line=st.sampled_from([MOBILE_APP, TV_APP]))
def test_releases_share_all_of_an_app(day, line):
    """At any time the shares of an app's releases sum to one, and none has any before its release."""
    shares = adoption(line, np.array([day]))[0]
    released = line.first_release + line.every * np.arange(line.releases)
    assert shares.sum() == pytest.approx(1)
    assert (shares[released > day] == 0).all()
    assert (shares[released < day - 1e-6] > 0).all()
