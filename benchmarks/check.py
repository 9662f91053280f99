"""What `slicewatch check` costs: 1,000 rules with every key in 50 files, cold start included, in CPU seconds.

Beside it, of the same files in the same run: a bare start of Python, and ruamel.yaml's round-trip loader, which is
what most programs with places in YAML use.

    python benchmarks/check.py [--rules N] [--files N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.rows import Row

TARGET_SECONDS = 5.0

SETTINGS = """rules = ["rules/*.yaml"]
fallback = "recs-oncall"

[sources.warehouse]
kind = "sql"
url = "sqlite:///events.db"

[receivers.recs-oncall]
kind = "console"

[receivers.recs-data]
kind = "console"
"""

HEAD = """version: 1
defaults:
  owner: recs-data
  runbook_url: https://wiki.example.com/recs/event-loss
rules:
"""

RULE = """  - name: playback_volume_{n}
    was: playback_events_{n}
    description: Playback events from clients of team {n}; feeds the label join and watch-time features.
    mode: live
    source: warehouse.events.playback_{n}
    where: env = 'prod' AND NOT is_test AND team_id = {n}
    timestamp: {{column: event_time, timezone: Europe/Oslo}}   # naive times are local
    arrived_at: ingested_at
    metrics: [count, {{sum: visits}}]
    dimensions: [device, os, country]
    depth: 2
    time_bucket: 1h
    schedule: 15m
    detection_delay: 30m
    timezone: Europe/Oslo
    slices:
      max: 20000
      expected: {{device: [ios, android, web, tv], country: [NO, SE, DK, FI]}}
      ignore: [{{device: unknown}}, {{os: bot, country: XX}}]
      new: learn
    baseline:
      lookback: 28d
      holidays: [NO, SE]
      exclude: [2026-11-01/2026-11-03, 2026-12-24]
    detector: default
    sensitivity: medium
    direction: drop
    min_change: 20%
    min_loss: 100
    for: 0
    keep_firing_for: 2
    severity: warning
    escalate: [{{drop: 90%, severity: critical}}, {{spike: 300%, severity: critical}}]
    repeat_interval: 24h
    mute: [{{cron: "0 2 * * SUN", duration: 2h, reason: weekly compaction}}]
    inhibited_by: {other}
    labels: {{tier: "1", team: recs}}
    owner: recs-data
    notify: {{warning: recs-data, critical: [recs-oncall, recs-data]}}
    runbook_url: https://wiki.example.com/recs/event-loss/{n}
    known:
      - {{name: release 7.1, from: 2026-10-07T10:00, to: 2026-10-07T16:00, slice: {{device: ios}}, kind: drop}}
    tests:
      - name: one device lost while the total is stable
        given: {{drop: {{device: ios}}, to: 0, buckets: 2, keep_total: true}}
        expect: {{firing: [{{device: ios}}]}}
"""


def write(folder: Path, rules: int, files: int) -> None:
    """A configuration of `rules` rules, spread over `files` files."""
    (folder / "slicewatch.toml").write_text(SETTINGS)
    (folder / "rules").mkdir()
    for file in range(files):
        mine = range(file, rules, files)
        written = (RULE.format(n=n, other="[playback_volume_0]" if n else "[]") for n in mine)
        (folder / "rules" / f"team_{file:03}.yaml").write_text(HEAD + "".join(written))


def child_seconds(*command: str) -> float:
    """CPU seconds of a process started anew."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def whole(folder: Path) -> float:
    """The command as a user types it."""
    config = str(folder / "slicewatch.toml")
    return child_seconds("-c", "from monitor.cli import main; main()", "check", "--config", config)


def parts(folder: Path) -> Iterator[Row]:
    """Where the time goes, step by step, in this process."""
    from monitor.checks import runnable
    from monitor.settings import load_settings
    from rules.checks import RULE_CHECKS
    from rules.load import combine
    from rules.parse import parse_rules
    from rules.yaml_text import read_yaml

    settings = load_settings(folder / "slicewatch.toml", os.environ)
    texts = {str(path): path.read_text() for path in settings.rule_paths()}
    reading = cpu_seconds(lambda: [read_yaml(text, file) for file, text in texts.items()])
    began = time.process_time()
    files = [parse_rules(text, file) for file, text in texts.items()]
    parsing = time.process_time() - began
    rules = [rule for file in files for rule in file.rules]
    checking = cpu_seconds(lambda: [list(check(rule)) for rule in rules for check in RULE_CHECKS])
    yield Row("YAML to data with places", reading, "CPU s")
    yield Row("shape and defaults", parsing - reading - checking, "CPU s")
    yield Row("lints of one rule, `where` among them", checking, "CPU s")
    yield Row(
        "sources, receivers and names over all rules", cpu_seconds(lambda: runnable(combine(files), settings)), "CPU s"
    )


def peers(folder: Path) -> Iterator[Row]:
    """The same files through ruamel.yaml's round-trip loader in pure Python, which keeps places."""
    from ruamel.yaml import YAML

    texts = [path.read_text() for path in sorted((folder / "rules").iterdir())]
    seconds = cpu_seconds(lambda: [YAML(typ="rt", pure=True).load(text) for text in texts])
    yield Row("ruamel.yaml, round trip, YAML alone", seconds, "CPU s")


def rows(rules: int, files: int) -> Iterator[Row]:
    """The table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, rules, files)
        yield Row(f"check of {rules} rules in {files} files", whole(folder), "CPU s", f"under {TARGET_SECONDS:g}")
        yield Row("Python's own start", child_seconds("-c", "pass"), "CPU s")
        yield Row(
            "start and imports of check", child_seconds("-c", "import monitor.cli, monitor.commands.check"), "CPU s"
        )
        yield from parts(folder)
        yield from peers(folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = rows(options.rules, options.files)
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
        return
    for row in found:
        print(f"{row.figure:<46} {row.value:>9.2f} {row.unit}  {row.against}", flush=True)


if __name__ == "__main__":
    main()
