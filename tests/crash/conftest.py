"""Stories told once, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.bench import Bench, WatchedSlack, bench
from tests.crash.place import Place
from tests.crash.story import TICKS, write_lake
from tests.crash.undisturbed import Undisturbed, tell


@dataclass(frozen=True)
class Stage:
    """A bench, and what its story comes to undisturbed."""

    bench: Bench
    undisturbed: Undisturbed


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The story's events, as the source's part of a configuration."""
    return write_lake(tmp_path_factory.mktemp("lake") / "events")


@pytest.fixture(scope="session")
def incident(lake: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Four weeks of history, then an incident from its first hour to its end."""
    with bench(tmp_path_factory.mktemp("incident"), lake, lookback="28d") as on:
        yield Stage(on, tell(on, TICKS))


@pytest.fixture(scope="session")
def history(lake: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A new store: a few days of history and the first evaluation."""
    with bench(tmp_path_factory.mktemp("history"), lake, lookback="3d") as on:
        yield Stage(on, tell(on, TICKS[:1]))


@pytest.fixture
def slack() -> Iterator[WatchedSlack]:
    """A Slack that answers."""
    with WatchedSlack() as standin:
        yield standin


@pytest.fixture
def place(incident: Stage, lake: str, slack: WatchedSlack, tmp_path: Path) -> Callable[[int], Place]:
    """A folder of one's own where the incident's story stands before its n-th evaluation."""

    def make(number: int) -> Place:
        return Place.at(tmp_path, slack, lake, incident.undisturbed.stretches[number].begin)

    return make
