"""The scenarios of the real data's README through `slicewatch replay`, with its rules and nothing tuned."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from monitor.app import App
from monitor.backfill import Backfill
from monitor.evaluation import Evaluator
from monitor.query import CountQuery, Source
from monitor.replay import Replay, line_of
from tests.monitor.commands.place import PROGRAM, Place
from tests.scenarios import (
    NYC_BIKE,
    SCENARIOS,
    DataSet,
    Scenario,
    complaints,
    halve_arrivals,
    late_workspace,
    lose_zone,
    nothing,
    untouched_workspace,
    workspace,
)

pytestmark = pytest.mark.shared

CHANGING = sorted(SCENARIOS.keys() - {"W1"})


def stretch(data: DataSet) -> tuple[str, ...]:
    """The rule and the stretch that the README names."""
    return data.rule, "--from", data.start.isoformat(), "--to", data.end.isoformat()


def replayed(config: Path, data: DataSet) -> list[dict[str, Any]]:
    """The lines that `slicewatch replay --json` prints."""
    run = Place(config.parent).run("replay", *stretch(data), "--json")
    assert run.exit_code == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Callable[[DataSet], list[dict[str, Any]]]:
    """What the data as it is raises, replayed once per data set."""
    known: dict[str, list[dict[str, Any]]] = {}

    def ask(data: DataSet) -> list[dict[str, Any]]:
        if data.table not in known:
            known[data.table] = replayed(untouched_workspace(data, tmp_path_factory.mktemp(data.table)), data)
        return known[data.table]

    return ask


def grouped(name: str) -> Any:
    """Scenarios of one data set stay on one worker, and share its untouched run."""
    marks = [pytest.mark.xdist_group(SCENARIOS[name].data.table)]
    return pytest.param(SCENARIOS[name], id=name, marks=marks)


@pytest.mark.parametrize("scenario", [grouped(name) for name in CHANGING])
def test_a_change_is_told_as_what_it_is(scenario: Scenario, tmp_path, untouched):
    """Exactly one incident beside those of the untouched data: kind, cause and times as the README says."""
    raised = replayed(workspace(scenario, tmp_path), scenario.data)
    assert complaints(scenario, raised, untouched(scenario.data)) == []


LATE = {"R1": nothing, "R1+N1": lose_zone, "R1+N2": halve_arrivals}


def late_complaints(name: str, raised: list[dict[str, Any]], untouched: list[dict[str, Any]]) -> list[str]:
    """What late arrival raised beside the incidents of complete data, and what it told more than an hour later."""
    known = [one["cause"] for one in untouched]
    new = [one for one in raised if one["cause"] not in known]
    if name == "R1":
        return [f"raised {one['cause']} since {one['since']}" for one in new]
    scenario = SCENARIOS[name.removeprefix("R1+")]
    an_hour_later = replace(scenario.expected, raised_by=scenario.expected.raised_by + timedelta(hours=1))
    return complaints(replace(scenario, expected=an_hour_later), new)


LATE_NAMES = [*(pytest.param(name, marks=pytest.mark.soak) for name in ("R1", "R1+N1")), "R1+N2"]
"""By repeated reads and with a partial loss is the hardest case; the others are soak, for the time they take."""


@pytest.mark.soak
@pytest.mark.xdist_group("trips_2014")
@pytest.mark.parametrize("name", ["R1", "R1+N1", "R1+N2"])
def test_late_trips_with_their_time_of_arrival(name, tmp_path, untouched):
    """R1: nothing is told that complete data would not tell, and a loss at most an hour later."""
    config = late_workspace(LATE[name], tmp_path, arrived_at=True)
    assert late_complaints(name, replayed(config, NYC_BIKE), untouched(NYC_BIKE)) == []


class AsOf:
    """A source whose table holds at `now` what had arrived by then, and says nothing of arrivals."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner
        self.now = NYC_BIKE.start

    def count(self, query: CountQuery) -> pd.DataFrame:
        return self.inner.count(replace(query, where=f"arrived_at <= TIMESTAMP '{self.now:%Y-%m-%d %H:%M:%S}'"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def learn_and_evaluate(run: Replay, source: AsOf) -> None:
    """As `Replay.run` does, while time passes for the source."""
    ticks = run.ticks()
    source.now = ticks[0]
    first = int(ticks[0].timestamp())
    backfill = Backfill(run.watched, source, run.state)
    for _ in backfill.run(backfill.plan(run.watched.schedule.newest(first), first), first):
        pass
    evaluator = Evaluator(run.watched, source, run.state)
    for moment in ticks:
        source.now = moment
        evaluator.evaluate(moment)


@pytest.mark.xdist_group("trips_2014")
@pytest.mark.parametrize("name", LATE_NAMES)
def test_late_trips_by_repeated_reads(name, tmp_path, untouched):
    """R1 without a time of arrival, from the first contact on: the table grows between the evaluations."""
    config = late_workspace(LATE[name], tmp_path, arrived_at=False)
    with App.open(config, {}, sys.stdout, store_url="sqlite://") as app:
        (rule,) = app.rules.rules
        source = AsOf(app.source("open_data"))
        run = Replay(rule, source, app.state, NYC_BIKE.start, NYC_BIKE.end)
        learn_and_evaluate(run, source)
        raised = [line_of(incident) for incident in run.incidents()]
    assert late_complaints(name, raised, untouched(NYC_BIKE)) == []


@pytest.mark.xdist_group("os_browser")
def test_a_hurricane_is_one_loss_of_everything(tmp_path):
    """W1, as a process of its own: JSON Lines on standard output, diagnostics on the other, exit code 0."""
    scenario = SCENARIOS["W1"]
    command = [PROGRAM, "replay", "--config", str(workspace(scenario, tmp_path)), *stretch(scenario.data), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    raised = [json.loads(line) for line in run.stdout.splitlines()]
    assert complaints(scenario, raised) == []
    assert run.stderr.startswith("washington_rides: budget 1 false incidents a week")
