"""What a tick and a refit cost at 1,000 to 1,000,000 slices: CPU seconds, peak memory, and how both grow.

A slice is a row of the lattice that is tested: all combinations of up to three of three dimensions, the leaves (about
1 : 1.3) and the total among them. Leaves are drawn sparsely from device x version x country, 28 days of hourly
counts are laid into a SQLite file, and the program's own `Evaluator` learns and judges from it. Each part of each size
runs in a process of its own, so that its peak memory is its own. CPU seconds are of all threads; what the source
takes to answer is left out.

    python benchmarks/scale.py [--quick | --sizes N ...] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import cProfile
import json
import pstats
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.rows import Row
from monitor import store
from monitor.buckets import DAY, to_datetime, to_epoch
from monitor.evaluation import Evaluator
from monitor.lattice import Lattice, Leaves
from monitor.query import Column, Cost, CountQuery
from monitor.ripeness import lag_class
from monitor.tick import Outcome
from monitor.watched import Watched
from rules.model import Interval, Rule, SourceRef, Timestamp
from rules.problem import Place

Ints = NDArray[np.int64]

HOUR = 3600
DIMENSIONS = ("device", "version", "country")
SLICES_PER_LEAF = 1.3
EVENTS_PER_LEAF = 20.0
"""Mean events of a leaf and hour; leaves differ by factors of hundreds."""
REFIT = to_epoch(datetime(2026, 3, 2, tzinfo=UTC))
"""Start of the bucket whose evaluation learns anew: a Monday's midnight."""
HISTORY = 28 * 24
TICKS = 3
STL_SAMPLE = 10
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TARGETS = {
    ("tick", 100_000): "at most 1",
    ("tick", 1_000_000): "at most 15",
    ("tick, peak memory", 100_000): "at most 2,048",
    ("tick, peak memory", 1_000_000): "at most 6,144",
    ("refit", 100_000): "at most 30",
}
STEPS = {
    "refit: seasonal means": ("seasonal_mean", "by_week"),
    "refit: dispersion": ("raw_alpha", "shrink"),
    "refit: calibration": ("tail",),
}
"""Steps of a refit and the functions of the program that are them."""


@dataclass(frozen=True)
class Fleet:
    """Leaves `terms` [S] and the mean events an hour of each; every bucket is drawn by itself, from its own seed."""

    terms: tuple[tuple[str, ...], ...]
    volume: NDArray[np.float64]

    @classmethod
    def of(cls, slices: int) -> Fleet:
        """A sparse cube of about so many slices."""
        leaves = round(slices / SLICES_PER_LEAF)
        width = int(max(np.ceil((0.1 * leaves) ** 0.5), np.ceil((1.3 * leaves) ** (1 / 3))))
        rng = np.random.default_rng(0)
        chosen = np.sort(rng.choice(width**3, leaves, replace=False))
        names = [[f"{name}-{i:03}" for i in range(width)] for name in DIMENSIONS]
        places = np.unravel_index(chosen, (width,) * 3)
        terms = tuple(
            zip(*([column[i] for i in at.tolist()] for column, at in zip(names, places, strict=True)), strict=True)
        )
        volume = rng.lognormal(0.0, 1.5, leaves)
        return cls(terms, volume * EVENTS_PER_LEAF / volume.mean())

    def counts(self, bucket: int) -> Ints:
        """Counts [S] of one hour: seasonal, over-dispersed, all moving a little together."""
        rng = np.random.default_rng([1, bucket])
        hour, day = bucket // HOUR % 24, (bucket // DAY + 3) % 7
        rhythm = (1.0 - 0.6 * np.cos(2 * np.pi * (hour - 4) / 24)) * (1.05 if day < 5 else 0.85)
        mean = self.volume * (rhythm * np.exp(rng.normal(0.0, 0.03)) / 20.0)
        return np.asarray(rng.poisson(mean * rng.standard_gamma(20.0, len(mean))))


