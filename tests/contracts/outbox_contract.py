"""What every outbox promises. Each check takes a factory of an empty one; `CHECKS` lists them all.

A factory returns a `Bench`: the outbox, and how to queue a message in it. To hold an implementation to it:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
    def test_contract(check): check(make_bench)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts.model import Change, Message, Receipt, Reprocess, State, Stretch
from alerts.ports import CRITICAL_DEADLINE, Delivery, Lane, Outbox, Part
from rules.model import Severity
from rules.slices import Slice

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
LEASE = 60.0


@dataclass(frozen=True)
class Bench:
    """An empty outbox; `put` queues parts of a message for a receiver at a time."""

    outbox: Outbox
    put: Callable[[Message, str, Iterable[Part], datetime], object]


Factory = Callable[[], Bench]


def message(key: str = "sw-1", seq: int = 1) -> Message:
    """A message of an incident."""
    return Message(
        key=key,
        seq=seq,
        rule="playback_volume",
        change=Change.OPENED,
        state=State.FIRING,
        severity=Severity.WARNING,
        push=f"push {seq}",
        title="title",
        summary=("a paragraph",),
        facts=(),
        footer="footer",
        since=NOW,
    )


def later(seconds: float) -> datetime:
    """So many seconds after the start."""
    return NOW + timedelta(seconds=seconds)


def claim(outbox: Outbox, at: datetime, owner: str = "one", lease: float = LEASE) -> Delivery | None:
    """The next delivery of any lane."""
    found = (outbox.claim(at, owner, lease, lane) for lane in outbox.lanes())
    return next((delivery for delivery in found if delivery is not None), None)


def next_due(outbox: Outbox, now: datetime) -> datetime | None:
    """When the next delivery of any lane is due."""
    times = [outbox.next_due(now, lane) for lane in outbox.lanes()]
    return min((time for time in times if time is not None), default=None)


def claimed(bench: Bench, seconds: float = 0, owner: str = "one") -> Delivery:
    """The next delivery; there must be one."""
    delivery = claim(bench.outbox, later(seconds), owner)
    assert delivery is not None
    return delivery


def nothing(bench: Bench, seconds: float = 0) -> bool:
    """Whether nothing can be claimed."""
    return claim(bench.outbox, later(seconds)) is None


def check_hands_out_what_was_queued(make: Factory) -> None:
    """A claim returns the message as it was put, and nothing twice."""
    bench = make()
    assert nothing(bench)
    assert next_due(bench.outbox, NOW) is None
    bench.put(message(), "team", [Part.TEXT], NOW)
    delivery = claimed(bench)
    assert (delivery.receiver, delivery.part, delivery.message) == ("team", Part.TEXT, message())
    assert (delivery.attempts, delivery.created_at, delivery.root, delivery.plain) == (0, NOW, None, False)
    assert nothing(bench)


def check_queues_the_same_item_once(make: Factory) -> None:
    """A message that is decided again is not sent again, done or not."""
    bench = make()
    for _ in range(2):
        bench.put(message(), "team", [Part.TEXT], NOW)
    bench.outbox.done(claimed(bench), Receipt(), NOW)
    bench.put(message(), "team", [Part.TEXT], NOW)
    assert nothing(bench)


def check_a_lease_runs_out(make: Factory) -> None:
    """What a dead worker held is handed out again once its lease is over, not before."""
    bench = make()
    bench.put(message(), "team", [Part.TEXT], NOW)
    first = claimed(bench)
    assert nothing(bench, LEASE - 1)
    assert next_due(bench.outbox, NOW) == later(LEASE)
    assert claimed(bench, LEASE, "two").id == first.id


def check_a_worker_without_its_lease_may_report_success_only(make: Factory) -> None:
    """Its retry and its giving up come too late; that it delivered is a fact."""
    bench = make()
    bench.put(message(), "team", [Part.TEXT], NOW)
    slow = claimed(bench)
    claimed(bench, LEASE, "two")
    bench.outbox.retry(slow, later(LEASE), "late", counts=True)
    bench.outbox.dead(slow, "late", later(LEASE))
    bench.outbox.reroute(slow, "other", "late", later(LEASE))
    assert nothing(bench, LEASE)
    bench.outbox.done(slow, Receipt(), later(LEASE))
    assert nothing(bench, 10 * LEASE)


def check_a_receipt_is_kept_though_the_message_was_told_with_a_later_one(make: Factory) -> None:
    """Its lease ran out while it was sent, and the next claim merged it: what follows hangs under it all the same."""
    bench = make()
    bench.put(message(seq=1), "team", [Part.TEXT], NOW)
    slow = claimed(bench)
    bench.put(message(seq=2), "team", [Part.TEXT], NOW)
    both = claimed(bench, LEASE, "two")
    assert (both.message.seq, both.in_doubt) == (2, True)
    bench.outbox.done(slow, Receipt("C1", "1.0"), later(LEASE))
    bench.outbox.retry(both, later(LEASE), "down", counts=True)
    assert claimed(bench, LEASE, "two").root == Receipt("C1", "1.0")


def check_what_comes_late_waits_for_the_newer_one_that_is_being_sent(make: Factory) -> None:
    """Given up elsewhere and rerouted here: neither sent beside the newer one, nor a second time with it."""
    bench = make()
    bench.put(message(seq=2), "team", [Part.TEXT], NOW)
    under_way = claimed(bench)
    bench.put(message(seq=1), "team", [Part.TEXT], NOW)
    assert nothing(bench)
    bench.outbox.done(under_way, Receipt("C1", "1.0"), NOW)
    assert (claimed(bench).message.seq, nothing(bench)) == (1, True)


def check_a_lane_that_rests_is_due_later(make: Factory) -> None:
    """All that waits there but what was to wait longer; what has a deadline at that; other lanes as ever."""
    bench, lane, limit = make(), Lane("team", Part.TEXT), CRITICAL_DEADLINE.total_seconds()
    bench.put(message("sw-1"), "team", [Part.TEXT], NOW)
    first = claimed(bench)
    bench.outbox.retry(first, later(3 * limit), "down", counts=True)
    bench.put(message("sw-2"), "team", [Part.TEXT], NOW)
    bench.put(message("sw-3"), "pager", [Part.TEXT], NOW)
    bench.outbox.rest(lane, later(2 * limit), NOW)
    assert [bench.outbox.next_due(NOW, Lane(name, Part.TEXT)) for name in ("team", "pager")] == [later(2 * limit), NOW]
    bench.put(replace(message("sw-4"), severity=Severity.CRITICAL), "team", [Part.TEXT], NOW)
    bench.outbox.rest(lane, later(2 * limit), NOW)
    assert bench.outbox.next_due(NOW, lane) == later(limit)
    for n, key in ((1, "sw-4"), (2, "sw-2"), (3, "sw-1")):
        delivery = bench.outbox.claim(later(n * limit), "one", LEASE, lane)
        assert delivery is not None
        assert delivery.message.key == key
        bench.outbox.done(delivery, Receipt(), later(n * limit))


def check_a_retry_waits_and_counts(make: Factory) -> None:
    """Handed out again at its time, with the attempt counted only where it was one."""
    bench = make()
    bench.put(message(), "team", [Part.TEXT], NOW)
    bench.outbox.retry(claimed(bench), later(5), "down", counts=True)
    assert nothing(bench, 4)
    assert next_due(bench.outbox, NOW) == later(5)
    again = claimed(bench, 5)
    assert again.attempts == 1
    bench.outbox.retry(again, later(6), "wait", counts=False)
    assert claimed(bench, 6).attempts == 1


def check_plain_stays_plain(make: Factory) -> None:
    """Once the rich form was refused, every later try is plain."""
    bench = make()
    bench.put(message(), "team", [Part.TEXT], NOW)
    bench.outbox.retry(claimed(bench), NOW, "invalid blocks", counts=False, plain=True)
    again = claimed(bench)
    assert again.plain
    bench.outbox.retry(again, NOW, "down", counts=True)
    assert claimed(bench).plain


def check_an_incident_goes_out_in_order(make: Factory) -> None:
    """Later messages of an incident wait for the text before them, being sent or waiting for its retry."""
    bench = make()
    bench.put(message(seq=1), "team", [Part.TEXT], NOW)
    first = claimed(bench)
    bench.put(message(seq=2), "team", [Part.TEXT], NOW)
    assert nothing(bench)
    bench.outbox.retry(first, later(100), "down", counts=True)
    assert nothing(bench, 99)
    assert claimed(bench, 100).message.seq == 2


def check_what_waits_in_a_thread_is_told_as_one(make: Factory) -> None:
    """The newest is sent, says what came before it, and is as old, as worn and as much in doubt as the oldest."""
    bench = make()
    bench.put(message(seq=1), "team", [Part.TEXT, Part.CHART], NOW)
    bench.outbox.retry(claimed(bench), NOW, "cut", counts=True, in_doubt=True)
    bench.put(message(seq=2), "team", [Part.TEXT, Part.CHART], later(1))
    bench.put(message(seq=3), "team", [Part.TEXT], later(2))
    bench.put(message(seq=3), "pager", [Part.TEXT], later(2))
    told = bench.outbox.claim(later(3), "one", LEASE, Lane("team", Part.TEXT))
    assert told is not None
    assert (told.message.seq, told.attempts, told.created_at, told.in_doubt) == (3, 1, NOW, True)
    assert ["push 1" in told.message.summary[-1], "push 2" in told.message.summary[-1]] == [True, True]
    bench.outbox.retry(told, later(3), "down", counts=True)
    again = bench.outbox.claim(later(3), "one", LEASE, Lane("team", Part.TEXT))
    assert again is not None
    assert again.message == told.message
    bench.outbox.done(again, Receipt("C1", "1.0"), later(3))
    rest = [claimed(bench, 3), claimed(bench, 3)]
    assert [(d.receiver, d.message.seq, d.part) for d in rest] == [
        ("pager", 3, Part.TEXT),
        ("team", 2, Part.CHART),
    ]
    assert nothing(bench, 3)


def check_what_a_dead_worker_held_is_in_doubt(make: Factory) -> None:
    """It may have been sent; what came back with a known error was not."""
    bench = make()
    bench.put(message(), "team", [Part.TEXT], NOW)
    bench.outbox.retry(claimed(bench), NOW, "down", counts=True)
    assert not claimed(bench).in_doubt
    assert claimed(bench, LEASE).in_doubt


def check_critical_news_go_first_and_have_a_deadline(make: Factory) -> None:
    """Before all others of their lane; past the deadline they can be had whatever they wait for, unless being sent."""
    bench, lane, limit = make(), Lane("team", Part.TEXT), CRITICAL_DEADLINE.total_seconds()
    bench.put(message("sw-1"), "team", [Part.TEXT], NOW)
    bench.put(replace(message("sw-2"), severity=Severity.CRITICAL), "team", [Part.TEXT], later(1))
    assert bench.outbox.next_deadline(NOW, lane) == later(1 + limit)
    first = claimed(bench, 2)
    assert first.message.key == "sw-2"
    assert bench.outbox.next_deadline(later(2), lane) is None
    bench.outbox.retry(first, later(9 * limit), "down", counts=True)
    assert bench.outbox.claim(later(limit), "one", LEASE, lane, overdue=True) is None
    overdue = bench.outbox.claim(later(1 + limit), "one", LEASE, lane, overdue=True)
    assert overdue is not None
    assert overdue.message.key == "sw-2"
    assert bench.outbox.claim(later(1 + limit), "one", LEASE, lane, overdue=True) is None


def check_incidents_and_receivers_do_not_wait_for_each_other(make: Factory) -> None:
    """A stuck item holds back its own incident at its own receiver, nothing else."""
    bench = make()
    bench.put(message("sw-1"), "team", [Part.TEXT], NOW)
    bench.outbox.retry(claimed(bench), later(100), "down", counts=True)
    bench.put(message("sw-1"), "pager", [Part.TEXT], NOW)
    bench.put(message("sw-2"), "team", [Part.TEXT], NOW)
    assert {(d.receiver, d.message.key) for d in (claimed(bench), claimed(bench))} == {
        ("pager", "sw-1"),
        ("team", "sw-2"),
    }


def check_a_chart_follows_its_text_and_holds_nothing_back(make: Factory) -> None:
    """A chart waits for the text it belongs to; no text waits for a chart."""
    bench = make()
    bench.put(message(seq=1), "team", [Part.TEXT, Part.CHART], NOW)
    text = claimed(bench)
    assert (text.message.seq, text.part) == (1, Part.TEXT)
    assert nothing(bench)
    bench.outbox.done(text, Receipt("C1", "1.0"), NOW)
    bench.put(message(seq=2), "team", [Part.TEXT], NOW)
    rest = {(d.message.seq, d.part) for d in (claimed(bench), claimed(bench))}
    assert rest == {(1, Part.CHART), (2, Part.TEXT)}


def check_later_items_know_the_first_receipt(make: Factory) -> None:
    """The receipt of the incident's first text at a receiver comes with everything after it there."""
    bench = make()
    bench.put(message(seq=1), "team", [Part.TEXT, Part.CHART], NOW)
    bench.outbox.done(claimed(bench), Receipt("C1", "1.0"), NOW)
    bench.put(message(seq=2), "team", [Part.TEXT], NOW)
    bench.put(message(seq=2), "pager", [Part.TEXT], NOW)
    roots = {(d.receiver, d.part): d.root for d in (claimed(bench), claimed(bench), claimed(bench))}
    assert roots == {
        ("team", Part.CHART): Receipt("C1", "1.0"),
        ("team", Part.TEXT): Receipt("C1", "1.0"),
        ("pager", Part.TEXT): None,
    }


