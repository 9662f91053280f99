"""Late data: how soon losses are told, and how many false incidents there are, beside the ways to do without.

A simulated fleet whose events are 80 % there on time and 97 % after 4 h, all after 24 h, each device by a share of its
own. The same losses are judged, through the program's own evaluations, over

- complete data (nothing is ever late): what late data is to be measured against;
- late data with `arrived_at`, and without it (repeated reads from the first tick on, two weeks before the first loss);
- late data judged naively: the newest hour against complete history, as if nothing were late;
- late data judged only when it is complete: the same with a detection delay of 24 h.

A loss is detected by an incident whose cause shares cells with it, raised while it lasts or within a day; other
incidents are false. The delay counts from the loss's first hour to the evaluation that told it.

    python benchmarks/late.py [--quick] [--seeds N] [--json]
"""

# ruff: noqa: E402  # the number of threads must be set before numpy is loaded

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alerts.model import Incident
from benchmarks.rows import Row
from monitor import store
from monitor.backfill import Backfill
from monitor.buckets import DAY, to_datetime, to_epoch
from monitor.evaluation import Evaluator
from monitor.query import Column, Cost, CountQuery
from monitor.watched import Watched
from rules.model import Interval, Rule, SourceRef, Timestamp
from rules.problem import Place

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HOUR = 3600
DIMENSIONS = ("device", "country")
DEVICES, COUNTRIES = 8, 6
EVENTS_PER_HOUR = 20_000.0
HISTORY_DAYS, WARM_UP_DAYS = 29, 15
BEGIN = to_epoch(datetime(2026, 1, 5, tzinfo=UTC))
ARRIVES = np.array([0, 1, 2, 3, 4, 12, 24]) * HOUR
"""Ages at which events become visible, from their hour's end on."""
ON_TIME, BY_FOUR = 0.80, 0.97
MEDIAN_TARGET = 2.0


@dataclass(frozen=True)
class Loss:
    """What is lost: a share of a device's events, in one country or in all, in hours [first, stop) of the world."""

    device: str
    country: str | None
    share: float
    first: int
    stop: int

    def inside(self, terms: tuple[str, str]) -> bool:
        return terms[0] == self.device and self.country in (None, terms[1])

    def found_by(self, incident: Incident) -> bool:
        """Whether an incident is of these cells, and told while they were lost or soon after."""
        assert incident.raised_at is not None
        named = dict(incident.cause.terms)
        same = named.get("device", self.device) == self.device
        same &= self.country is None or named.get("country", self.country) == self.country
        hour = (to_epoch(incident.raised_at) - BEGIN) / HOUR
        return same and bool(named) and self.first < hour <= self.stop + 48


@dataclass(frozen=True)
class World:
    """Hourly counts `arriving` [A, S, T] of leaves [S], parted by the age at which they become visible."""

    terms: tuple[tuple[str, str], ...]
    arriving: Ints
    losses: tuple[Loss, ...]

    @classmethod
    def of(cls, seed: int, days: int, losses: int) -> World:
        """Draw a fleet, take the losses out, and part what is left by when it arrives."""
        rng = np.random.default_rng(seed)
        terms = tuple((f"device-{d}", f"country-{c}") for d, c in product(range(DEVICES), range(COUNTRIES)))
        hours = days * 24
        volume = rng.lognormal(0.0, 0.9, DEVICES)[:, None] * rng.lognormal(0.0, 0.9, COUNTRIES)[None, :]
        mean = np.outer(volume.ravel() / volume.sum(), _rhythm(hours) * _drift(rng, hours)) * EVENTS_PER_HOUR
        counts = rng.poisson(mean * rng.gamma(50.0, 1 / 50.0, mean.shape))
        planned = tuple(_losses(rng, losses, days))
        for loss in planned:
            rows = np.flatnonzero([loss.inside(item) for item in terms])
            part = counts[rows, loss.first : loss.stop]
            counts[rows, loss.first : loss.stop] = rng.binomial(part, 1.0 - loss.share)
        on_time = np.clip(ON_TIME + rng.uniform(-0.17, 0.17, DEVICES), 0.0, BY_FOUR)
        shares = np.stack([_curve(on_time[int(device.split("-")[1])]) for device, _ in terms])
        return cls(terms, np.moveaxis(rng.multinomial(counts, shares[:, None, :]), -1, 0), planned)

    @property
    def complete(self) -> World:
        """The same with every event on time."""
        arriving = np.zeros_like(self.arriving)
        arriving[0] = self.arriving.sum(axis=0)
        return replace(self, arriving=arriving)