class Memory:
    """A source that answers from a fleet and keeps the CPU seconds that it took itself.

    `lost` is a device without events from `since` on; each bucket from `since` on has `fresh` leaves never seen before.
    """

    def __init__(self, fleet: Fleet, *, lost: str = "", since: int = 0, fresh: int = 0) -> None:
        self.seconds = 0.0
        self._fleet, self._since, self._fresh = fleet, since, fresh
        self._terms = [np.array(column, dtype=object) for column in zip(*fleet.terms, strict=True)]
        self._alive = self._terms[0] != lost
        self._drawn: dict[int, Ints] = {}

    def count(self, query: CountQuery) -> pd.DataFrame:
        began = time.process_time()
        parts = []
        for window in query.windows:
            for bucket in range(to_epoch(window.start), to_epoch(window.end), HOUR):
                parts.extend(self._answer(bucket))
        frame = pd.concat(parts, ignore_index=True)
        self.seconds += time.process_time() - began
        return frame

    def _answer(self, bucket: int) -> Iterator[pd.DataFrame]:
        if bucket not in self._drawn:
            self._drawn[bucket] = self._fleet.counts(bucket)
        counts = self._drawn[bucket]
        rows = np.flatnonzero((counts > 0) & (self._alive | (bucket < self._since)))
        yield _frame(bucket, [column[rows] for column in self._terms], counts[rows])
        if bucket >= self._since and self._fresh:
            names = [np.array([f"new-{bucket}-{i}" for i in range(self._fresh)], dtype=object)]
            others = [np.full(self._fresh, column[0], dtype=object) for column in self._terms[1:]]
            yield _frame(bucket, [*names, *others], np.full(self._fresh, 5))

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        assert ref == RULE.source
        return (Column("at", "TIMESTAMP", "time"), *(Column(name, "VARCHAR", "string") for name in DIMENSIONS))

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        assert (ref, timestamp, where) == (RULE.source, RULE.timestamp, None)
        return Interval(to_datetime(REFIT - HISTORY * HOUR), to_datetime(REFIT) + timedelta(days=2))

    def cost(self, query: CountQuery) -> Cost:
        assert query.source == RULE.source
        return Cost()

    def close(self) -> None:
        self.seconds = 0.0


def _frame(bucket: int, terms: list[NDArray[np.object_]], counts: Ints) -> pd.DataFrame:
    start = pd.DatetimeIndex([to_datetime(bucket)]).as_unit("us").repeat(len(counts))
    return pd.DataFrame({"bucket": start, **dict(zip(DIMENSIONS, terms, strict=True)), "m0": counts})


RULE = Rule(
    name="playback",
    source=SourceRef("memory", ("playback",)),
    timestamp=Timestamp("at"),
    dimensions=DIMENSIONS,
    depth=3,
    place=Place("benchmarks/scale.py"),
)
RULE = replace(RULE, slices=replace(RULE.slices, max=2 * max(SIZES)))
WATCHED = Watched.of(RULE)


@dataclass
class Bench:
    """One fleet in one store, evaluated hour by hour from the refit's on."""

    fleet: Fleet
    source: Memory
    evaluator: Evaluator

    @classmethod
    def of(cls, size: int, state: store.Store) -> Bench:
        fleet = Fleet.of(size)
        return cls.with_source(fleet, Memory(fleet), state)

    @classmethod
    def with_source(cls, fleet: Fleet, source: Memory, state: store.Store) -> Bench:
        return cls(fleet, source, Evaluator(WATCHED, source, state))

    def tick(self, hours: int) -> tuple[float, Outcome]:
        """CPU seconds and outcome of evaluating the bucket `hours` after the refit's."""
        tick = to_datetime(WATCHED.schedule.due(REFIT + hours * HOUR))
        before, began = self.source.seconds, time.process_time()
        outcome = self.evaluator.evaluate(tick)
        spent = time.process_time() - began - (self.source.seconds - before)
        assert not outcome.repeated
        assert not outcome.blind
        return spent, outcome


