"""The scenarios of the real data's README through `slicewatch replay`, with its rules and nothing tuned."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.commands.place import PROGRAM, Place
from tests.scenarios import SCENARIOS, DataSet, Scenario, complaints, untouched_workspace, workspace

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


@pytest.mark.xdist_group("os_browser")
def test_a_hurricane_is_one_loss_of_everything(tmp_path):
    """W1, as a process of its own: JSON Lines on standard output, diagnostics on the other, exit code 0."""
    scenario = SCENARIOS["W1"]
    command = [PROGRAM, "replay", "--config", str(workspace(scenario, tmp_path)), *stretch(scenario.data), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    raised = [json.loads(line) for line in run.stdout.splitlines()]
    assert complaints(scenario, raised) == []
    assert run.stderr.startswith("washington_rides: budget 1 false incidents a week")
