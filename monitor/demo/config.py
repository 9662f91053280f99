"""Writes the demo's configuration: one `slicewatch.toml`, one rule."""

from __future__ import annotations

import json
import os
from pathlib import Path

from monitor.demo.lake import Lake

MARK = "# Written by `slicewatch demo`, which replaces this file, lake, rules and store when it is run again."
TOML = f"""\
{MARK}
rules = ["rules/*.yaml"]

[store]
url = "sqlite:///slicewatch.db"

[sources.lake]
kind = "duckdb"
tables.playback = {{files}}

[receivers.console]
kind = "console"
"""

RULE = """\
rules:
  - name: playback_volume
    description: Playback events from clients; feeds the label join and watch-time features.
    source: lake.playback
    timestamp: event_time
    dimensions: [device, os, country, app_version]
    severity: critical
    owner: recs-data
    notify: console
"""


def write_demo_config(folder: Path, lake: Lake) -> Path:
    """Write `slicewatch.toml` and `rules/playback.yaml` to `folder`; returns the former's path."""
    files = Path(os.path.relpath(lake.folder, folder)).as_posix() + "/" + lake.pattern
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "rules" / "playback.yaml").write_text(RULE, encoding="utf-8")
    config = folder / "slicewatch.toml"
    config.write_text(TOML.format(files=json.dumps(files, ensure_ascii=False)), encoding="utf-8")
    return config


def is_demo(folder: Path) -> bool:
    """Whether a demo wrote this folder, so that another one may replace it."""
    config = folder / "slicewatch.toml"
    return config.is_file() and config.read_text(encoding="utf-8", errors="replace").startswith(MARK)
