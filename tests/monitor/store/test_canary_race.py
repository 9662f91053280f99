"""Several daemons look after canaries on one store at the same moment."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from alerts.model import Receipt, State
from alerts.ports import Lane, Part
from monitor import store as s
from monitor.canary import Canaries
from monitor.reserved import CANARY
from monitor.selfwatch_settings import EVERY_MORNING, CanaryPlan
from monitor.store import Store

NOW = datetime(2026, 3, 4, 6, 3, tzinfo=UTC)
DAEMONS = 3
PLAN = CanaryPlan("test", EVERY_MORNING, "UTC", timedelta(minutes=15))


def all_look(store: Store) -> list[bool]:
    """Each in a thread of its own."""
    found: list[bool] = []
    ready = threading.Barrier(DAEMONS)

    def look(number: int) -> None:
        ready.wait()
        found.append(Canaries(PLAN, store, f"daemon-{number}", "oncall").look(NOW))

    threads = [threading.Thread(target=look, args=[number]) for number in range(DAEMONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_one_of_many_takes_each_step(store: Store) -> None:
    """One drops the slice, one sees that it arrived: one incident, told once, and nobody is told that anything is wrong."""
    assert all_look(store) == [False] * (DAEMONS - 1) + [True]
    outbox = s.SqlOutbox(store)
    delivery = outbox.claim(NOW, "me", 60.0, Lane("test", Part.TEXT))
    assert delivery is not None
    outbox.done(delivery, Receipt(), NOW)
    assert outbox.claim(NOW, "me", 60.0, Lane("test", Part.TEXT)) is None
    assert all_look(store) == [False] * (DAEMONS - 1) + [True]
    with store.read() as tx:
        (incident,) = s.incidents(tx, rule=CANARY)
        (canary,) = s.canaries(tx, 5)
        assert s.newest_thread(tx, "canary-") is None
    assert incident.state is State.RESOLVED
    assert (canary.incident, canary.arrived, canary.problem) == (incident.id, NOW, "")
