"""Blind spots against drills: whether what is said to be noticed within six hours is noticed.

Slices of every size lose all their events for six hours, one at a time, in the demo's lake and in real data, each judged as
the daemon judges; beside it stands what the blind spots foresaw.

    python benchmarks/blindspots.py [--slices N] [--json]
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.rows import Row
from benchmarks.scale import show
from dashboards.drill import Agreement
from monitor import store
from monitor.app import App
from monitor.commands.demo import END
from monitor.demo import write_demo_config, write_lake
from monitor.drill import Drill, Loss, report_of, sample, scene_of
from monitor.replay import Replay
from tests.scenarios import NYC_BIKE, untouched_workspace

TARGET = "at least .85"
HOURS = 6
LEAST = 100
"""Slices on each side, caught and missed, that make a figure."""


def agreement(config: Path, at: datetime, slices: int) -> Agreement:
    """The drills of one rule."""
    with App.open(config, {}, io.StringIO(), store_url="sqlite://") as app:
        (rule,) = app.rules.rules
        state = store.Store.open("sqlite://")
        replay = Replay(rule, app.source(rule.source.source), state, at, at + timedelta(hours=HOURS))
        for _ in replay.run():
            pass
        trial = Drill(scene_of(replay), Loss(1.0, HOURS))
        state.close()
    rows = sample(trial.scene, slices, spread=True).tolist()
    return report_of(trial, list(trial.run(rows)), len(rows)).agreement


def demo(folder: Path) -> tuple[Path, datetime]:
    """The demo's lake, the day before its outage."""
    lake = write_lake(folder / "lake", seed=0, end=END, device="iphone", events=5_000_000)
    return write_demo_config(folder, lake), datetime(2026, 3, 3, 12, tzinfo=UTC)


def bikes(folder: Path) -> tuple[Path, datetime]:
    """Bike trips by zone and direction."""
    return untouched_workspace(NYC_BIKE, folder), NYC_BIKE.start + timedelta(hours=12)


def measure(slices: int) -> Iterator[Row]:
    for name, make in (("demo lake", demo), ("bike trips by zone", bikes)):
        with tempfile.TemporaryDirectory() as folder:
            found = agreement(*make(Path(folder)), slices)
        yield Row(f"{name}: caught, foreseen", found.both, "slices")
        yield Row(f"{name}: caught, not foreseen", found.unforeseen, "slices")
        yield Row(f"{name}: missed, not foreseen to be", found.promised, "slices")
        yield Row(f"{name}: missed, foreseen", found.neither, "slices")
        enough = min(found.both + found.unforeseen, found.promised + found.neither) >= LEAST
        yield Row(f"{name}: sensitivity", found.sensitivity or 0.0, "share", TARGET if enough else "")
        yield Row(f"{name}: specificity", found.specificity or 0.0, "share", TARGET if enough else "")


def table(rows: list[Row]) -> str:
    """The rows as they stand in docs/blindspots.md."""
    names = list(dict.fromkeys(row.figure.partition(": ")[0] for row in rows))
    values = {row.figure: row.value for row in rows}
    heads = ("caught, foreseen", "caught, not foreseen", "missed, not foreseen to be", "missed, foreseen")
    lines = [f"| | {' | '.join(heads)} | sensitivity | specificity |", "|---" * 7 + "|"]
    for name in names:
        counts = " | ".join(f"{values[f'{name}: {head}']:.0f}" for head in heads)
        lines.append(
            f"| {name} | {counts} | {values[f'{name}: sensitivity']:.2f} | {values[f'{name}: specificity']:.2f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=450, help="slices to lose in each")
    parser.add_argument("--json", action="store_true", help="one object per row")
    parser.add_argument("--markdown", action="store_true", help="the table of docs/blindspots.md")
    options = parser.parse_args(arguments)
    rows = list(measure(options.slices))
    if options.markdown:
        print(table(rows))
    else:
        show(rows, as_json=options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
