"""What holds for every test: how much of the input space a property looks at, and that no test's log is another's."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

WAITING = ("tests/replicas/", "tests/chaos/", "tests/test_week.py")
SUITE, SOAK = 40, 400
"""Examples of each property that does not say how many it needs."""


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis' own number is 100."""
    whole = config.getoption("markexpr", "") == "soak"
    settings.register_profile("slicewatch", max_examples=SOAK if whole else SUITE, deadline=None)
    settings.load_profile("slicewatch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that mostly wait, for minutes, begin first: else all others have ended, and wait for them."""
    items.sort(key=lambda item: not item.nodeid.startswith(WAITING))


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """What a command that ran in this process set up of the log, and keeps out of it, ends with its test."""
    ours = logging.getLogger("slicewatch")
    ours.handlers = []
    yield
    ours.handlers = []
