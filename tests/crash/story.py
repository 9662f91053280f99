"""The story that is told with and without crashes: a device goes dark by and by, and comes back after midnight."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

HOUR = timedelta(hours=1)
DEVICES = {"ios": 300, "android": 450, "web": 220, "tv": 200}
"""Events an hour of the largest country."""
COUNTRIES = {"NO": 1.0, "SE": 0.7, "DK": 0.5}
HISTORY_DAYS = 29
"""Four weeks, and the day that the first midnight reaches back to."""

DARK_FROM = datetime(2026, 3, 4, 22, tzinfo=UTC)
"""From here on one country of `ios` sends nothing, and an hour later all of them."""
DARK_HOURS = 2
TICKS = tuple(DARK_FROM + n * HOUR for n in range(4))
"""Evaluations: all is well; one country is dark; all are; the return after midnight, judged by a new baseline."""

RULE = """\
rules:
  - name: playback
    source: {table}
    timestamp: event_time
    metrics: [{metric}]
    dimensions: [device, country]
    severity: critical
    baseline: {{lookback: {lookback}}}
    keep_firing_for: 1
"""
LAKE = """\
[sources.lake]
kind = "duckdb"
tables.playback = "{lake}/*.parquet"
"""
SETTINGS = """\
rules = ["rules/*.yaml"]

[store]
url = "sqlite:///slicewatch.db"

{source}
[receivers.oncall]
kind = "slack"
channel = "#oncall"
token = {{env = "SLACK_TOKEN"}}
base_url = "{slack}"
"""


HOURLY = """\
[sources.warehouse]
kind = "sql"
url = "sqlite:///{file}"
timeout = "1s"
"""


def write_config(folder: Path, slack: str, source: str, *, lookback: str = "28d") -> Path:
    """A configuration in `folder` with one rule over `source` (a piece of TOML) that tells the Slack at `slack`."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    hourly = "warehouse" in source
    rule = RULE.format(
        table="warehouse.playback" if hourly else "lake.playback",
        metric="{sum: events}" if hourly else "count",
        lookback=lookback,
    )
    (folder / "rules" / "playback.yaml").write_text(rule, encoding="utf-8")
    config = folder / "slicewatch.toml"
    config.write_text(SETTINGS.format(slack=slack, source=source), encoding="utf-8")
    return config


def write_lake(folder: Path, dark_from: datetime = DARK_FROM) -> str:
    """Write the story's events as one Parquet file; returns the source's part of a configuration."""
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({events(dark_from)}) TO '{folder / 'events.parquet'}' (FORMAT parquet)")
    return LAKE.format(lake=folder)


def write_warehouse(file: Path) -> str:
    """Write the story's events as hourly sums in a SQLite file, read through a view; returns the source's part."""
    hourly = "SELECT strftime(date_trunc('hour', event_time), '%Y-%m-%d %H:%M:%S'), device, country, count(*)"
    with duckdb.connect() as source:
        rows = source.execute(f"{hourly} FROM ({events()}) GROUP BY ALL").fetchall()
    with closing(sqlite3.connect(file)) as target, target:
        target.execute("CREATE TABLE hourly (event_time TIMESTAMP, device TEXT, country TEXT, events INTEGER)")
        target.executemany("INSERT INTO hourly VALUES (?, ?, ?, ?)", rows)
        target.execute("CREATE VIEW playback AS SELECT * FROM hourly")
    return HOURLY.format(file=file)


def events(dark_from: datetime = DARK_FROM) -> str:
    """A query in DuckDB's SQL that makes the events (event_time, device, country), the same ones at every call.

    They end ten hours after `dark_from`; the rhythm is that of a day, with a little noise.
    """
    start = dark_from.replace(hour=0) - HISTORY_DAYS * 24 * HOUR
    hours = int((dark_from - start) / HOUR) + 10
    dark, all_dark, light = (f"{dark_from + n * HOUR:%Y-%m-%d %H:%M}" for n in (0, 1, DARK_HOURS))
    return f"""
    WITH hour AS (SELECT h, TIMESTAMP '{start:%Y-%m-%d}' + INTERVAL 1 HOUR * h AS began FROM range({hours}) t(h)),
         leaf AS (SELECT * FROM (VALUES {_rows(DEVICES)}) d(device, size), (VALUES {_rows(COUNTRIES)}) c(country, share)),
         cell AS (SELECT *, size * share * (1 + 0.4 * sin(2 * pi() * h / 24)) AS mean,
                         (hash(device || country || h::VARCHAR) % 1000) / 1000.0 - 0.5 AS noise
                  FROM hour, leaf
                  WHERE device <> 'ios' OR began < '{dark}' OR began >= '{light}' OR (began < '{all_dark}' AND country <> 'NO'))
    SELECT began + INTERVAL 2 SECOND * n AS event_time, device, country
    FROM (SELECT *, unnest(range((mean + noise * 2 * sqrt(mean))::BIGINT)) AS n FROM cell)
    ORDER BY event_time, device, country
    """


def _rows(sizes: Mapping[str, float]) -> str:
    return ", ".join(f"('{name}', {number})" for name, number in sizes.items())
