"""A store of 28 days of hourly pages over some thousands of slices, with its settings: what pages are measured on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.evaluation import HOUR, REFIT, RULE, Bench, Fleet, Memory, fill
from monitor import store
from monitor.buckets import DAY, to_datetime, to_epoch
from monitor.watched import Watched

LEAVES = 10_000
DAYS = 28
LOST_SINCE = 3
"""Evaluations before the newest: a device is gone since then, so that there is an incident to look at."""
HOURS = 8
"""Evaluations after the midnight at which the rule learned."""

TOML = """\
rules = ["playback.yaml"]

[store]
url = "sqlite:///slicewatch.db"

[sources.memory]
kind = "duckdb"
tables.playback = "never-read/*.parquet"

[receivers.terminal]
kind = "console"

[web]
"""
YAML = f"""\
rules:
  - name: {RULE.name}
    source: memory.playback
    timestamp: at
    dimensions: [{", ".join(RULE.dimensions)}]
    severity: critical
"""


@dataclass(frozen=True)
class Filled:
    """A folder with settings, a rule and a store, as they stand at `now`; ticks can go on from there."""

    folder: Path
    now: datetime
    bench: Bench
    source: Memory
    hours: int
    """Evaluations after the refit's that were made."""

    @property
    def config(self) -> Path:
        return self.folder / "slicewatch.toml"


@contextmanager
def filled(folder: Path, leaves: int = LEAVES, *, more_hours: int = 0) -> Iterator[Filled]:
    """The store, evaluated until some hours after its refit; `more_hours` of counts are there to go on with."""
    (folder / "slicewatch.toml").write_text(TOML)
    (folder / "playback.yaml").write_text(YAML)
    first = to_epoch(REFIT) - (DAYS + 1) * DAY
    fleet = Fleet.of(leaves, (DAYS + 1) * 24 + HOURS + 2 + more_hours, first, seed=0)
    lost = to_epoch(REFIT) + (HOURS - LOST_SINCE) * HOUR
    fleet = fleet.without(fleet.terms[0][0], lost)
    state = store.Store.open(f"sqlite:///{folder / 'slicewatch.db'}")
    watched = Watched.of(RULE)
    try:
        fill(state, watched, fleet, to_datetime(to_epoch(REFIT) - HOUR))
        bench, source = Bench(watched, fleet, state), Memory(fleet)
        evaluator = bench.evaluator(source)
        for hours in range(-1, HOURS + 1):
            bench.tick(evaluator, source, hours)
        now = to_datetime(watched.schedule.due(to_epoch(REFIT) + HOURS * HOUR))
        yield Filled(folder, now, bench, source, HOURS)
    finally:
        state.close()
