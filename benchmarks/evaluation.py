"""CPU time of a scheduled evaluation, from the source's answer to the commit, beside a loop of statsmodels STL.

Counts of `--leaves` combinations of device, os and country are drawn from a seed and laid into a SQLite file as 28
days of hourly pages. Then the newest hours are evaluated by the program's own `Evaluator`, asked through a source that
answers from memory. CPU seconds are of all threads; what the source itself takes is left out.

    python benchmarks/evaluation.py [--quick | --leaves N] [--sample N] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
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
from monitor.detectors.fit import level_span, windows_of
from monitor.evaluation import Evaluator
from monitor.fits import unpack
from monitor.history import read_series
from monitor.lattice import Lattice, Leaves
from monitor.query import Column, Cost, CountQuery
from monitor.ripeness import lag_class
from monitor.tick import Outcome
from monitor.watched import Watched
from rules.model import Interval, Rule, SourceRef, Timestamp
from rules.problem import Place

Ints = NDArray[np.int64]

HOUR = 3600
DIMENSIONS = ("device", "os", "country")
DEVICES, SYSTEMS = 10, 20
EVENTS_PER_LEAF = 100.0
"""Mean events of a leaf and hour; its leaves differ by factors of hundreds, so that many are small."""
REFIT = datetime(2026, 3, 2, tzinfo=UTC)
"""Start of the bucket whose evaluation learns anew: a Monday's midnight."""
MOST_SECONDS = 2.0
LEAST_RATIO = 500.0
ORDINARY_TICKS = 5


