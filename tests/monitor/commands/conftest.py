"""Folders with a lake: one fresh, one whose history is learned, and one that has told of an outage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.monitor.commands.place import END, OUTAGE, RULE, TOML, Place, at, events


@pytest.fixture(scope="session")
def _fresh(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("place"))
    place.write("slicewatch.toml", TOML)
    place.write("rules/playback.yaml", RULE)
    place.write_events(events(END))
    return place


@pytest.fixture(scope="session")
def _told(_fresh: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = _copy(_fresh, tmp_path_factory.mktemp("told") / "place")
    for tick in (OUTAGE[0], OUTAGE[1]):
        assert place.run("once", *at(tick)).exit_code == 0
    return place


@pytest.fixture
def fresh(_fresh: Place, tmp_path: Path) -> Place:
    """A lake, a rule, and no store yet."""
    return _copy(_fresh, tmp_path / "fresh")


@pytest.fixture
def told(_told: Place, tmp_path: Path) -> Place:
    """The same, evaluated when the outage began and when it ended: one incident is open."""
    return _copy(_told, tmp_path / "told")


def _copy(place: Place, folder: Path) -> Place:
    shutil.copytree(place.folder, folder)
    return Place(folder)