def check_the_dead_block_nobody(make: Factory) -> None:
    """A text that was given up lets its successors pass, and never comes back by itself."""
    bench = make()
    bench.put(message(seq=1), "team", [Part.TEXT], NOW)
    bench.outbox.dead(claimed(bench), "archived", NOW)
    bench.put(message(seq=2), "team", [Part.TEXT], NOW)
    delivery = claimed(bench)
    assert (delivery.message.seq, delivery.root) == (2, None)
    bench.outbox.done(delivery, Receipt(), later(2 * LEASE))
    assert nothing(bench, 10 * LEASE)


def check_a_reroute_goes_to_the_other_receiver_once(make: Factory) -> None:
    """Given up here and queued there; what was queued there before is not queued again."""
    bench = make()
    bench.put(message(), "team", [Part.TEXT], NOW)
    bench.outbox.reroute(claimed(bench), "ops", "archived", later(1))
    moved = claimed(bench, 1)
    assert (moved.receiver, moved.message, moved.attempts, moved.created_at) == ("ops", message(), 0, later(1))
    bench.outbox.done(moved, Receipt(), later(1))
    bench.put(message(), "pager", [Part.TEXT], NOW)
    bench.outbox.reroute(claimed(bench, 1), "ops", "archived", later(2))
    assert nothing(bench, 10 * LEASE)