@dataclass(frozen=True)
class Fleet:
    """Hourly counts [S, T] of leaves [S] in the buckets `starts` [T]."""

    terms: tuple[tuple[str, ...], ...]
    starts: Ints
    counts: Ints

    @classmethod
    def of(cls, leaves: int, hours: int, first: int, seed: int) -> Fleet:
        """Draw seasonal, over-dispersed counts: leaves share a rhythm, differ in volume and move a little together."""
        rng = np.random.default_rng(seed)
        countries = -(-leaves // (DEVICES * SYSTEMS))
        every = [(d, o, c) for c in range(countries) for d in range(DEVICES) for o in range(SYSTEMS)][:leaves]
        terms = tuple((f"device-{d:02}", f"os-{o:02}", f"country-{c:03}") for d, o, c in every)
        volume = rng.lognormal(0.0, 1.5, leaves)
        starts = first + HOUR * np.arange(hours, dtype=np.int64)
        mean = np.outer(volume * EVENTS_PER_LEAF / volume.mean(), _rhythm(starts) * _drift(rng, hours))
        return cls(terms, starts, rng.poisson(mean * rng.gamma(20.0, 1 / 20.0, mean.shape)))

    def column(self, bucket: int) -> int:
        return int((bucket - self.starts[0]) // HOUR)

    def without(self, device: str, since: int) -> Fleet:
        """The same with a device silent from a bucket on."""
        counts = self.counts.copy()
        counts[[term[0] == device for term in self.terms], self.column(since) :] = 0
        return replace(self, counts=counts)


def _rhythm(starts: Ints) -> NDArray[np.float64]:
    """Activity by hour of day and weekday, mean about 1."""
    hour, day = starts // HOUR % 24, (starts // DAY + 3) % 7
    return np.asarray((1.0 - 0.6 * np.cos(2 * np.pi * (hour - 4) / 24)) * np.where(day < 5, 1.05, 0.85))


def _drift(rng: np.random.Generator, hours: int) -> NDArray[np.float64]:
    """What moves everything at once, with a memory of hours."""
    noise = rng.normal(0.0, 0.02, hours)
    for t in range(1, hours):
        noise[t] += 0.9 * noise[t - 1]
    return np.exp(noise)


class Memory:
    """A source that answers from a fleet and keeps the CPU seconds that it took itself."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.seconds = 0.0
        self._terms = [np.array([term[d] for term in fleet.terms], dtype=object) for d in range(len(DIMENSIONS))]

    def count(self, query: CountQuery) -> pd.DataFrame:
        began = time.process_time()
        fleet, parts = self.fleet, []
        for window in query.windows:
            for bucket in range(to_epoch(window.start), to_epoch(window.end), HOUR):
                counts = fleet.counts[:, fleet.column(bucket)]
                rows = np.flatnonzero(counts)
                columns = {name: terms[rows] for name, terms in zip(DIMENSIONS, self._terms, strict=True)}
                start = pd.DatetimeIndex([to_datetime(bucket)] * len(rows)).as_unit("us")
                parts.append(pd.DataFrame({"bucket": start, **columns, "m0": counts[rows]}))
        frame = pd.concat(parts, ignore_index=True)
        self.seconds += time.process_time() - began
        return frame

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        assert ref == RULE.source
        return (Column("at", "TIMESTAMP", "time"), *(Column(name, "VARCHAR", "string") for name in DIMENSIONS))

    def watermark(self, query: CountQuery) -> datetime | None:  # noqa: ARG002  # a Source's signature
        return None

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        assert (ref, timestamp, where) == (RULE.source, RULE.timestamp, None)
        first, last = (to_datetime(int(self.fleet.starts[at])) for at in (0, -1))
        return Interval(first, last + timedelta(seconds=HOUR - 1))

    def cost(self, query: CountQuery) -> Cost:
        assert query.source == RULE.source
        return Cost()

    def close(self) -> None:
        self.seconds = 0.0


RULE = Rule(
    name="playback",
    source=SourceRef("memory", ("playback",)),
    timestamp=Timestamp("at"),
    dimensions=DIMENSIONS,
    place=Place("benchmarks/evaluation.py"),
)


def fill(state: store.Store, watched: Watched, fleet: Fleet, until: datetime) -> None:
    """Lay the buckets before `until` into the store, each as ripe as it is when `until` is due."""
    tick = watched.schedule.due(to_epoch(until))
    ids = np.arange(len(fleet.terms), dtype=np.int32)
    with state.write() as tx:
        store.add_leaves(tx, RULE.name, fleet.terms, np.full(len(ids), fleet.starts[0]))
        for t, bucket in enumerate(int(b) for b in fleet.starts[fleet.starts < to_epoch(until)]):
            rows = np.flatnonzero(fleet.counts[:, t])
            lag = lag_class(tick - HOUR - watched.schedule.due(bucket))
            store.put_page(tx, RULE.name, bucket, ids[rows], fleet.counts[rows, t][None], lag=lag)


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of all threads of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


@dataclass
class Bench:
    """One fleet in one store, evaluated tick by tick."""

    watched: Watched
    fleet: Fleet
    state: store.Store

    def evaluator(self, source: Memory) -> Evaluator:
        return Evaluator(self.watched, source, self.state)

    def tick(self, evaluator: Evaluator, source: Memory, hours: int) -> tuple[float, Outcome]:
        """CPU seconds and outcome of evaluating the bucket `hours` after the refit's."""
        tick = to_datetime(self.watched.schedule.due(to_epoch(REFIT) + hours * HOUR))
        before, began = source.seconds, time.process_time()
        outcome = evaluator.evaluate(tick)
        spent = time.process_time() - began - (source.seconds - before)
        assert not outcome.repeated
        assert not outcome.blind
        return spent, outcome

    def ticks(self) -> Iterator[Row]:
        """The kinds of evaluation there are, in the order in which a daemon meets them."""
        source = Memory(self.fleet)
        evaluator = self.evaluator(source)
        self.tick(evaluator, source, -1)  # learns the day before, builds the lattice, loads what is loaded lazily
        refit, calm = self.tick(evaluator, source, 0)
        quiet = [calm]
        ordinary = []
        for hours in range(1, 1 + ORDINARY_TICKS):
            seconds, calm = self.tick(evaluator, source, hours)
            ordinary.append(seconds)
            quiet.append(calm)
        hours = 1 + ORDINARY_TICKS
        restart, calm = self.tick(self.evaluator(source), source, hours)
        quiet.append(calm)
        slices, tested = self.slices()
        most = f"at most {MOST_SECONDS:g}"
        usual = float(np.median(ordinary))
        yield Row("slices in the lattice", slices, "slices")
        yield Row("slices tested", tested, "slices")
        yield Row("ordinary tick", usual, "CPU s", most)
        yield Row("tick with the daily refit", refit, "CPU s", most)
        yield Row("first tick after a restart", restart, "CPU s", most)
        yield from self._lost(hours + 1, most)
        yield Row("incidents in ticks without a loss", sum(len(o.transitions) for o in quiet), "changes", "0")
        yield Row("ordinary tick, per slice tested", usual / tested * 1e6, "CPU µs")
        yield Row("tick with the daily refit, per slice tested", refit / tested * 1e6, "CPU µs")

    def _lost(self, hours: int, most: str) -> Iterator[Row]:
        device = self.fleet.terms[0][0]
        source = Memory(self.fleet.without(device, to_epoch(REFIT) + hours * HOUR))
        evaluator = self.evaluator(source)
        evaluator.evaluate(to_datetime(self.watched.schedule.due(to_epoch(REFIT) + (hours - 1) * HOUR)))
        found, outcome = self.tick(evaluator, source, hours)
        causes = [transition.incident.cause.label() for transition in outcome.transitions]
        followed, _ = self.tick(evaluator, source, hours + 1)
        yield Row("tick that finds a lost device", found, "CPU s", most)
        yield Row("tick that follows it", followed, "CPU s", most)
        yield Row("causes found", len(set(causes)), "causes", f"1: device={device}; found: {'; '.join(causes)}")

    def slices(self) -> tuple[int, int]:
        """Slices in the lattice, and those old enough to be tested."""
        with self.state.read() as tx:
            blob = store.fit(tx, RULE.name, to_epoch(REFIT))
        assert blob is not None
        fit = unpack(blob)[1][0].fit
        return len(fit.eligible), int(fit.eligible.sum())

    def reading(self) -> Iterator[Row]:
        """History read alone: what a refit reads, and what an ordinary tick does."""
        grid, end = self.watched.grid, to_epoch(REFIT)
        recent = level_span(grid) + 3 * max(windows_of(grid))
        for figure, hours in (("28 days", 28 * 24), ("what an ordinary tick needs", recent)):
            starts = np.arange(end - hours * HOUR, end, HOUR, dtype=np.int64)
            with self.state.read() as tx:
                spent = cpu(lambda tx=tx, starts=starts: read_series(tx, RULE.name, starts, self.fleet.terms, 1, None))
            yield Row(f"history read: {figure}", spent, "CPU s")


def stl_seconds(fleet: Fleet, depth: int, sample: int, period: int) -> float:
    """CPU seconds per slice of statsmodels STL over the 672 hours before the refit, slices drawn from the lattice."""
    from statsmodels.tsa.seasonal import STL

    lattice = Lattice.of(Leaves.of(DIMENSIONS, fleet.terms), depth)
    stop = fleet.column(to_epoch(REFIT))
    series = lattice.rollup(fleet.counts[:, stop - 672 : stop].astype(float))
    chosen = np.random.default_rng(1).choice(len(lattice), min(sample, len(lattice)), replace=False)
    STL(series[0], period=period).fit()
    return cpu(lambda: [STL(series[row], period=period).fit() for row in chosen]) / len(chosen)


def measure(leaves: int, depth: int, sample: int) -> Iterator[Row]:
    """All rows of one depth."""
    watched = Watched.of(replace(RULE, depth=depth))
    hours = 24 * 31
    fleet = Fleet.of(leaves, hours, to_epoch(REFIT) - 30 * DAY, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        state = store.Store.open(f"sqlite:///{folder}/slicewatch.db")
        fill(state, watched, fleet, REFIT - timedelta(hours=1))
        bench = Bench(watched, fleet, state)
        yield Row("leaves", leaves, "leaves")
        yield from bench.reading()
        rows = list(bench.ticks())
        state.close()
    yield from rows
    value = {row.figure: row.value for row in rows}
    for period, name in ((168, "hour of week"), (24, "hour of day")):
        stl = stl_seconds(fleet, depth, sample, period) * 1e6
        yield Row(f"statsmodels STL by {name}, per slice", stl, "CPU µs", f"sample of {sample}")
        for kind in ("ordinary tick", "tick with the daily refit"):
            ratio = stl / value[f"{kind}, per slice tested"]
            least = f"at least {LEAST_RATIO:g}" if period == 168 else ""
            yield Row(f"STL by {name} / {kind}", ratio, "times", least)


def table(rows: list[Row]) -> str:
    """Rows as aligned text."""
    cells = [(row.figure, _number(row.value), row.unit, row.against) for row in rows]
    wide = [max(len(line[c]) for line in cells) for c in range(3)]
    return "\n".join(f"{f:<{wide[0]}}  {v:>{wide[1]}}  {u:<{wide[2]}}  {a}".rstrip() for f, v, u, a in cells)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaves", type=int, default=10_000, help="combinations of device, os and country")
    parser.add_argument("--quick", action="store_const", const=1_000, dest="leaves", help="1,000 leaves")
    parser.add_argument("--sample", type=int, default=100, help="slices given to STL")
    parser.add_argument("--json", action="store_true", help="one object per row")
    options = parser.parse_args(arguments)
    for depth in (2, 3):
        rows = [
            replace(row, figure=f"depth {depth}: {row.figure}")
            for row in measure(options.leaves, depth, options.sample)
        ]
        print("\n".join(json.dumps(asdict(row)) for row in rows) if options.json else table(rows) + "\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
