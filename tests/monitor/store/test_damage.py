"""A file in which bytes have changed: told with the file's name and what to do, and never taken for history."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from monitor.keeping import Retention
from monitor.retention import tidy
from monitor.store import (
    LAG_FINAL,
    Membership,
    Store,
    StoreDamagedError,
    StoreError,
    add_leaves,
    daily_sums,
    dump,
    flags,
    incidents,
    membership,
    pages,
    put_flags,
    put_membership,
    put_page,
    sum_up,
)
from tests.monitor.store.make import HOUR, START, write_tick
from tests.monitor.store.test_backup import damage

Opener = Callable[..., Store]
BUCKETS, LEAVES = 50, 300


@pytest.fixture
def place(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


def fill(url: str) -> np.ndarray:
    """Counts [S, T] in pages, and three ticks."""
    store, counts = Store.open(url), np.random.default_rng(0).integers(1, 1_000, (LEAVES, BUCKETS))
    for _ in range(3):
        write_tick(store)
    with store.write() as tx:
        ids = add_leaves(tx, "r", [(str(n),) for n in range(LEAVES)], np.zeros(LEAVES, np.int64))
        for bucket in range(BUCKETS):
            put_page(tx, "r", bucket * HOUR, ids, counts[None, :, bucket], lag=LAG_FINAL)
    store.close()
    return counts


@pytest.mark.parametrize("index", [False, True], ids=["table", "index"])
@pytest.mark.parametrize("table", ["slicewatch_page", "slicewatch_incident", "slicewatch_outbox"])
def test_a_flipped_page_is_told(sqlite_url: str, place: Path, table: str, open_store: Opener, *, index: bool) -> None:
    """By the daily look through the file: one line, the file, and what to do; nothing is taken away from such a store."""
    fill(sqlite_url)
    damage(place, table, index=index)
    store = open_store(sqlite_url)
    for ask in (store.examine, lambda: tidy(store, Retention(), [], START)):
        with pytest.raises(StoreDamagedError) as caught:
            ask()
        words = str(caught.value)
        assert f"store {sqlite_url} is damaged (" in words
        assert "`slicewatch restore FILE`" in words
        assert "`sqlite3 FILE .recover`" in words
        assert "\n" not in words


@pytest.mark.parametrize("seed", range(12))
def test_no_flipped_byte_becomes_history(sqlite_url: str, place: Path, seed: int, open_store: Opener) -> None:
    """A byte anywhere in the file: what is read is what was written, or an error; an answer is never a wrong count."""
    counts, chance = fill(sqlite_url), random.Random(seed)
    content = bytearray(place.read_bytes())
    for _ in range(20):
        at = chance.randrange(4_096, len(content))
        content[at] ^= 1 << chance.randrange(8)
    place.write_bytes(content)
    try:
        store = open_store(sqlite_url)
        with store.read() as tx:
            block = pages(tx, "r", [n * HOUR for n in range(BUCKETS)], n_leaves=LEAVES, measures=1)
    except StoreError:
        return
    known = block.known
    assert np.array_equal(block.values[0][:, known], counts[:, known])


def test_another_body_is_no_page(store: Store) -> None:
    """On both engines: its hash is not the one that was written, whether buckets are read or summed."""
    with store.write() as tx:
        ids = add_leaves(tx, "r", [("a",)], np.zeros(1, np.int64))
        for bucket in (0, 1):
            put_page(tx, "r", bucket * HOUR, ids, np.array([[bucket + 5]]), lag=LAG_FINAL)
        tx.connection.execute(
            text(
                "UPDATE slicewatch_page SET body = (SELECT body FROM slicewatch_page WHERE bucket = 0) WHERE bucket > 0"
            )
        )
    for read in (
        lambda tx: pages(tx, "r", [0, HOUR], n_leaves=1, measures=1),
        lambda tx: daily_sums(tx, "r", [0], 24 * HOUR, n_leaves=1, measures=1),
    ):
        with pytest.raises(StoreDamagedError, match="counts that are not those that were written"), store.read() as tx:
            read(tx)
    with store.read() as tx:
        before = dump(tx)
    with pytest.raises(StoreDamagedError), store.write() as tx:
        sum_up(tx, "r", 0, 24 * HOUR, 24 * HOUR)
    with store.read() as tx:
        assert dump(tx) == before


def test_bitmaps_and_texts_are_checked(store: Store) -> None:
    """Flags and membership by their checksum, incidents by their shape."""
    write_tick(store)
    with store.write() as tx:
        put_flags(tx, "playback", 0, np.arange(0, 4_000, 3, dtype=np.int32))
        put_membership(tx, "playback", Membership(1, 2, np.arange(0, 4_000, 7)))
        for table, column in (("flags", "body"), ("membership", "folded")):
            (body,) = tx.connection.execute(text(f"SELECT {column} FROM slicewatch_{table} ORDER BY 1 LIMIT 1")).one()
            wrong = bytes(body[:-6]) + bytes([body[-6] ^ 1]) + bytes(body[-5:])
            query = text(f"UPDATE slicewatch_{table} SET {column} = :wrong WHERE {column} = :body")
            tx.connection.execute(query, {"wrong": wrong, "body": body})
        tx.connection.execute(text("UPDATE slicewatch_incident SET body = substr(body, 1, 100)"))
    for read in (
        lambda tx: flags(tx, "playback", [0, HOUR], 5_000),
        lambda tx: membership(tx, "playback"),
        incidents,
    ):
        with pytest.raises(StoreDamagedError, match="is damaged"), store.read() as tx:
            read(tx)
