"""Several replicas on one outbox: no two hold one message, and a thread keeps its order."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from alerts.model import Receipt
from alerts.ports import Lane, Part
from monitor.store import SqlOutbox, Store, enqueue, outbox_counts
from monitor.store.advisory import take_thread
from tests.contracts.outbox_contract import message

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
LANE = Lane("team", Part.TEXT)
THREADS, MESSAGES, REPLICAS = 6, 25, 4


@dataclass
class Watching:
    """What is being sent, seen from outside: the first thing that is not as it should be is kept."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sending: set[str] = field(default_factory=set)
    sent: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)

    def begin(self, key: str) -> None:
        with self.lock:
            if key in self.sending:
                self.wrong.append(f"{key} is sent by two at once")
            self.sending.add(key)

    def end(self, key: str, seq: int) -> None:
        with self.lock:
            self.sending.discard(key)
            self.sent[key].append(seq)


def replica(state: Store, name: str, watching: Watching, over: threading.Event) -> None:
    """Claims, sends in a moment, and settles, until nothing is left once all is queued."""
    box, chance = SqlOutbox(state), random.Random(name)
    while True:
        ended = over.is_set()
        delivery = box.claim(NOW, name, 60.0, LANE)
        if delivery is None:
            if ended and box.next_due(NOW, LANE) is None:
                return
            continue
        watching.begin(delivery.message.key)
        time.sleep(chance.random() / 500)
        watching.end(delivery.message.key, delivery.message.seq)
        if chance.random() < 0.2:
            box.retry(delivery, NOW, "again", counts=True)
        else:
            box.done(delivery, Receipt(), NOW)
        if chance.random() < 0.1:
            box.rest(LANE, NOW, NOW - timedelta(seconds=1))


def test_replicas_share_an_outbox(url: str, open_store: Callable[..., Store]) -> None:
    """Messages of a thread are sent one at a time, in order, while others queue more; nothing is left or sent twice."""
    stores, over, watching = [open_store(url) for _ in range(REPLICAS)], threading.Event(), Watching()
    errors: list[BaseException] = []

    def guarded(*args: object) -> None:
        try:
            replica(*args)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(state, str(n), watching, over)) for n, state in enumerate(stores)]
    for thread in threads:
        thread.start()
    for seq in range(1, MESSAGES + 1):
        for key in range(THREADS):
            with stores[0].write() as tx:
                enqueue(tx, message(f"sw-{key}", seq), "team", [Part.TEXT], NOW)
    over.set()
    for thread in threads:
        thread.join(120)
    assert errors == []
    assert watching.wrong == []
    with stores[0].read() as tx:
        counts = outbox_counts(tx)
    assert (counts.queued, counts.dead) == (0, 0)
    assert counts.done + counts.merged == THREADS * MESSAGES
    for key, seqs in watching.sent.items():
        assert seqs == sorted(seqs), key
        assert seqs[-1] == MESSAGES, "the newest was told"


def test_an_older_message_that_comes_late_waits_for_what_is_sent(store: Store, engine: str) -> None:
    """Rerouted here while a newer one of its thread is being handed out, which its claim cannot see yet: it waits."""
    if engine == "sqlite":
        pytest.skip("one transaction writes at a time")
    box, found = SqlOutbox(store), []
    with store.write() as tx:
        enqueue(tx, message("sw-1", 5), "team", [Part.TEXT], NOW)
    other = threading.Thread(target=lambda: found.append(box.claim(NOW, "two", 60.0, LANE)))
    with store.write() as tx:
        tx.connection.execute(text("UPDATE slicewatch_outbox SET owner = 'one', lease_until = 9000000000000000"))
        with store.write() as rerouted:
            enqueue(rerouted, message("sw-1", 2), "team", [Part.TEXT], NOW)
        other.start()
        while not _waits(store):
            time.sleep(0.01)
    other.join()
    assert found == [None]


def _waits(store: Store) -> bool:
    with store.read() as tx:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(tx.connection.execute(text(waiting)).scalar())


def test_who_comes_second_to_a_thread_steps_back(store: Store, engine: str) -> None:
    """Two that each wait for what the other has would end in an error; other threads are not held up."""
    if engine == "sqlite":
        pytest.skip("one transaction writes at a time")
    box = SqlOutbox(store)
    with store.write() as tx:
        for key in ("sw-1", "sw-2"):
            enqueue(tx, message(key), "team", [Part.TEXT], NOW)
    with store.write() as tx:
        assert take_thread(tx.connection, "sw-1", "team")
        tx.connection.execute(text("SELECT * FROM slicewatch_outbox WHERE incident = 'sw-1' FOR UPDATE"))
        delivery = box.claim(NOW, "two", 60.0, LANE)
        assert delivery is not None
        assert delivery.message.key == "sw-2"
    with store.write() as tx:
        assert take_thread(tx.connection, "sw-1", "team")
        assert box.claim(NOW, "two", 60.0, LANE) is None
    assert box.claim(NOW, "two", 60.0, LANE) is not None


def test_a_clock_that_went_back_sends_what_waits_all_the_same(store: Store) -> None:
    """What was queued, held or to be tried again by the later clock is not an hour away."""
    box, hour = SqlOutbox(store), timedelta(hours=1)
    later = NOW + hour
    with store.write() as tx:
        for key in ("queued", "held", "again"):
            enqueue(tx, message(key), "team", [Part.TEXT], later)
    for _ in range(2):
        delivery = box.claim(later, "one", 60.0, LANE)
        assert delivery is not None
        if delivery.message.key == "again":
            box.retry(delivery, later + timedelta(seconds=5), "busy", counts=True)
    assert box.claim(NOW, "two", 60.0, LANE) is None
    assert box.not_after(NOW) == hour
    assert box.not_after(NOW) == timedelta(0), "a second restart does it again"
    found = set()
    for _ in range(3):
        delivery = box.claim(NOW + timedelta(seconds=61), "two", 3_600.0, LANE)
        assert delivery is not None
        found.add(delivery.message.key)
    assert found == {"queued", "held", "again"}
