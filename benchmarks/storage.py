"""What a store takes: bytes of each kind of row in a SQLite file, beside the constants of `monitor/store_size.py`.

Pages of drawn counts are measured by leaves and events; all else is taken from a rule that was evaluated for two days
with three incidents.

    python benchmarks/storage.py [--json]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.rows import Row
from monitor import store, store_size
from tests.monitor.ticks import Ticks
from tests.monitor.world import world

LEAVES = (5, 100, 300, 1_000, 2_000, 4_096, 20_000)
EVENTS = (1, 10, 100, 1_000)
"""Mean events of a leaf and bucket; leaves differ by factors."""
VALUES = {"device": 8, "version": 10, "country": 5}
VOLUME = 50_000.0
FIRST, HOURS = 29 * 24, 48


def page_rows(folder: Path) -> Iterator[Row]:
    """A bucket's bytes, by leaves and events."""
    for leaves in LEAVES:
        for events in EVENTS:
            file, buckets = folder / f"{leaves}-{events}.db", 200 if leaves < 5_000 else 40
            fill(file, leaves, events, buckets)
            found = sizes(file)["slicewatch_page"] / buckets
            wanted = store_size.page_bytes(leaves, leaves * events)
            yield Row(f"a bucket of {leaves:,} leaves, {events:,} events each", found, "bytes", f"{wanted:,.0f}")


def fill(file: Path, leaves: int, events: float, buckets: int) -> None:
    """Pages of over-dispersed counts of leaves of very different sizes."""
    rng = np.random.default_rng(0)
    volume = rng.lognormal(0.0, 1.0, leaves)
    volume *= events / volume.mean()
    state = store.Store.open(f"sqlite:///{file}")
    with state.write() as tx:
        for bucket in range(buckets):
            rhythm = 1.0 + 0.5 * np.sin(bucket / 4)
            counts = rng.poisson(volume * rng.standard_gamma(20.0, leaves) / 20.0 * rhythm)
            ids = np.flatnonzero(counts).astype(np.int32)
            store.put_page(tx, "r", bucket * 3_600, ids, counts[None, ids].astype(np.int64), lag=store.LAG_FINAL)
    state.close()


def sizes(file: Path) -> dict[str, int]:
    """Bytes of each table with its indexes."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        tables = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master").fetchall())
        found: dict[str, int] = {}
        for name, size in connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
            table = tables.get(name, name)
            found[table] = found.get(table, 0) + size
    return found


def rule_rows(folder: Path) -> Iterator[Row]:
    """What a rule leaves behind, row by row."""
    names = {name: tuple(f"{name}-value-{i}" for i in range(count)) for name, count in VALUES.items()}
    made = world(names, days=32, volume=VOLUME)
    made = made.scaled(0, FIRST + 5, FIRST + 10, device="device-value-1")
    made = made.scaled(0.3, FIRST + 20, FIRST + 28, version="version-value-2")
    made = made.scaled(0, FIRST + 32, FIRST + 36, device="device-value-0", version="version-value-0")
    file = folder / "rule.db"
    state = store.Store.open(f"sqlite:///{file}")
    Ticks.over(made, state).learn(FIRST).run(range(FIRST, FIRST + HOURS))
    state.close()
    found, leaves, slices = sizes(file), len(made.terms), len(made.lattice())
    fit = store_size.FIT + store_size.FIT_LEAF * leaves + store_size.FIT_SLICE * slices
    for table, name, wanted in (
        ("leaf", "a leaf", store_size.LEAF),
        ("fit", f"a fit of {leaves} leaves, {slices} slices", fit),
        ("incident", "an incident", store_size.INCIDENT),
        ("transition", "a step of an incident", store_size.STEP),
        ("outbox", "a message", store_size.MESSAGE),
    ):
        with closing(sqlite3.connect(file)) as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM slicewatch_{table}").fetchone()
        yield Row(name, found[f"slicewatch_{table}"] / count, "bytes", f"{wanted:,}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object a line")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for rows in (page_rows(Path(folder)), rule_rows(Path(folder))):
            for row in rows:
                line = (
                    json.dumps(asdict(row))
                    if asked.json
                    else f"{row.figure:48} {row.value:12,.0f}  formula {row.against}"
                )
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