def _rhythm(hours: int) -> Floats:
    hour, day = np.arange(hours) % 24, np.arange(hours) // 24 % 7
    return np.asarray((1.0 - 0.5 * np.cos(2 * np.pi * (hour - 4) / 24)) * np.where(day < 5, 1.05, 0.85))


def _drift(rng: np.random.Generator, hours: int) -> Floats:
    """What moves everything at once, with a memory of hours."""
    noise = rng.normal(0.0, 0.02, hours)
    for t in range(1, hours):
        noise[t] += 0.9 * noise[t - 1]
    return np.exp(noise)


def _curve(on_time: float) -> Floats:
    """Share of the events that arrive at each age."""
    return np.array([on_time, *[(BY_FOUR - on_time) / 4] * 4, *[(1.0 - BY_FOUR) / 2] * 2])


def _losses(rng: np.random.Generator, count: int, days: int) -> Iterator[Loss]:
    """One loss after the other, at hours and of slices drawn; total, half and 30 % in turn, with a day between."""
    first = (HISTORY_DAYS + WARM_UP_DAYS) * 24
    room = (days * 24 - first) // count
    for i in range(count):
        begin = first + i * room + int(rng.integers(0, max(room - 32, 1)))
        country = f"country-{rng.integers(COUNTRIES)}" if i % 2 else None
        share = (1.0, 0.5, 0.3)[i % 3]
        yield Loss(f"device-{rng.integers(DEVICES)}", country, share, begin, begin + (6, 8, 12)[i % 3])


