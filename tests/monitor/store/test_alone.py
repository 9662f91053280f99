"""Turns: what one daemon at a time is enough for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest

from monitor.chores import Chore, Round
from monitor.store import Store, StoreError

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_one_of_two_has_the_turn_and_the_other_is_told(postgres: str, open_store: Callable[..., Store]) -> None:
    """Another name is another turn, and what was given back can be taken."""
    one, two = open_store(postgres), open_store(postgres)
    with one.alone("digest") as first, two.alone("digest") as second, two.alone("canary") as other:
        assert (first, second, other) == (True, False, True)
    with two.alone("digest") as again:
        assert again


def test_a_turn_ends_with_its_connection(postgres: str, open_store: Callable[..., Store]) -> None:
    """Whoever dies holds up nobody, and hears that the store failed at its next statement only."""
    one, two = open_store(postgres), open_store(postgres)
    with one.alone("digest"):
        with psycopg.connect(postgres, autocommit=True) as server:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            while server.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() != (0,):
                pass
        with two.alone("digest") as ours:
            assert ours
    with one.alone("digest") as ours:
        assert ours


def test_a_daemon_on_a_file_is_always_alone(sqlite_url: str, open_store: Callable[..., Store]) -> None:
    """There is one on each file; nothing is asked of the store."""
    state = open_store(sqlite_url)
    with state.alone("digest") as first, state.alone("digest") as second:
        assert first
        assert second


@pytest.mark.parametrize("alone", [True, False])
def test_a_chore_for_one_is_left_to_whoever_is_at_it(
    postgres: str, open_store: Callable[..., Store], *, alone: bool
) -> None:
    """The other daemon does not do it meanwhile, and does it at its next time; other chores know nothing of turns."""
    one, two = open_store(postgres), open_store(postgres)
    done: list[datetime] = []
    chore = Chore("retention", 60.0, done.append, "it waits", alone=alone)
    other = Round(chore, lambda: NOW, threading.Event(), lambda: None, two.alone)
    with one.alone("retention"):
        other.once()
    assert done == ([] if alone else [NOW])
    other.once()
    assert done[-1:] == [NOW]


def test_an_error_of_the_work_is_the_works_own(postgres: str, open_store: Callable[..., Store]) -> None:
    """It leaves as it is, and the turn is given back."""
    one, two = open_store(postgres), open_store(postgres)

    def fail() -> None:
        with one.alone("digest"):
            raise StoreError("its own")

    with pytest.raises(StoreError, match="its own"):
        fail()
    with two.alone("digest") as ours:
        assert ours