def prepare(size: int, state: store.Store) -> Iterator[Row]:
    """Lay the history into the store, each bucket as ripe as it is when the refit's hour is due."""
    fleet, tick = Fleet.of(size), WATCHED.schedule.due(REFIT)
    starts = np.arange(REFIT - HISTORY * HOUR, REFIT, HOUR, dtype=np.int64)
    with state.write() as tx:
        store.add_leaves(tx, RULE.name, fleet.terms, np.full(len(fleet.terms), starts[0]))
    for bucket in starts.tolist():
        counts = fleet.counts(bucket)
        rows = np.flatnonzero(counts).astype(np.int32)
        with state.write() as tx:
            lag = lag_class(tick - HOUR - WATCHED.schedule.due(bucket))
            store.put_page(tx, RULE.name, bucket, rows, counts[rows][None], lag=lag)
    yield Row("leaves", len(fleet.terms), "leaves")


def steps(size: int, state: store.Store) -> Iterator[Row]:
    """What parts of a refit take, by a profiler, which makes all of it slower by a quarter."""
    bench, profile = Bench.of(size, state), cProfile.Profile(time.process_time)
    profile.enable()
    bench.tick(0)
    profile.disable()
    for figure, names in STEPS.items():
        yield Row(figure, _cumulated(profile, names), "CPU s")


def refit(size: int, state: store.Store) -> Iterator[Row]:
    """The tick that learns anew, in a process that was just started."""
    bench = Bench.of(size, state)
    began = time.perf_counter()
    spent, outcome = bench.tick(0)
    assert not outcome.transitions, "untouched counts raised an incident"
    yield Row("refit", spent, "CPU s")
    yield Row("refit, on the wall", time.perf_counter() - began, "s")
    yield Row("refit, peak memory", peak(), "MiB")


