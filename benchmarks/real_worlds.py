"""The real data as worlds to inject losses into, and the real events known to be in it (README of the data)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.simulator import Plan, World
from monitor.lattice import Leaves
from rules.model import Metric, Rule, SourceRef, Timestamp
from rules.problem import Place

ROOT = Path(__file__).resolve().parents[1]
PLACE = Place("benchmarks/real_worlds.py")


@dataclass(frozen=True)
class Real:
    """A file, the rule that watches it, and the days of its known real events."""

    name: str
    file: str
    time: str
    rule: Rule
    column: str
    begin: str
    """First bucket judged: after the warm-up."""
    events: frozenset[date]
    plan: Plan
    end: str = "2100-01-01"

    def read(self) -> World:
        """Counts of every leaf in every bucket: what has no row is zero."""
        frame = pd.read_parquet(ROOT.parent / "shared" / "data" / self.file)
        frame = frame[frame[self.time] < pd.Timestamp(self.end)]
        seconds = pd.DatetimeIndex(frame[self.time]).as_unit("s").asi8
        size = int(self.rule.time_bucket.total_seconds())
        starts = np.arange(seconds.min(), seconds.max() + size, size, dtype=np.int64)
        keys = frame[list(self.rule.dimensions)].astype(str)
        terms = sorted(set(keys.itertuples(index=False, name=None)))
        place = {term: i for i, term in enumerate(terms)}
        rows = np.array([place[term] for term in keys.itertuples(index=False, name=None)])
        counts = np.zeros((len(terms), len(starts)), dtype=np.int64)
        np.add.at(counts, (rows, (seconds - starts[0]) // size), frame[self.column].to_numpy(dtype=np.int64))
        begin = int(np.searchsorted(starts, int(pd.Timestamp(self.begin).timestamp())))
        return World(Leaves.of(self.rule.dimensions, terms), starts, counts, begin)


def _days(first: str, last: str | None = None) -> frozenset[date]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    return frozenset(begin + timedelta(days=i) for i in range((end - begin).days + 1))


NYC_BIKE = Real(
    name="nyc_bike",
    file="nyc_bike/trips_2014.parquet",
    time="hour",
    column="trips",
    rule=Rule(
        "bike_trips",
        SourceRef("memory", ("trips",)),
        Timestamp("hour"),
        ("zone_row", "zone_col", "direction"),
        PLACE,
        metrics=(Metric("sum", "trips"),),
        # A zone is two of the dimensions, and losses of one direction in one zone are among those laid in.
        depth=3,
    ),
    begin="2014-04-29",
    events=frozenset().union(
        *(_days(f"2014-{d}") for d in ("04-15", "04-30", "06-09", "06-13", "09-13", "09-25", "05-26", "07-04", "09-01"))
    ),
    plan=Plan(60, levels=((0, 1, 2), (0, 1), (0,), (1,), (0, 2))),
)
USAGOV = Real(
    name="usagov",
    file="usagov/os_browser.parquet",
    time="date",
    column="visits",
    rule=Rule(
        "government_visits",
        SourceRef("memory", ("visits",)),
        Timestamp("date"),
        ("agency", "os", "browser"),
        PLACE,
        metrics=(Metric("sum", "visits"),),
        time_bucket=timedelta(days=1),
        lookback=timedelta(days=56),
    ),
    begin="2023-11-08",
    events=_days("2023-11-10") | _days("2023-11-22", "2023-11-26") | _days("2023-12-22", "2024-01-01"),
    plan=Plan(45, levels=((0, 1, 2), (0, 1), (0, 2), (1, 2), (0,), (2,)), lengths=(1, 2, 3), apart=4),
)
REALS = (NYC_BIKE, USAGOV)


def shortened(real: Real) -> Real:
    """A stretch that runs in seconds: three weeks of hours; daily data is short as it is."""
    if real is USAGOV:
        return real
    return replace(real, begin="2014-06-01", end="2014-06-22", plan=replace(real.plan, losses=20))
