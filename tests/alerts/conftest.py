"""Fixtures of the tests of alerts."""

from collections.abc import Iterator

import pytest

from tests.standins.slack import SlackStandin


@pytest.fixture
def slack() -> Iterator[SlackStandin]:
    """A running Slack stand-in."""
    with SlackStandin() as standin:
        yield standin