def _cumulated(profile: cProfile.Profile, names: tuple[str, ...]) -> float:
    """Seconds within functions of these names, which do not call one another."""
    found = dict.fromkeys(names, 0.0)
    for (_, _, name), (_, _, _, cumulated, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if name in found:
            # A method and the function of the same name that it calls count once.
            found[name] = max(found[name], cumulated)
    missing = [name for name, spent in found.items() if not spent]
    assert not missing, f"the program no longer calls {missing}"
    return sum(found.values())


def ticks(size: int, state: store.Store) -> Iterator[Row]:
    """The first tick after a restart, ordinary ones, and one in which new leaves appear."""
    bench = Bench.of(size, state)
    first, calm = bench.tick(1)
    ordinary = []
    for hours in range(2, 2 + TICKS):
        spent, outcome = bench.tick(hours)
        ordinary.append(spent)
        assert not (*calm.transitions, *outcome.transitions), "untouched counts raised an incident"
    usual = float(np.median(ordinary))
    yield Row("tick", usual, "CPU s")
    yield Row("tick, peak memory", peak(), "MiB")
    yield Row("tick, first after a restart", first, "CPU s")
    slices = len(Lattice.of(Leaves.of(DIMENSIONS, bench.fleet.terms), RULE.depth))
    yield Row("slices", slices, "slices")
    yield Row("tick, of a slice", usual / slices * 1e6, "CPU µs")
    once = reading(slices)
    yield Row("reading three days of all slices once", once, "CPU s")
    yield Row("tick / reading once", usual / once, "times")
    stl = stl_seconds(bench.fleet)
    yield Row("statsmodels STL, of a slice", stl * 1e6, "CPU µs", f"sample of {STL_SAMPLE}")
    yield Row("STL / tick", stl / (usual / slices), "times", "at least 500")
    hours = 2 + TICKS
    fresh = Bench.with_source(
        bench.fleet, Memory(bench.fleet, since=REFIT + hours * HOUR, fresh=max(size // 10_000, 1)), state
    )
    fresh.evaluator = replace(bench.evaluator, source=fresh.source)
    yield Row("tick in which new leaves appear", fresh.tick(hours)[0], "CPU s")


def losses(size: int, state: store.Store) -> Iterator[Row]:
    """The ticks that find and follow a device that went dark."""
    bench, hours = Bench.of(size, state), 3 + TICKS
    bench.tick(hours)
    calm, _ = bench.tick(hours + 1)
    lost = bench.fleet.terms[0][0]
    source = Memory(bench.fleet, lost=lost, since=REFIT + (hours + 2) * HOUR)
    after = replace(bench, source=source, evaluator=replace(bench.evaluator, source=source))
    found, outcome = after.tick(hours + 2)
    causes = sorted({transition.incident.cause.label() for transition in outcome.transitions})
    assert causes == [f"device={lost}"], causes
    yield Row("tick that finds a lost device", found, "CPU s")
    yield Row("localization in it", found - calm, "CPU s")
    yield Row("tick that follows it", after.tick(hours + 3)[0], "CPU s")
    yield Row("ticks with a loss, peak memory", peak(), "MiB")


PARTS: dict[str, Callable[[int, store.Store], Iterator[Row]]] = {
    "prepare": prepare,
    "steps": steps,
    "refit": refit,
    "ticks": ticks,
    "losses": losses,
}


def peak() -> float:
    """Peak resident memory of this process, MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def reading(slices: int) -> float:
    """CPU seconds of reading the hours of one tick of all slices once: 72 float64 each."""
    rows = min(slices, 100_000)
    values = np.ones((rows, 72))
    began = time.process_time()
    for _ in range(5):
        values.sum()
    return (time.process_time() - began) / 5 * slices / rows


def stl_seconds(fleet: Fleet) -> float:
    """CPU seconds per slice of statsmodels STL over 28 days of hours, on a sample of leaves."""
    from statsmodels.tsa.seasonal import STL

    few = replace(fleet, volume=np.sort(fleet.volume)[:: -(-len(fleet.volume) // STL_SAMPLE)])
    series = np.stack([few.counts(REFIT - back * HOUR) for back in range(HISTORY, 0, -1)], axis=1).astype(float)
    STL(series[0], period=168).fit()
    began = time.process_time()
    for row in series:
        STL(row, period=168).fit()
    return (time.process_time() - began) / len(series)


def child(part: str, size: int, path: str) -> None:
    """One part in this process; its rows as JSON lines."""
    state = store.Store.open(f"sqlite:///{path}")
    for row in PARTS[part](size, state):
        print(json.dumps(asdict(row)), flush=True)
    state.close()


def measure(size: int) -> list[Row]:
    """All rows of one size, each part in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            path = f"{folder}/s.db"
            if part == "steps":
                # It leaves the store as it was before the refit.
                path = shutil.copy(path, f"{folder}/steps.db")
            command = [sys.executable, __file__, "--child", part, "--sizes", str(size), "--store", path]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows += [Row(**json.loads(line)) for line in done.stdout.splitlines()]
    return [replace(row, against=TARGETS.get((row.figure, size), row.against)) for row in rows]


def growth(found: dict[int, list[Row]]) -> Iterator[Row]:
    """Exponents by which CPU and memory grow between the two largest sizes; 1 is linear."""
    small, large = sorted(found)[-2:]
    for figure in ("tick", "refit", "tick that finds a lost device", "tick, peak memory", "refit, peak memory"):
        low, high = (next(row.value for row in found[size] if row.figure == figure) for size in (small, large))
        exponent = float(np.log(high / low) / np.log(large / small))
        yield Row(f"growth of {figure}", exponent, "exponent", f"at most 1; {small:,} to {large:,} slices")


def table(rows: list[Row]) -> str:
    """Rows as aligned text."""
    cells = [(row.figure, _number(row.value), row.unit, row.against) for row in rows]
    wide = [max(len(line[c]) for line in cells) for c in range(3)]
    return "\n".join(f"{f:<{wide[0]}}  {v:>{wide[1]}}  {u:<{wide[2]}}  {a}".rstrip() for f, v, u, a in cells)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of slices")
    parser.add_argument("--quick", action="store_const", const=list(SIZES[:3]), dest="sizes", help="up to 100,000")
    parser.add_argument("--json", action="store_true", help="one object per row")
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(options.child, options.sizes[0], options.store)
        return
    found = {}
    for size in options.sizes:
        found[size] = measure(size)
        show([replace(row, figure=f"{size:,}: {row.figure}") for row in found[size]], as_json=options.json)
    if len(found) > 1:
        show(list(growth(found)), as_json=options.json)


def show(rows: list[Row], *, as_json: bool) -> None:
    """Print rows as soon as they are known."""
    print("\n".join(json.dumps(asdict(row)) for row in rows) if as_json else table(rows) + "\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
