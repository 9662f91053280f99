"""Writers of one process."""

from __future__ import annotations

import threading
import time

from alerts.ports import Part
from monitor.store import Store, StoreError, enqueue, outbox_counts
from tests.monitor.store.make import START, message


def test_writers_of_a_process_stand_in_line(sqlite_url: str) -> None:
    """Ten threads write at once, each longer than SQLite would wait for another: all get their turn."""
    store, errors = Store.open(sqlite_url, busy_timeout=0.01), []

    def write(name: str) -> None:
        try:
            with store.write() as tx:
                enqueue(tx, message(name), "oncall", [Part.TEXT], START)
                time.sleep(0.03)
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(f"i-{number}",)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with store.read() as tx:
        assert outbox_counts(tx).queued == 10
    store.close()
