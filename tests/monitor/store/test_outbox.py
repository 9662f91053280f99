"""The outbox as a table."""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Table

from alerts.model import Receipt
from alerts.ports import Delivery, Lane, Part
from monitor.store import (
    OutboxCounts,
    SqlOutbox,
    Store,
    deliveries,
    dump,
    enqueue,
    letters,
    outbox_counts,
    outbox_table,
    requeue,
    schema,
)
from tests.contracts.outbox_contract import claim, next_due
from tests.monitor.store.make import START, message
from tests.monitor.store.processes import worker

BOTH = (Part.TEXT, Part.CHART)
RECEIPT = Receipt("C1", "1700.1")


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def queue(
    store: Store, key: str = "i-1", *, seqs: Iterable[int] = (1,), to: str = "oncall", parts: Iterable[Part] = BOTH
) -> None:
    """Queue messages of one incident at START."""
    with store.write() as tx:
        for seq in seqs:
            enqueue(tx, message(key, seq), to, parts, START)


def names_of(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def names(items: Iterable[Delivery | None]) -> list[tuple[int, Part] | None]:
    return [item and (item.message.seq, item.part) for item in items]


@pytest.fixture
def box(store: Store) -> SqlOutbox:
    return SqlOutbox(store)


def test_an_item_is_claimed_once_while_its_lease_holds(store: Store, box: SqlOutbox) -> None:
    """Another worker gets it only after the lease, exactly then."""
    queue(store, parts=[Part.TEXT])
    item = claim(box, START, "a", 60)
    assert item is not None
    assert (item.message, item.attempts, item.created_at, item.root, item.plain) == (message(), 0, START, None, False)
    assert claim(box, later(59.999999), "b", 60) is None
    assert next_due(box, later(1)) == later(60)
    again = claim(box, later(60), "b", 60)
    assert again is not None
    assert again.id == item.id


def test_queueing_again_is_nothing_new(store: Store, box: SqlOutbox) -> None:
    """The same message to the same receiver is one item, delivered or not; another receiver's is its own."""
    with store.write() as tx:
        assert enqueue(tx, message(), "oncall", BOTH, START) == 2
        before = dump(tx)
        assert enqueue(tx, message(), "oncall", BOTH, later(9)) == 0
        assert dump(tx) == before
    item = claim(box, START, "a", 60)
    assert item is not None
    box.done(item, RECEIPT, START)
    with store.write() as tx:
        assert enqueue(tx, message(), "oncall", BOTH, later(9)) == 0
        assert enqueue(tx, message(), "fallback", BOTH, later(9)) == 2


def test_a_text_waits_for_the_text_before_it(store: Store, box: SqlOutbox) -> None:
    """Firing before resolved: even while the first is being sent, or waits for its retry; then both are told as one."""
    queue(store, parts=[Part.TEXT])
    first = claim(box, START, "a", 60)
    assert first is not None
    queue(store, seqs=[2])
    assert names([first, claim(box, START, "b", 60)]) == [(1, Part.TEXT), None]
    box.retry(first, later(300), "503", counts=True)
    assert claim(box, later(299), "b", 60) is None
    assert next_due(box, START) == later(300)
    retried = claim(box, later(300), "b", 60)
    assert retried is not None
    assert (retried.attempts, retried.message.seq) == (1, 2)
    assert message("i-1", 1).push in retried.message.summary[-1]
    box.done(retried, RECEIPT, later(301))
    assert names(claim(box, later(301), "b", 60) for _ in range(2)) == [(2, Part.CHART), None]
    with store.read() as tx:
        assert outbox_counts(tx) == OutboxCounts(queued=1, done=1, merged=1)


def test_other_incidents_and_receivers_do_not_wait(store: Store, box: SqlOutbox) -> None:
    """Order is kept per incident and receiver."""
    for key, receiver in [("i-1", "oncall"), ("i-1", "mail"), ("i-2", "oncall")]:
        queue(store, key, to=receiver, parts=[Part.TEXT])
    claimed = [claim(box, START, "a", 60) for _ in range(4)]
    assert sorted((item.message.key, item.receiver) for item in claimed if item) == [
        ("i-1", "mail"),
        ("i-1", "oncall"),
        ("i-2", "oncall"),
    ]


def test_a_chart_never_blocks_and_a_dead_text_lets_the_next_pass(store: Store, box: SqlOutbox) -> None:
    """Charts that wait, are claimed or died hold back nobody; of those that wait only the newest is drawn."""
    queue(store)
    text = claim(box, START, "a", 60)
    assert text is not None
    box.dead(text, "channel_not_found", START)
    chart = claim(box, START, "a", 60)
    assert names([chart]) == [(1, Part.CHART)]
    queue(store, seqs=[2, 3])
    text = claim(box, START, "a", 60)
    assert text is not None
    assert names([text, claim(box, START, "a", 60)]) == [(3, Part.TEXT), None]
    box.done(text, RECEIPT, START)
    assert names([claim(box, START, "a", 60), claim(box, START, "a", 60)]) == [(3, Part.CHART), None]


def test_the_root_is_the_receipt_of_the_first_text_delivered(store: Store, box: SqlOutbox) -> None:
    """Of the same incident and receiver; a chart's receipt is no root, and one that died has none."""
    roots = []
    for seq in (1, 2, 3):
        queue(store, seqs=[seq])
        for part in (Part.TEXT, Part.CHART):
            item = box.claim(START, "a", 60, Lane("oncall", part))
            assert item is not None
            roots.append(item.root and item.root.ref)
            if (seq, part) == (1, Part.TEXT):
                box.dead(item, "gone", START)
            else:
                box.done(item, Receipt("C1", f"{seq}-{part}"), START)
    assert roots == [None, None, None, "2-text", "2-text", "2-text"]
    queue(store, to="mail", parts=[Part.TEXT])
    other = claim(box, START, "a", 60)
    assert other is not None
    assert other.root is None


def test_a_retry_that_does_not_count_keeps_the_attempts(store: Store, box: SqlOutbox) -> None:
    """Rate limits are no attempts; plain text, once needed, stays."""
    queue(store, parts=[Part.TEXT])
    for number, (counts, plain) in enumerate([(False, False), (True, True), (True, False)]):
        item = claim(box, later(number), "a", 60)
        assert item is not None
        box.retry(item, later(number + 1), f"error {number}", counts=counts, plain=plain)
    last = claim(box, later(3), "a", 60)
    assert last is not None
    assert (last.attempts, last.plain) == (2, True)
    box.dead(last, "too many attempts", later(4))
    with store.read() as tx:
        [letter] = letters(tx)
        assert (letter.id, letter.attempts, letter.error, letter.message) == (
            last.id,
            2,
            "too many attempts",
            message(),
        )
        assert outbox_counts(tx) == OutboxCounts(dead=1)


def test_a_worker_whose_lease_ran_out_cannot_take_the_item_back(store: Store, box: SqlOutbox) -> None:
    """Its retry, give-up and reroute no longer count; that it delivered is a fact and does."""
    queue(store, parts=[Part.TEXT])
    slow = claim(box, START, "slow", 1)
    quick = claim(box, later(2), "quick", 60)
    assert slow is not None
    assert quick is not None
    box.retry(slow, later(3), "timeout", counts=True)
    box.dead(slow, "timeout", later(3))
    box.reroute(slow, "fallback", "timeout", later(3))
    with store.read() as tx:
        assert outbox_counts(tx) == OutboxCounts(queued=1)
    assert claim(box, later(4), "third", 60) is None
    box.done(slow, RECEIPT, later(5))
    box.retry(quick, later(6), "timeout", counts=True)
    with store.read() as tx:
        assert outbox_counts(tx) == OutboxCounts(done=1)
    assert next_due(box, later(9)) is None


def test_a_reroute_happens_once_per_receiver(store: Store, box: SqlOutbox) -> None:
    """The same message goes to the fallback at most once, and never in a circle."""
    queue(store, parts=[Part.TEXT])
    for receiver in ("fallback", "oncall", "fallback"):
        item = claim(box, later(1), "a", 60)
        if item is not None:
            box.reroute(item, receiver, "account_inactive", later(1))
    with store.read() as tx:
        assert outbox_counts(tx) == OutboxCounts(dead=2)
        assert sorted(letter.receiver for letter in letters(tx)) == ["fallback", "oncall"]


def test_a_chart_without_a_thread_is_over_where_its_text_goes_elsewhere(store: Store, box: SqlOutbox) -> None:
    """Nothing is lost that a dead letter would have to tell of; the text that began the thread before keeps its charts."""
    queue(store, parts=[Part.TEXT, Part.CHART])
    item = claim(box, later(1), "a", 60)
    assert item is not None
    box.reroute(item, "fallback", "channel_not_found", later(1))
    with store.read() as tx:
        assert outbox_counts(tx) == OutboxCounts(queued=1, merged=1, dead=1)
        assert [(d.receiver, d.part, d.state) for d in deliveries(tx, item.message.key)] == [
            ("fallback", "text", "queued"),
            ("oncall", "text", "dead"),
            ("oncall", "chart", "merged"),
        ]


def test_a_dead_letter_can_be_sent_again(store: Store, box: SqlOutbox) -> None:
    """By a person, once the channel is mended; what is not dead is left alone."""
    queue(store, parts=[Part.TEXT])
    item = claim(box, START, "a", 60)
    assert item is not None
    with store.write() as tx:
        assert not requeue(tx, item.id, START)
    box.dead(item, "channel_not_found", START)
    with store.write() as tx:
        assert requeue(tx, item.id, later(10))
    assert claim(box, later(9), "a", 60) is None
    again = claim(box, later(10), "a", 60)
    assert again is not None
    assert again.attempts == 0


def test_a_dead_letter_is_told_with_the_one_that_waits_and_not_beside_one_under_way(
    store: Store, box: SqlOutbox
) -> None:
    """While the later text is being sent the dead one is left alone; while it waits, both are one message."""
    queue(store, parts=[Part.TEXT])
    dead = claim(box, START, "a", 60)
    assert dead is not None
    box.dead(dead, "channel_not_found", START)
    queue(store, seqs=[2], parts=[Part.TEXT])
    under_way = claim(box, later(1), "a", 60)
    assert under_way is not None
    with store.write() as tx:
        assert not requeue(tx, dead.id, later(2))
    box.retry(under_way, later(3), "503", counts=True)
    with store.write() as tx:
        assert requeue(tx, dead.id, later(3))
    both = claim(box, later(3), "a", 60)
    assert both is not None
    assert (both.message.seq, both.message.summary[-1].count("•")) == (2, 1)
    assert claim(box, later(3), "a", 60) is None


def test_what_a_dead_daemon_held_is_free_at_once_and_in_doubt(store: Store, box: SqlOutbox) -> None:
    """The one that starts in its place need not wait for the lease; others' leases stand."""
    for key, owner in (("i-1", "daemon-7"), ("i-2", "once-8")):
        queue(store, key, parts=[Part.TEXT])
        assert claim(box, START, owner, 60) is not None
    box.end_leases("daemon-")
    again = claim(box, START, "daemon-9", 60)
    assert again is not None
    assert (again.message.key, again.in_doubt) == ("i-1", True)
    assert claim(box, START, "daemon-9", 60) is None


def test_nothing_is_due_in_an_empty_outbox(box: SqlOutbox) -> None:
    """And an item that waits is due at once."""
    assert next_due(box, START) is None
    assert claim(box, START, "a", 60) is None
    queue(box._store, parts=[Part.TEXT])
    assert next_due(box, later(5)) == later(5)


def test_a_delivered_item_does_not_show_who_delivered_it(store: Store) -> None:
    """So that a run with crashes and one without leave equal rows."""
    queue(store, "i-1", parts=[Part.TEXT])
    queue(store, "i-2", parts=[Part.TEXT])
    for owner, crashes in (("a", 0), ("b", 3)):
        box = SqlOutbox(store)
        for crash in range(crashes):
            assert claim(box, later(crash * 10), owner, 10) is not None
        item = claim(box, later(30), owner, 10)
        assert item is not None
        box.done(item, RECEIPT, later(60))
    with store.read() as tx:
        one, other = [dict(zip(names_of(schema.outbox), row, strict=True)) for row in dump(tx)["slicewatch_outbox"]]
    assert {name for name in one if one[name] != other[name]} == {"id", "incident", "body"}


def test_threads_claim_every_item_once_and_in_order(store: Store) -> None:
    """200 items of 20 incidents, four workers; each delivered text makes the next of its incident."""
    for incident in range(20):
        queue(store, f"i-{incident}")
    claimed: list[Delivery] = []

    def work(owner: str) -> None:
        box = SqlOutbox(store)
        while next_due(box, later(1)) is not None:
            item = claim(box, later(1), owner, 600)
            if item is None:
                continue
            claimed.append(item)
            if item.part is Part.TEXT and item.message.seq < 5:
                queue(store, item.message.key, seqs=[item.message.seq + 1])
            box.done(item, RECEIPT, later(1))

    # An item in flight keeps `next_due` in the future: workers may go round, but none ends early.
    workers = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert len({item.id for item in claimed}) == len(claimed) == 200
    for incident in range(20):
        texts = [item.message.seq for item in claimed if item.message.key == f"i-{incident}" and item.part is Part.TEXT]
        assert texts == [1, 2, 3, 4, 5]


def test_processes_claim_every_item_once(sqlite_url: str) -> None:
    """200 items, two processes on one SQLite file."""
    store = Store.open(sqlite_url)
    for incident in range(200):
        queue(store, f"i-{incident}", parts=[Part.TEXT])
    with worker("deliver", sqlite_url) as one, worker("deliver", sqlite_url) as other:
        outputs = [process.communicate(timeout=60) for process in (one, other)]
    assert [error for _, error in outputs] == ["", ""]
    claimed = [line for output, _ in outputs for line in output.split()]
    assert len(claimed) == len(set(claimed)) == 200
    with store.read() as tx:
        assert outbox_counts(tx) == OutboxCounts(done=200)
    store.close()


def test_the_next_item_of_a_long_queue_is_found_by_an_index(sqlite_url: str) -> None:
    """What is due by when it is due, what is urgent by its deadline: no claim goes through all that waits."""
    store, lane = Store.open(sqlite_url), Lane("oncall", Part.TEXT)
    wanted = {
        "due": outbox_table._next(lane, 1),
        "deadline": outbox_table._urgent(lane, 1),
        "deadline and none of its thread": outbox_table._overdue(lane, 1),
    }
    with store.read() as tx:
        for what, query in wanted.items():
            sql = query.compile(dialect=tx.connection.dialect, compile_kwargs={"literal_binds": True})
            plan = [row[3] for row in tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
            column = what.split()[0]
            assert f"slicewatch_outbox_state_receiver_rank_{column} (" in plan[0], plan
            assert f"{column}<?" in plan[0] or f"{column}>?" in plan[0], plan
            assert all("incident=?" in step for step in plan if step.startswith(("SEARCH earlier", "SEARCH other")))
    store.close()
