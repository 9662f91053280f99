"""A PostgreSQL of this folder's own: its tests stop it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.replicas.server import Server, postgres_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Up before and after each test."""
    with postgres_server() as made:
        yield made
