"""What a backtest costs: 14 days, hour by hour, at 10,000 slices; slices x buckets a CPU second, and how long it takes.

The fleet is that of `scale.py`. A backtest reads 28 days before its stretch, learns anew once a day and judges every
bucket, each as the daemon would. CPU seconds are of all threads; what the source takes to draw its answers is left out.

    python benchmarks/backtest.py [--days N] [--slices N] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.rows import Row
from benchmarks.scale import DIMENSIONS, HOUR, REFIT, RULE, Fleet, Memory, show
from monitor import store
from monitor.buckets import DAY, to_datetime
from monitor.lattice import Lattice, Leaves
from monitor.query import CountQuery
from monitor.replay import Replay

TARGET_SECONDS = 300


class ByBucket(Memory):
    """The fleet's hours, summed to the days that a first look at a cube's width asks for."""

    def count(self, query: CountQuery) -> pd.DataFrame:
        frame = super().count(query)
        began = time.process_time()
        if query.bucket == timedelta(days=1):
            frame["bucket"] = frame["bucket"].dt.floor("D")
            frame = frame.groupby(["bucket", *DIMENSIONS], as_index=False, sort=False).sum()
        self.seconds += time.process_time() - began
        return frame


def measure(days: int, slices: int) -> Iterator[Row]:
    """The rows of one backtest."""
    fleet = Fleet.of(slices)
    source = ByBucket(fleet)
    state = store.Store.open("sqlite://")
    start = to_datetime(REFIT)
    replay = Replay(RULE, source, state, start, start + timedelta(days=days))
    began, elapsed = time.process_time(), time.monotonic()
    for _ in replay.run():
        pass
    seconds = time.process_time() - began - source.seconds
    buckets = days * DAY // HOUR
    tested = len(Lattice.of(Leaves.of(DIMENSIONS, fleet.terms), RULE.depth))
    name = f"{days} days at {tested:,} slices"
    yield Row(f"{name}: speed", tested * buckets / seconds, "slices x buckets a CPU second")
    yield Row(f"{name}: CPU", seconds, "CPU s")
    yield Row(f"{name}: time", time.monotonic() - elapsed, "s", f"at most {TARGET_SECONDS}")
    yield Row(f"{name}: incidents on untouched counts", len(replay.incidents()), "incidents", f"{days / 7:g} by budget")
    state.close()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=14, help="length of the stretch")
    parser.add_argument("--slices", type=int, default=10_000, help="number of slices")
    parser.add_argument("--json", action="store_true", help="one object per row")
    options = parser.parse_args(arguments)
    show(list(measure(options.days, options.slices)), as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