def lossy(seq: int) -> Message:
    """A message with a file."""
    lost = Reprocess("lake.playback", "count", (), (Stretch(Slice(), NOW, later(3_600)),))
    return replace(message(seq=seq), reprocess=lost)


def check_a_file_follows_its_text_and_holds_nothing_back(make: Factory) -> None:
    """It waits for its text; no later text waits for it, and of several that wait the newest is sent."""
    bench, lane = make(), Lane("team", Part.FILE)
    bench.put(lossy(1), "team", [Part.TEXT, Part.FILE], NOW)
    text = claimed(bench)
    assert nothing(bench)
    bench.outbox.done(text, Receipt("C1", "1.0"), NOW)
    bench.put(lossy(2), "team", [Part.TEXT, Part.FILE], NOW)
    bench.put(lossy(3), "team", [Part.TEXT], NOW)
    told = bench.outbox.claim(NOW, "one", LEASE, Lane("team", Part.TEXT))
    assert told is not None
    assert told.message.seq == 3
    bench.outbox.done(told, Receipt("C1", "1.0"), NOW)
    file = bench.outbox.claim(NOW, "one", LEASE, lane)
    assert file is not None
    assert (file.message.seq, file.root, file.message.reprocess) == (2, Receipt("C1", "1.0"), lossy(2).reprocess)
    assert nothing(bench)


