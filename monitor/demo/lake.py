"""Writes the demo's lake: events as Parquet, one folder a day, with an outage that the total does not show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from monitor.demo.fleet import COUNTRIES, DEFAULT_DEVICE, DEVICE_NAMES, Leaves, leaves
from monitor.demo.traffic import HOUR, draw, expected

STARTS_BEFORE_END = timedelta(hours=10)
ENDS_BEFORE_END = timedelta(hours=4)
HOUR_MS = 3_600_000
USERS = 400_000
LATE_SHARE = 0.02
USUAL_DELAY_MS = 90_000
LATE_DELAY_MS = 2.5 * HOUR_MS
MAX_DELAY_MS = 24 * HOUR_MS

SCHEMA = pa.schema(
    [
        ("event_time", pa.timestamp("ms", tz="UTC")),
        ("ingested_at", pa.timestamp("ms", tz="UTC")),
        ("user_id", pa.int64()),
        ("device", pa.string()),
        ("os", pa.string()),
        ("country", pa.string()),
        ("app_version", pa.string()),
    ]
)


@dataclass(frozen=True)
class DeviceShare:
    """A device type and its share of all events before the outage."""

    name: str
    share: float


@dataclass(frozen=True)
class Lake:
    """What was written: events in [start, end) below `folder`; `device` has none in [outage_start, outage_end).

    `lost` events never came; `campaign` names the devices that had as many more, hour by hour.
    """

    folder: Path
    seed: int
    start: datetime
    end: datetime
    device: str
    outage_start: datetime
    outage_end: datetime
    campaign: tuple[str, ...]
    devices: tuple[DeviceShare, ...]
    """Largest first."""
    events: int
    lost: int
    files: int

    @property
    def pattern(self) -> str:
        """Glob of the lake's files below `folder`."""
        return "**/*.parquet"


@dataclass(frozen=True)
class _Plan:
    """What is asked for, complete and checked."""

    start: datetime
    hours: int
    device: str
    lost_hours: range
    campaign: tuple[str, ...]


