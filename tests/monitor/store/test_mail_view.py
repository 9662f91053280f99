"""The outbox for people who look back, however long it has grown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from alerts.ports import Part
from monitor.store import Store, enqueue, parcels, traffic
from tests.monitor.store.make import START, message

WEEK = timedelta(days=7)


@pytest.mark.parametrize("states", [(), ("dead",), ("done",)])
def test_the_newest_are_found_without_sorting_all(sqlite_url, open_store, states) -> None:
    """A page of a long outbox: each row holds a message, and only those shown are read."""
    asked, store = [], open_store(sqlite_url)
    with store.read() as tx:
        event.listen(tx.connection, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        parcels(tx, states=states)
        traffic(tx, START - WEEK)
        plans = [
            row[3]
            for statement, values in list(asked)
            for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    assert plans
    assert not [plan for plan in plans if plan == "SCAN slicewatch_outbox"]
    assert "USE TEMP B-TREE FOR ORDER BY" not in plans


def test_a_receiver_that_waits_is_shown_beside_one_that_was_reached(store: Store) -> None:
    """What waits counts however old it is."""
    with store.write() as tx:
        enqueue(tx, message(), "slack", [Part.TEXT], START)
        enqueue(tx, message(), "mail", [Part.TEXT], START)
        done = {"at": int((START + timedelta(seconds=3)).timestamp() * 1e6)}
        tx.connection.execute(
            text("UPDATE slicewatch_outbox SET state = 'done', finished_at = :at WHERE receiver = 'slack'"), done
        )
    with store.read() as tx:
        mail, slack = traffic(tx, START - WEEK)
        (later,) = traffic(tx, START + WEEK)
    assert (mail.receiver, mail.queued, mail.done, mail.oldest) == ("mail", 1, 0, START)
    assert (slack.receiver, slack.queued, slack.done, slack.seconds) == ("slack", 0, 1, (3.0,))
    assert later.receiver == "mail"
