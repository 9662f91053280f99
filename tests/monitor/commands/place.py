"""A folder as a user has it: settings, one rule, a small lake; and the command line run in it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner, Result

from monitor import store
from monitor.cli import slicewatch

PROGRAM = str(Path(sys.executable).with_name("slicewatch"))
"""The console script, for tests that need a process of its own."""
HOUR = timedelta(hours=1)
END = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""The first moment without data: a Wednesday noon."""
OUTAGE = (END - 6 * HOUR, END - 3 * HOUR)
MEANS = {"ios": 400, "android": 300, "web": 200, "tv": 100, None: 60, "(other)": 40}
"""Events an hour and country, by device; NULL and the word "(other)" are values like others."""
COUNTRIES = ("NO", "SE", "US")

TOML = """\
rules = ["rules/*.yaml"]

[store]
url = "sqlite:///slicewatch.db"

[sources.lake]
kind = "duckdb"
tables.playback = "lake/*.parquet"

[receivers.terminal]
kind = "console"
"""

RULE = """\
rules:
  - name: playback_volume
    source: lake.playback
    timestamp: event_time
    metrics: [{sum: events}]
    dimensions: [device, country]
    severity: critical
    owner: recs-data
"""


def events(end: datetime, days: float = 35, *, lost: str | None = "ios", outage: tuple[datetime, datetime] = OUTAGE):
    """One row per hour, device and country. The lost device has none within the outage; the others have as many more."""
    rng = np.random.default_rng(1)
    hours = pd.date_range(end - timedelta(days=days), end, freq="h", inclusive="left").tz_localize(None)
    cells = [(device, country, mean) for device, mean in MEANS.items() for country in COUNTRIES]
    mean = (1 + 0.5 * np.sin(hours.hour.to_numpy() * np.pi / 12))[:, None] * np.array([cell[2] for cell in cells])
    counts = rng.poisson(mean)
    gone = np.array([cell[0] == lost for cell in cells])
    begin, stop = (pd.Timestamp(moment).tz_localize(None) for moment in outage)
    inside = np.asarray((hours >= begin) & (hours < stop))
    shares = np.where(gone, 0.0, mean[0]) / mean[0][~gone].sum()
    counts[inside] += rng.multinomial(counts[inside][:, gone].sum(axis=1), shares)
    counts[np.ix_(inside, gone)] = 0
    rows = [
        (hour, device, country, int(counts[h, c]))
        for h, hour in enumerate(hours)
        for c, (device, country, _) in enumerate(cells)
        if counts[h, c]
    ]
    return pd.DataFrame(rows, columns=["event_time", "device", "country", "events"])


@dataclass(frozen=True)
class Place:
    """A folder with a `slicewatch.toml`, and the command line run on it."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "slicewatch.toml"

    def run(self, command: str, *args: str, **env: str) -> Result:
        """`slicewatch COMMAND --config ... ARGS`; an exception that is no exit fails the test."""
        result = CliRunner(env=env).invoke(slicewatch, [command, "--config", str(self.config), *args])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def lines(self, command: str, *args: str, **env: str) -> list[dict[str, Any]]:
        """What `--json` prints on standard output: every line of it is an object."""
        return [json.loads(line) for line in self.run(command, *args, "--json", **env).stdout.splitlines()]

    def write(self, name: str, text: str) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write_events(self, frame: pd.DataFrame) -> None:
        """Replace the lake."""
        (self.folder / "lake").mkdir(exist_ok=True)
        frame.to_parquet(self.folder / "lake" / "events.parquet", index=False)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """The store, row by row."""
        state = store.Store.open(f"sqlite:///{self.folder / 'slicewatch.db'}")
        try:
            with state.read() as tx:
                return store.dump(tx)
        finally:
            state.close()


def at(moment: datetime) -> tuple[str, str]:
    """`--at` and a time."""
    return "--at", moment.isoformat()