def write_lake(
    folder: Path,
    *,
    seed: int,
    end: datetime,
    device: str | None = None,
    events: int = 5_000_000,
    days: int = 35,
    outage_start: datetime | None = None,
    outage_end: datetime | None = None,
    campaign: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Lake:
    """Write about `events` events of the `days` before `end` to `folder/dt=YYYY-MM-DD/part-0.parquet`.

    `device` (DEFAULT_DEVICE where None) has no event from `outage_start` (ten hours before `end`) to
    `outage_end` (four hours before it); the devices of `campaign` (all others where None) have as many more,
    in proportion, so that each hour's total is what it would have been. An empty outage breaks nothing.
    Times are UTC and whole hours. The same arguments write the same rows, and the same `seed` the same rows
    outside the outage, whatever the device. `progress(done, of)` is called after each day's file.

    Raises ValueError for impossible arguments and FileExistsError where `folder` is not empty.
    """
    plan = _plan(end, days, device or DEFAULT_DEVICE, (outage_start, outage_end), campaign)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    world, noise, counting, redirecting, *daily = _generators(seed, days + 6)
    cells = leaves(world)
    mean = expected(cells, plan.start, plan.hours, events, noise)
    counts = draw(mean, counting)
    shares = _shares(cells, counts[: plan.lost_hours.start])
    lost = _break(counts, mean, cells, plan, redirecting)
    files = _write_days(folder, _days(plan.start, plan.hours), counts, cells, daily, progress=progress)
    return Lake(
        folder=folder,
        seed=seed,
        start=plan.start,
        end=end,
        device=plan.device,
        outage_start=plan.start + plan.lost_hours.start * HOUR,
        outage_end=plan.start + plan.lost_hours.stop * HOUR,
        campaign=plan.campaign,
        devices=shares,
        events=int(counts.sum()),
        lost=lost,
        files=files,
    )


def _plan(
    end: datetime,
    days: int,
    broken: str,
    outage: tuple[datetime | None, datetime | None],
    campaign: Sequence[str] | None,
) -> _Plan:
    helpers = tuple(name for name in DEVICE_NAMES if name != broken) if campaign is None else tuple(campaign)
    start = end - timedelta(days=days)
    lost_from, lost_to = outage[0] or end - STARTS_BEFORE_END, outage[1] or end - ENDS_BEFORE_END
    _check_devices(broken, helpers)
    _check_times(start, lost_from, lost_to, end)
    return _Plan(start, 24 * days, broken, range((lost_from - start) // HOUR, (lost_to - start) // HOUR), helpers)


def _check_devices(broken: str, campaign: tuple[str, ...]) -> None:
    for name in (broken, *campaign):
        if name not in DEVICE_NAMES:
            raise ValueError(f"no device {name!r}; there are {', '.join(DEVICE_NAMES)}")
    if broken in campaign or not campaign:
        raise ValueError("the campaign needs other devices than the broken one")


def _check_times(*times: datetime) -> None:
    for time in times:
        if time.utcoffset() != timedelta(0) or time.replace(minute=0, second=0, microsecond=0) != time:
            raise ValueError(f"{time} is not a whole hour in UTC")
    if list(times) != sorted(times) or times[1] == times[0]:
        raise ValueError("the outage must lie within the history, after its first hour")


def _generators(seed: int, count: int) -> list[np.random.Generator]:
    """Independent generators, so that what one part draws moves no other part."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(count)]


def _shares(cells: Leaves, counts: NDArray[np.int64]) -> tuple[DeviceShare, ...]:
    by_device = np.bincount(cells.device, weights=counts.sum(axis=0), minlength=len(DEVICE_NAMES))
    shares = by_device / max(by_device.sum(), 1)
    return tuple(DeviceShare(DEVICE_NAMES[index], float(shares[index])) for index in np.argsort(-shares, kind="stable"))


def _break(
    counts: NDArray[np.int64], mean: NDArray[np.float64], cells: Leaves, plan: _Plan, rng: np.random.Generator
) -> int:
    """Take the device's events out of `counts` and give as many to the campaign's leaves; returns how many."""
    broken = cells.device == DEVICE_NAMES.index(plan.device)
    helpers = np.isin(cells.device, [DEVICE_NAMES.index(name) for name in plan.campaign])
    total = 0
    for hour in plan.lost_hours:
        lost = int(counts[hour, broken].sum())
        weights = mean[hour, helpers]
        counts[hour, broken] = 0
        counts[hour, helpers] += rng.multinomial(lost, weights / weights.sum())
        total += lost
    return total


@dataclass(frozen=True)
class _Day:
    """A UTC day, or the part of it that is in the history: hours [first, stop), the first of them at `start`."""

    start: datetime
    first: int
    stop: int


def _days(start: datetime, hours: int) -> list[_Day]:
    cuts = [0, *(hour for hour in range(1, hours) if (start + hour * HOUR).hour == 0), hours]
    return [_Day(start + first * HOUR, first, stop) for first, stop in pairwise(cuts)]


def _write_days(
    folder: Path,
    days: Sequence[_Day],
    counts: NDArray[np.int64],
    cells: Leaves,
    generators: Sequence[np.random.Generator],
    *,
    progress: Callable[[int, int], None] | None,
) -> int:
    """One file per day; returns how many."""
    for done, (day, rng) in enumerate(zip(days, generators, strict=False), start=1):
        table = _events(counts[day.first : day.stop], day.start, cells, rng)
        _write(table, folder / f"dt={day.start:%Y-%m-%d}" / "part-0.parquet")
        if progress:
            progress(done, len(days))
    return len(days)


def _events(counts: NDArray[np.int64], start: datetime, cells: Leaves, rng: np.random.Generator) -> pa.Table:
    """Counts of some hours [hours, L] as single events, in order of time."""
    hour, leaf = np.nonzero(counts)
    times = counts[hour, leaf]
    moment = np.repeat(hour, times) * HOUR_MS + rng.integers(0, HOUR_MS, int(times.sum()))
    order = np.argsort(moment, kind="stable")
    event_time = moment[order] + int(start.timestamp()) * 1000
    which = np.repeat(leaf, times)[order]
    columns = [
        pa.array(event_time).cast(SCHEMA.field("event_time").type),
        pa.array(event_time + _delays(rng, len(event_time))).cast(SCHEMA.field("ingested_at").type),
        pa.array(rng.integers(1, USERS + 1, len(event_time))),
        _names(DEVICE_NAMES, cells.device[which]),
        _names(cells.os_names, cells.os[which]),
        _names([name for name, _ in COUNTRIES], cells.country[which]),
        _names(cells.version_names, cells.version[which]),
    ]
    return pa.table(columns, schema=SCHEMA)


def _delays(rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    """Milliseconds from event to lake: a minute or two, for a few of them hours."""
    delay = rng.exponential(USUAL_DELAY_MS, size)
    late = rng.random(size) < LATE_SHARE
    delay[late] = rng.exponential(LATE_DELAY_MS, int(late.sum()))
    return np.minimum(delay, MAX_DELAY_MS).astype(np.int64)


def _names(names: Sequence[str | None], indices: NDArray[np.int64]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(indices.astype(np.int16), pa.array(names, pa.string())).dictionary_decode()


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=["device", "os", "country", "app_version"],
        column_encoding={
            "event_time": "DELTA_BINARY_PACKED",
            "ingested_at": "DELTA_BINARY_PACKED",
            "user_id": "DELTA_BINARY_PACKED",
        },
    )