def check_a_reroute_takes_the_file_along(make: Factory) -> None:
    """The text speaks of it; a chart stays where it was."""
    bench = make()
    bench.put(lossy(1), "team", [Part.TEXT], NOW)
    bench.outbox.reroute(claimed(bench), "ops", "archived", NOW)
    text = claimed(bench)
    assert (text.receiver, text.part) == ("ops", Part.TEXT)
    bench.outbox.done(text, Receipt(), NOW)
    assert [(d.receiver, d.part) for d in [claimed(bench)]] == [("ops", Part.FILE)]
    assert nothing(bench)


CHECKS: tuple[Callable[[Factory], None], ...] = (
    check_hands_out_what_was_queued,
    check_queues_the_same_item_once,
    check_a_lease_runs_out,
    check_a_worker_without_its_lease_may_report_success_only,
    check_a_receipt_is_kept_though_the_message_was_told_with_a_later_one,
    check_what_comes_late_waits_for_the_newer_one_that_is_being_sent,
    check_a_lane_that_rests_is_due_later,
    check_a_retry_waits_and_counts,
    check_plain_stays_plain,
    check_an_incident_goes_out_in_order,
    check_what_waits_in_a_thread_is_told_as_one,
    check_what_a_dead_worker_held_is_in_doubt,
    check_critical_news_go_first_and_have_a_deadline,
    check_incidents_and_receivers_do_not_wait_for_each_other,
    check_a_chart_follows_its_text_and_holds_nothing_back,
    check_later_items_know_the_first_receipt,
    check_the_dead_block_nobody,
    check_a_reroute_goes_to_the_other_receiver_once,
    check_a_file_follows_its_text_and_holds_nothing_back,
    check_a_reroute_takes_the_file_along,
)
