"""A simulated week of the daemon: memory by day, overdue runs, and the size of the store.

Fifty rules of a hundred-odd slices over hourly and five-minute buckets, with losses that are told to a receiver; a real SQLite
store, the daemon's own look at each rule, its chores and its deliveries, by a clock that is driven. Only the source is made
up: an hour of events is drawn when it is asked for.

    python benchmarks/week.py [--rules N] [--days N] [--fine N] [--trace] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import gc
import json
import logging
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alerts.model import Message, Receipt
from alerts.ports import Delivery, Notifier
from benchmarks.rows import Row
from monitor import store
from monitor.app import App
from monitor.buckets import DAY, to_epoch
from monitor.query import Column, Cost, CountQuery
from monitor.scheduler import Daemon
from monitor.settings import Settings
from monitor.ticks import latest_tick
from rules.model import Interval, SourceRef, Timestamp

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday's midnight."""
DEVICES, COUNTRIES, VERSIONS = 5, 6, 3
LOSS_EVERY, LOSS_HOURS = 101, range(10, 13)
"""Each rule loses a device for three hours, every four days, and not all at once."""
SEED = 20260302

SETTINGS = """\
rules = ["rules/*.yaml"]
[store]
url = "sqlite:///slicewatch.db"
[sources.made]
kind = "duckdb"
tables.events = "none/*.parquet"
[receivers.team]
kind = "console"
"""
RULE = """\
rules:
  - name: rule_{n:03}
    source: made.events
    where: tenant = 't{n:03}'
    timestamp: at
    dimensions: [device, country, version]
    time_bucket: {bucket}
    baseline: {{lookback: {lookback}}}
"""


