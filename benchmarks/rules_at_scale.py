"""A thousand rules of a hundred slices in one daemon: start, evaluations, what goes on between them, and a reload.

One rule is learned through the program, and its store is laid under the names of all others; then everything is the
program's own, and each figure is CPU seconds of all threads. How one rule grows to 100,000 slices is `scale.py`.

    python benchmarks/rules_at_scale.py [--rules N] [--json]
"""

# ruff: noqa: E402, SLF001  # the number of threads must be set before numpy is loaded; a daemon's steps by a driven clock

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import logging
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alerts.ports import Notifier
from benchmarks.evaluation import table
from benchmarks.rows import Row
from benchmarks.scale import peak
from benchmarks.week import Clock, Counting, Made
from monitor import store
from monitor.app import App
from monitor.buckets import to_epoch
from monitor.query import CountQuery
from monitor.scheduler import Daemon
from monitor.settings import Settings

HOUR = timedelta(hours=1)
NOON = datetime(2026, 2, 27, 12, tzinfo=UTC)
"""When the first rule was evaluated last: a Friday."""
DEVICES, COUNTRIES = 8, 10
"""Eighty leaves, eighteen values and the total: 99 slices."""
LOST = 20
"""Every so many rules one has an incident that is open."""
COPIED = ("leaf", "page", "flags", "fit", "run", "membership")

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
  - name: rule_{n:04}
    source: made.events
    timestamp: at
    dimensions: [device, country]
    severity: {severity}
"""


class Alike(Made):
    """The same counts for every rule; from `lost_from` on a device is gone for those that are asked for its loss."""

    def __post_init__(self) -> None:
        places = np.indices((DEVICES, COUNTRIES)).reshape(2, -1)
        self.columns_of = ("device", "country")
        self._names = [
            np.array([f"{name}{i}" for i in at], dtype=object) for name, at in zip("dc", places, strict=True)
        ]
        self._device = places[0]
        self._volume = np.random.default_rng(0).lognormal(3.0, 1.0, len(self._device))
        self.lost_from = to_epoch(NOON) + 10**9
        self.seconds = 0.0

    def count(self, query: CountQuery) -> pd.DataFrame:
        began = time.process_time()
        found = super().count(query)
        self.seconds += time.process_time() - began
        return found

    def _number(self, query: CountQuery) -> int:
        return len(query.measures)

    def _day(self, number: int, day: int, seconds: int) -> np.ndarray:
        rng = np.random.default_rng([number, day])
        starts = day * 86_400 + np.arange(0, 86_400, seconds)
        rhythm = 1.0 - 0.6 * np.cos(2 * np.pi * (starts // 3600 % 24 - 4) / 24)
        counts = rng.poisson(rhythm[:, None] * self._volume)
        counts[(starts >= self.lost_from)[:, None] & (self._device == 1)] = 0
        return np.asarray(counts)


@dataclass
class Bench:
    """Rules in a folder, and the daemon over them."""

    folder: Path
    rules: int
    source: Alike

    def open(self) -> App:
        receiver = Counting()

        def notifiers(settings: Settings, out: object) -> dict[str, Notifier]:  # noqa: ARG001  # as every opener
            return {"team": receiver}

        app = App.open(self.folder / "slicewatch.toml", {}, StringIO(), notifiers=notifiers)
        app._sources["made"] = self.source
        return app

    def write(self, n: int, severity: str = "warning") -> None:
        (self.folder / "rules" / f"{n:04}.yaml").write_text(RULE.format(n=n, severity=severity))

    def cpu(self, work: Callable[[], object]) -> float:
        """CPU seconds that the program takes for it, the made-up source left out."""
        source, began = self.source.seconds, time.process_time()
        work()
        return time.process_time() - began - (self.source.seconds - source)


def prepare(bench: Bench) -> Iterator[Row]:
    """One rule learned and evaluated, and the same laid under the names of the others."""
    (bench.folder / "rules").mkdir()
    (bench.folder / "slicewatch.toml").write_text(SETTINGS)
    bench.write(0)
    with bench.open() as app:
        (rule,) = app.rules.rules
        yield Row("first evaluation of a rule, history read", bench.cpu(lambda: app.tick(rule, NOON)), "CPU s")
        yield Row("store of a rule", app.state.size() / 2**20, "MiB")
    for n in range(1, bench.rules):
        bench.write(n)
    with closing(sqlite3.connect(bench.folder / "slicewatch.db")) as db, db:
        names = [(n + 1, f"rule_{n:04}") for n in range(1, bench.rules)]
        db.executemany(
            "INSERT INTO slicewatch_rule (id, name, definition) SELECT ?, ?, definition FROM slicewatch_rule WHERE id = 1",
            names,
        )
        for name in COPIED:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info(slicewatch_{name})") if row[1] != "rule"]
            listed = ", ".join(columns)
            db.executemany(
                f"INSERT INTO slicewatch_{name} (rule, {listed}) SELECT ?, {listed} FROM slicewatch_{name} WHERE rule = 1",
                [(number,) for number, _ in names],
            )


def measure(bench: Bench) -> Iterator[Row]:
    """The life of a daemon over all rules."""
    opened: list[App] = []
    yield Row("start: settings, rules and store", bench.cpu(lambda: opened.append(bench.open())), "CPU s")
    (app,) = opened
    clock = Clock(NOON + timedelta(minutes=1))
    daemon = Daemon(app, clock)
    rules = app.rules.rules
    assert len(rules) == bench.rules
    yield Row("start: what changed since", bench.cpu(lambda: app.settle(clock.now)), "CPU s")
    yield Row(
        "start: first look at all rules, nothing due", bench.cpu(lambda: [daemon._wake(r.name) for r in rules]), "CPU s"
    )
    yield Row("memory before the first evaluation", peak(), "MiB")
    for hour in range(1, 4):
        clock.now = NOON + hour * HOUR + timedelta(minutes=1)
        spent = bench.cpu(lambda: [daemon._wake(r.name) for r in rules])
        what = "first evaluation after the start" if hour == 1 else "evaluation"
        yield Row(f"hour {hour}: {what}, per rule", 1000 * spent / bench.rules, "CPU ms")
        yield Row(f"hour {hour}: memory", peak(), "MiB")
    clock.now += timedelta(seconds=15)
    yield Row(
        "a look at all rules, nothing due, per rule",
        1000 * bench.cpu(lambda: [daemon._wake(r.name) for r in rules]) / bench.rules,
        "CPU ms",
    )
    yield Row(
        "following up, no incident open", 1000 * bench.cpu(lambda: app.follow_up(clock.now)), "CPU ms", "each 15 s"
    )
    bench.source.lost_from = to_epoch(NOON + 4 * HOUR) - 3600
    clock.now = NOON + 4 * HOUR + timedelta(minutes=1)
    for rule in rules[::LOST]:
        daemon._wake(rule.name)
    with app.state.read() as tx:
        found = len(store.rules_with_open(tx))
    yield Row("incidents opened", found, "incidents", f"{len(rules[::LOST])} rules lose a device")
    yield Row(
        "following up, with these open", 1000 * bench.cpu(lambda: app.follow_up(clock.now)), "CPU ms", "each 15 s"
    )
    yield Row("looking whether a rule file changed", 1000 * bench.cpu(app.book.changed), "CPU ms", "each 2 s")
    bench.write(0, "critical")
    yield Row("reload: one file of all changed", bench.cpu(app.reload), "CPU s")
    app.close()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="one object per row")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.rules, Alike())
        rows = [*prepare(bench), *measure(bench)]
    print("\n".join(json.dumps(asdict(row)) for row in rows) if options.json else table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
