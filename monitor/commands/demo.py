"""`slicewatch demo`: the story the program exists for, on a lake it writes itself."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from alerts.model import Incident, Series
from monitor import store
from monitor.app import App
from monitor.commands import HELP
from monitor.commands.common import progress
from monitor.demo import DEFAULT_DEVICE, DEVICE_NAMES, Lake, is_demo, write_demo_config, write_lake
from monitor.replay import line_of
from rules.model import Rule

END = datetime(2026, 3, 4, 18, tzinfo=UTC)
"""The demo's own present: a Wednesday evening, so that every run tells the same story."""
QUIET_HOURS = 2
"""Evaluations before the outage: nothing is to be told then."""


@click.command("demo", context_settings=HELP)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where to write.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another lake.")
@click.option(
    "--device", type=click.Choice(DEVICE_NAMES), default=DEFAULT_DEVICE, show_default=True, help="What breaks."
)
@click.option(
    "--events", type=click.IntRange(min=100_000), default=5_000_000, show_default=True, help="Size of the lake."
)
@click.option("--config", type=click.Path(path_type=Path), hidden=True, help="Accepted for all commands.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per incident instead of the story.")
def demo(folder: Path, seed: int, device: str, events: int, config: Path | None, *, as_json: bool) -> None:  # noqa: ARG001  # every command takes --config
    """Write a small lake of events, break one device while the total stays stable, and watch it.

    The lake, the configuration and the store stay in the folder, to look at and to try things on.
    """
    _make_room(folder)
    if not as_json:
        click.echo(f"writing about {events:,} events over 35 days to {folder / 'lake'} ...", err=True)
    with progress("lake") as show:
        lake = write_lake(
            folder / "lake", seed=seed, end=END, device=device, events=events, campaign=_campaign(device), progress=show
        )
    path = write_demo_config(folder, lake)
    out = sys.stderr if as_json else sys.stdout
    with App.open(path, {}, out) as app:
        incidents = run_story(app, lake, quiet=as_json)
    if as_json:
        for incident in incidents:
            click.echo(json.dumps(line_of(incident), ensure_ascii=False))
    else:
        click.echo(epilogue(lake, incidents, path))


def run_story(app: App, lake: Lake, *, quiet: bool = False) -> list[Incident]:
    """Evaluate every hour from before the outage to the lake's end, and deliver; returns what fired."""
    (rule,) = app.rules.rules
    ticks = _ticks(lake)
    plan = app.missing_history(rule, ticks[0])
    if not quiet:
        click.echo(plan.describe(rule.name), err=True)
    with progress("history") as show:
        app.learn(rule, plan, ticks[0], show)
    with progress("hours") as show:
        for done, tick in enumerate(ticks, 1):
            _hour(app, rule, tick)
            show(done, len(ticks))
    with app.state.read() as tx:
        found = store.incidents(tx, rule=rule.name, newest_first=False)
    return [incident for incident in found if incident.raised_at is not None]


def _hour(app: App, rule: Rule, tick: datetime) -> None:
    """One evaluation and its deliveries, on the demo's own clock: waits pass at once."""
    app.tick(rule, tick)
    clock = _Clock(tick)
    app.deliver(clock.now, clock.wait, tick + timedelta(minutes=5), "demo")


class _Clock:
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def wait(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


def _ticks(lake: Lake) -> list[datetime]:
    hour = timedelta(hours=1)
    first = lake.outage_start - QUIET_HOURS * hour
    count = int((lake.end - first) / hour)
    return [first + hour * (i + 1) for i in range(count)]


def _campaign(device: str) -> list[str]:
    """Every second of the other devices grows; the rest stay as they are, and the message can say so."""
    return [name for name in DEVICE_NAMES if name != device][::2]


def _make_room(folder: Path) -> None:
    """Only what a demo wrote is removed."""
    if folder.exists() and any(folder.iterdir()) and not is_demo(folder):
        raise click.UsageError(f"{folder} is not empty and holds no demo: choose another --folder")
    for part in ("lake", "rules"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for file in folder.glob("slicewatch.db*"):
        file.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def epilogue(lake: Lake, incidents: Sequence[Incident], config: Path) -> str:
    """What the total did meanwhile, hour by hour, and where to look next."""
    lines = [f"\n{len(incidents)} incident" + ("" if len(incidents) == 1 else "s") + " raised."]
    main = next((i for i in incidents if i.evidence is not None), None)
    if main is not None and main.evidence is not None and main.evidence.series and main.evidence.total_series:
        lines += ["", "Meanwhile, hour by hour (observed / expected):"]
        lines += _table(main.cause.label(), main.evidence.series, main.evidence.total_series)
        lines += ["", f"{lake.lost:,} events of {lake.device} never came, and the total looked as on any other day."]
    lines += [
        "",
        "Where to look next:",
        f"  slicewatch status --config {config}",
        f"  slicewatch replay --config {config} --from {lake.end - timedelta(days=2):%Y-%m-%d} --to {lake.end:%Y-%m-%dT%H:00}",
        f"  {config.parent / 'rules' / 'playback.yaml'}, the rule: what it does not say is the default",
        f"  slicewatch demo --device {_another(lake.device)} --seed 7",
    ]
    return "\n".join(lines)


def _another(device: str) -> str:
    return next(name for name in DEVICE_NAMES[2:] if name != device)


def _table(name: str, cause: Series, total: Series) -> list[str]:
    shown = list(zip(cause.starts, cause.observed, cause.expected, total.observed, total.expected, strict=True))[-9:]
    width = max(len(name), 22)
    rows = [f"  {'hour (UTC)':<18}{name:>{width}}{'total':>24}"]
    for start, seen, mu, all_seen, all_mu in shown:
        rows.append(f"  {start:%Y-%m-%d %H:%M}  {_pair(seen, mu):>{width}}{_pair(all_seen, all_mu):>24}")
    return rows


def _pair(seen: float | None, mu: float | None) -> str:
    return "unknown" if seen is None or mu is None else f"{seen:,.0f} / {mu:,.0f}"