class Memory:
    """A source over a world that holds at `now`, or at the query's own moment, what has arrived by then."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = 0

    def count(self, query: CountQuery) -> pd.DataFrame:
        if query.arrivals is None:
            return self._frame(query, np.ones(len(ARRIVES), dtype=bool), self.now)
        now = to_epoch(query.arrivals.seen_until)
        lags = np.array([lag.total_seconds() for lag in query.arrivals.lags])
        classes = np.minimum(np.searchsorted(lags, ARRIVES), len(lags) - 1)
        parts = [self._frame(query, classes == lag, now).assign(lag=lag) for lag in range(len(lags))]
        return pd.concat([part for part in parts if len(part)] or parts[:1])

    def _frame(self, query: CountQuery, ages: NDArray[np.bool_], now: int) -> pd.DataFrame:
        first, stop = ((to_epoch(at) - BEGIN) // HOUR for at in (query.windows[0].start, query.windows[-1].end))
        hours = np.arange(max(first, 0), min(stop, self.world.arriving.shape[2]))
        starts = BEGIN + HOUR * hours
        asked = np.zeros(len(hours), dtype=bool)
        for window in query.windows:
            asked |= (starts >= to_epoch(window.start)) & (starts < to_epoch(window.end))
        there = (starts[None, :] + HOUR + ARRIVES[:, None] <= now) & ages[:, None] & asked[None, :]
        counts = (self.world.arriving[:, :, hours] * there[:, None, :]).sum(axis=0)
        rows, columns = np.nonzero(counts)
        size = int(query.bucket.total_seconds())
        at = starts[columns] // size * size
        frame = pd.DataFrame({"bucket": pd.to_datetime(at, unit="s", utc=True).as_unit("us")})
        for d, name in enumerate(DIMENSIONS):
            frame[name] = np.array([term[d] for term in self.world.terms], dtype=object)[rows]
        frame["m0"] = counts[rows, columns]
        if size == HOUR or not len(frame):
            return frame
        return frame.groupby(["bucket", *DIMENSIONS], sort=False, as_index=False).sum()

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:  # noqa: ARG002  # a Source's signature
        return tuple(Column(name, "VARCHAR", "string") for name in DIMENSIONS)

    def watermark(self, query: CountQuery) -> datetime | None:
        assert query.arrivals is not None
        return query.arrivals.seen_until

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:  # noqa: ARG002
        return None

    def cost(self, query: CountQuery) -> Cost:  # noqa: ARG002
        return Cost()

    def close(self) -> None:
        """Nothing is open."""


class NaiveEvaluator(Evaluator):
    """Judges every bucket as if nothing were ever late."""

    def _curves(self, tx: store.Tx, stop: int, terms: object, so_far: object) -> list[None]:  # type: ignore[override]  # noqa: ARG002
        return [None] * len(self.watched.rule.metrics)


RULE = Rule(
    name="events",
    source=SourceRef("memory", ("events",)),
    timestamp=Timestamp("at"),
    dimensions=DIMENSIONS,
    place=Place("benchmarks/late.yaml", 1, 1),
)


def incidents_of(world: World, rule: Rule, evaluator: type[Evaluator] = Evaluator) -> list[Incident]:
    """What a rule raises over the world, evaluated each hour once its history is read; the warm-up is left aside."""
    state, source, watched = store.Store.open("sqlite://"), Memory(world), Watched.of(rule)
    # Whoever knows arrivals from history, or ignores them, needs no time to read them himself.
    reads_itself = rule.arrived_at is None and evaluator is Evaluator and rule.detection_delay == timedelta(0)
    first = (HISTORY_DAYS + (0 if reads_itself else WARM_UP_DAYS)) * 24
    ticks = [watched.schedule.due(BEGIN + HOUR * t) for t in range(first, world.arriving.shape[2])]
    source.now = ticks[0]
    backfill = Backfill(watched, source, state)
    for _ in backfill.run(backfill.plan(watched.schedule.newest(ticks[0]), ticks[0]), ticks[0]):
        pass
    judge = evaluator(watched, source, state)
    for tick in ticks:
        source.now = tick
        judge.evaluate(to_datetime(tick))
    with state.read() as tx:
        found = store.incidents(tx, rule=rule.name, newest_first=False)
    state.close()
    after = to_datetime(BEGIN + (HISTORY_DAYS + WARM_UP_DAYS) * DAY)
    return [incident for incident in found if incident.raised_at is not None and incident.raised_at >= after]


@dataclass(frozen=True)
class Score:
    """What a way to judge came to: hours from each detected loss to its telling, and incidents that were none."""

    delays: tuple[float, ...]
    losses: int
    false: int
    days: float

    @classmethod
    def of(cls, world: World, found: list[Incident]) -> Score:
        delays = []
        for loss in world.losses:
            told = [to_epoch(i.raised_at) for i in found if i.raised_at is not None and loss.found_by(i)]
            if told:
                delays.append((min(told) - BEGIN) / HOUR - loss.first)
        false = sum(not any(loss.found_by(i) for loss in world.losses) for i in found)
        days = world.arriving.shape[2] / 24 - HISTORY_DAYS - WARM_UP_DAYS
        return cls(tuple(delays), len(world.losses), false, days)

    def __add__(self, other: Score) -> Score:
        return Score(
            (*self.delays, *other.delays), self.losses + other.losses, self.false + other.false, self.days + other.days
        )

    @property
    def median(self) -> float:
        """Of all losses: one that is never told has an endless delay."""
        every = sorted([*self.delays, *[float("inf")] * (self.losses - len(self.delays))])
        return float(np.median(every)) if every else 0.0


def scores(seed: int, days: int, losses: int) -> dict[str, Score]:
    """Each way to judge one world."""
    world = World.of(seed, days, losses)
    waiting = replace(RULE, detection_delay=timedelta(hours=24))
    runs = {
        "complete data": (world.complete, RULE, Evaluator),
        "late, with arrived_at": (world, replace(RULE, arrived_at=Timestamp("arrived_at")), Evaluator),
        "late, repeated reads": (world, RULE, Evaluator),
        "late, judged naively": (world, RULE, NaiveEvaluator),
        "late, waiting 24 h": (world, waiting, Evaluator),
    }
    return {name: Score.of(world, incidents_of(*run)) for name, run in runs.items()}


def rows_of(found: dict[str, Score]) -> Iterator[Row]:
    """The table."""
    whole = found["complete data"]
    for name, score in found.items():
        ours = name in ("late, with arrived_at", "late, repeated reads")
        delay = f"at most {MEDIAN_TARGET:g}" if ours else ""
        yield Row(f"{name}: median delay", score.median, "h", delay)
        yield Row(f"{name}: losses told", len(score.delays) / max(score.losses, 1), "share", f"of {score.losses}")
        false = f"at most {whole.false / whole.days:.2f} (complete data)" if ours else ""
        yield Row(f"{name}: false incidents", score.false / score.days, "a day", false)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed and fewer losses")
    parser.add_argument("--seeds", type=int, default=3, help="worlds, from seed 0 on")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one object per row")
    options = parser.parse_args()
    days, losses = HISTORY_DAYS + WARM_UP_DAYS + (8 if options.quick else 20), 5 if options.quick else 12
    total: dict[str, Score] = {}
    for seed in range(1 if options.quick else options.seeds):
        for name, score in scores(seed, days, losses).items():
            total[name] = total[name] + score if name in total else score
    for row in rows_of(total):
        line = f"{row.figure:<45} {row.value:>8.2f} {row.unit:<6} {row.against}"
        print(json.dumps(asdict(row)) if options.as_json else line)


if __name__ == "__main__":
    main()