@dataclass
class Made:
    """A source of events that nobody keeps: what a bucket holds follows from its start, the rule and the seed."""

    columns_of: tuple[str, ...] = ("device", "country", "version")
    asked: int = 0

    def __post_init__(self) -> None:
        places = np.indices((DEVICES, COUNTRIES, VERSIONS)).reshape(3, -1)
        self._names = [
            np.array([f"{name}{i}" for i in at], dtype=object) for name, at in zip("dcv", places, strict=True)
        ]
        self._device = places[0]
        rng = np.random.default_rng(SEED)
        self._volume = rng.lognormal(3.0, 1.0, len(self._device))

    def count(self, query: CountQuery) -> pd.DataFrame:
        self.asked += 1
        number, seconds = self._number(query), int(query.bucket.total_seconds())
        wanted = [np.arange(to_epoch(w.start), to_epoch(w.end), seconds) for w in query.windows]
        starts = np.concatenate(wanted)
        days = {day: self._day(number, int(day), seconds) for day in np.unique(starts // DAY)}
        counts = np.stack([days[start // DAY][start % DAY // seconds] for start in starts])
        columns, rows = np.nonzero(counts)
        at = pd.to_datetime(starts[columns], unit="s", utc=True).as_unit("us")
        named = dict(zip(self.columns_of, (column[rows] for column in self._names), strict=True))
        return pd.DataFrame({"bucket": at, **named, "m0": counts[columns, rows]})

    def _number(self, query: CountQuery) -> int:
        return int(str(query.where)[-4:-1])

    def _day(self, number: int, day: int, seconds: int) -> np.ndarray:
        """Counts [T, S] of the buckets of a day."""
        rng = np.random.default_rng([SEED, number, day])
        starts = day * DAY + np.arange(0, DAY, seconds)
        hour = starts // 3600
        rhythm = 1.0 - 0.6 * np.cos(2 * np.pi * (hour % 24 - 4) / 24)
        counts = rng.poisson(rhythm[:, None] * self._volume * (seconds / 3600) ** 0.5)
        turn, place = np.divmod((starts - to_epoch(BEGIN)) // 3600 + 7 * number, LOSS_EVERY)
        lost = (starts >= to_epoch(BEGIN)) & np.isin(place, LOSS_HOURS)
        device = (turn + number) % DEVICES
        counts[lost[:, None] & (device[:, None] == self._device)] = 0
        return np.asarray(counts)

    def watermark(self, query: CountQuery) -> datetime | None:
        raise NotImplementedError(f"{query.source}: nothing here says when it arrived")

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        assert ref.source == "made"
        return (Column("at", "TIMESTAMP", "time"), *(Column(name, "VARCHAR", "string") for name in self.columns_of))

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:  # noqa: ARG002  # as every source
        return None

    def cost(self, query: CountQuery) -> Cost:  # noqa: ARG002  # as every source
        return Cost()

    def close(self) -> None:
        self.asked = 0


@dataclass
class Counting:
    """A receiver that keeps no message, and says how many there were."""

    sent: int = 0

    def send(self, delivery: Delivery) -> Receipt:
        assert isinstance(delivery.message, Message)
        self.sent += 1
        return Receipt("team", str(self.sent))


@dataclass
class Clock:
    """What time it is."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Day:
    """How things stood at the end of a day."""

    day: int
    objects: int
    """Objects that Python's collector knows, once the garbage is gone."""
    traced: float
    """MiB that the program holds, by tracemalloc; 0 where that is not asked for, for it makes all slower by half."""
    resident: float
    """MiB of the process."""
    store: float
    """MiB of the store."""
    overdue: int
    """Runs that were not made, or were due for longer than a bucket when they were."""
    runs: int
    incidents: int
    messages: int
    seconds: float


@dataclass
class Week:
    """A daemon whose clock is driven."""

    app: App
    clock: Clock
    receiver: Counting
    started: float = field(default_factory=time.process_time)
    overdue: int = 0
    runs: int = 0
    newest: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.daemon = Daemon(self.app, self.clock)
        self.app.settle(self.clock.now)

    def day(self, number: int) -> Day:
        """Live through one day, in steps of five minutes."""
        end = BEGIN + timedelta(days=number)
        while self.clock.now < end:
            self.clock.now += 5 * MINUTE
            self.step()
        with self.app.state.read() as tx:
            incidents = len(store.incidents(tx))
        gc.collect()
        return Day(
            number,
            len(gc.get_objects()),
            tracemalloc.get_traced_memory()[0] / 2**20,
            resident(),
            self.app.state.size() / 2**20,
            self.overdue,
            self.runs,
            incidents,
            self.receiver.sent,
            time.process_time() - self.started,
        )

    def step(self) -> None:
        """What happens at a moment: rules are looked at, chores done, what is due is delivered."""
        for rule in self.app.rules.rules:
            self._look(rule.name)
        for chore in self.daemon._chores():  # noqa: SLF001  # its own steps, by a clock that is driven
            chore.work(self.clock.now)
        self.app.deliver(self.clock, lambda _: None, self.clock.now + MINUTE, "week")

    def _look(self, name: str) -> None:
        rule = self.app.rule(name)
        assert rule is not None
        watched = self.app.evaluator(rule).watched
        tick = latest_tick(watched, self.clock.now)
        if tick == self.newest.get(name):
            return
        self.daemon._wake(name)  # noqa: SLF001  # as above
        with self.app.state.read() as tx:
            newest = store.newest_run(tx, name)
        self.overdue += newest != to_epoch(tick) or self.clock.now - tick > rule.time_bucket
        self.newest[name] = tick
        self.runs += 1


def resident() -> float:
    """MiB of this process, as the system counts it."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if pages.exists() else float("nan")


def lived(folder: Path, rules: int, days: int, fine: int, *, trace: bool = False) -> Iterator[Day]:
    """The days of a daemon with so many rules, `fine` of them over buckets of five minutes."""
    (folder / "rules").mkdir()
    (folder / "slicewatch.toml").write_text(SETTINGS)
    for n in range(rules):
        bucket, lookback = ("5m", "14d") if n < fine else ("1h", "28d")
        (folder / "rules" / f"{n:03}.yaml").write_text(RULE.format(n=n, bucket=bucket, lookback=lookback))
    receiver = Counting()

    def opened(settings: Settings, out: object) -> dict[str, Notifier]:  # noqa: ARG001  # as every opener
        return {"team": receiver}

    if trace:
        tracemalloc.start()
    with App.open(folder / "slicewatch.toml", {}, StringIO(), notifiers=opened) as app:
        problems = [problem.render() for problem in app.rules.problems if problem.severity == "error"]
        assert not problems, problems
        app._sources["made"] = Made()  # noqa: SLF001  # no setting makes such a source
        week = Week(app, Clock(BEGIN), receiver)
        yield from (week.day(number) for number in range(1, days + 1))
    tracemalloc.stop()


def table(days: Sequence[Day]) -> str:
    """A line a day."""
    head = "day   objects  traced MiB  resident MiB  store MiB  overdue    runs  incidents  messages  CPU s"
    lines = [
        f"{d.day:>3}  {d.objects:>8,}  {d.traced:>10.1f}  {d.resident:>12.1f}  {d.store:>9.1f}  {d.overdue:>7}  {d.runs:>6,}  "
        f"{d.incidents:>9,}  {d.messages:>8,}  {d.seconds:>5.0f}"
        for d in days
    ]
    return "\n".join([head, *lines])


def growth(days: Sequence[Day]) -> Iterator[Row]:
    """By how much memory grew from the second day to the last."""
    parts: dict[str, Callable[[Day], float]] = {
        "objects": lambda d: d.objects,
        "traced": lambda d: d.traced,
        "resident": lambda d: d.resident,
    }
    for name, get in parts.items():
        first, last = get(days[1]), get(days[-1])
        if not first:
            continue
        yield Row(f"memory from day 2 to day {days[-1].day}, {name}", 100 * (last / first - 1), "%", "flat")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=50)
    parser.add_argument("--fine", type=int, default=1, help="rules over buckets of five minutes")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--trace", action="store_true", help="count memory by tracemalloc too")
    parser.add_argument("--json", action="store_true", help="one object a day")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    days = []
    with tempfile.TemporaryDirectory() as folder:
        for day in lived(Path(folder), options.rules, options.days, options.fine, trace=options.trace):
            days.append(day)
            print(json.dumps(asdict(day)) if options.json else table(days).splitlines()[-1], flush=True)
    if not options.json:
        print("\n" + table(days))
        for row in growth(days):
            print(f"{row.figure}: {row.value:+.1f} {row.unit}")


if __name__ == "__main__":
    main(sys.argv[1:])
