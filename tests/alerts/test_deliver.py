"""What becomes of a delivery: sent, tried again, rerouted, or given up."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.deliver import (
    CHART_ATTEMPTS,
    CRITICAL_DEADLINE,
    GIVE_UP_AFTER,
    GIVE_UP_ATTEMPTS,
    LONGEST_BACKOFF,
    Courier,
    Dead,
    Pace,
    Reroute,
    Result,
    Retry,
    after_failure,
    backoff,
    deliver_once,
    drain,
)
from alerts.model import Receipt, SendError
from alerts.ports import Delivery, Part
from rules.model import Severity
from tests.alerts.memory_outbox import MemoryOutbox
from tests.contracts.outbox_contract import CHECKS, NOW, Bench, later, message


def bench() -> Bench:
    outbox = MemoryOutbox()
    return Bench(outbox, outbox.put)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_the_outbox_in_memory_keeps_the_contract(check):
    """The double these tests use is held to what the real one promises."""
    check(bench)


def delivery(part=Part.TEXT, severity=Severity.WARNING, **fields) -> Delivery:
    base = Delivery("1", "team", part, replace(message(), severity=severity), 0, NOW)
    return replace(base, **fields)


def after(item: Delivery, error: SendError, seconds: float = 0, fallback: str | None = "ops"):
    return after_failure(item, error, later(seconds), Random(1), fallback)


DOWN, GONE = SendError("down"), SendError("archived", permanent=True)
CRITICAL = Severity.CRITICAL


def test_a_permanent_error_goes_to_the_fallback_at_once():
    """No retry can help; the fallback gets it, unless it is the one that failed, or there is none."""
    assert after(delivery(), GONE) == Reroute("ops")
    assert after(delivery(receiver="ops"), GONE) == Dead()
    assert after(delivery(), GONE, fallback=None) == Dead()


def test_retry_after_waits_as_told_and_does_not_count():
    """The receiver's own word is kept to the second, for as long as it takes."""
    wait = SendError("slow down", retry_after=30.0)
    assert after(delivery(attempts=7), wait, 10) == Retry(later(40), counts=False)


def test_refused_blocks_go_once_more_as_plain_text():
    """At once and uncounted; what is refused as plain text too is given up."""
    refused = SendError("invalid_blocks", refused=True)
    assert after(delivery(), refused) == Retry(NOW, counts=False, plain=True)
    assert after(delivery(plain=True), refused) == Reroute("ops")


def test_other_errors_back_off_and_count():
    """Down, slow and broken receivers are tried again, ever later."""
    then = after(delivery(attempts=3), DOWN)
    assert isinstance(then, Retry)
    assert then.counts
    assert timedelta(seconds=4) <= then.at - NOW <= timedelta(seconds=8)


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_backoff_is_capped_and_never_nothing(attempts, rng):
    """Half a second at least, five minutes at most, however often it failed."""
    wait = backoff(attempts, rng)
    assert timedelta(seconds=0.5) <= wait <= LONGEST_BACKOFF
    assert attempts < 10 or wait >= LONGEST_BACKOFF / 2


def test_a_text_is_given_up_after_a_day_of_attempts_only():
    """A day alone is not enough (the daemon may have been off), nor are many attempts alone."""
    day = GIVE_UP_AFTER.total_seconds()
    worn = delivery(attempts=GIVE_UP_ATTEMPTS)
    assert isinstance(after(delivery(attempts=1), DOWN, day), Retry)
    assert isinstance(after(worn, DOWN, day - 1), Retry)
    assert after(worn, DOWN, day) == Reroute("ops")
    assert after(worn, DOWN, day, fallback=None) == Dead()


def test_a_critical_text_goes_to_the_fallback_after_five_minutes():
    """Until then it is retried, the last time at the deadline; other severities just go on."""
    limit = CRITICAL_DEADLINE.total_seconds()
    urgent = delivery(severity=CRITICAL, attempts=12)
    assert after(urgent, DOWN, limit - 1) == Retry(later(limit))
    assert after(urgent, DOWN, limit) == Reroute("ops")
    assert isinstance(after(replace(urgent, receiver="ops"), DOWN, limit), Retry)
    assert isinstance(after(urgent, DOWN, limit, fallback=None), Retry)
    assert isinstance(after(delivery(attempts=12), DOWN, limit), Retry)


def test_a_critical_text_does_not_wait_for_a_receiver_that_makes_it_too_late():
    """Asked to wait past the deadline, it goes the other way at once; a short wait is kept."""
    urgent = delivery(severity=CRITICAL)
    assert after(urgent, SendError("wait", retry_after=600.0)) == Reroute("ops")
    assert after(urgent, SendError("wait", retry_after=30.0)) == Retry(later(30), counts=False)


def test_a_chart_dies_quietly_after_three_attempts():
    """It never goes to the fallback, critical or not."""
    chart = delivery(Part.CHART, CRITICAL)
    assert isinstance(after(chart, DOWN), Retry)
    assert after(replace(chart, attempts=CHART_ATTEMPTS - 1), DOWN) == Dead()
    assert after(chart, GONE) == Dead()
    assert after(chart, SendError("wait", retry_after=1.0), GIVE_UP_AFTER.total_seconds()) == Dead()


deliveries = st.builds(
    delivery,
    st.sampled_from(Part),
    st.sampled_from(Severity),
    attempts=st.integers(0, 400),
    plain=st.booleans(),
)
errors = st.builds(
    SendError,
    st.just("x"),
    permanent=st.booleans(),
    retry_after=st.one_of(st.none(), st.floats(0, 4_000)),
    refused=st.booleans(),
)


@given(deliveries, errors, st.floats(0, 200_000))
def test_no_failure_retries_too_early_or_reroutes_to_itself(item, error, seconds):
    """Whatever failed, the next step is in the future and at another receiver than the one that failed."""
    then = after(item, error, seconds)
    assert not isinstance(then, Retry) or then.at >= later(seconds)
    assert not isinstance(then, Reroute) or (then.receiver == "ops" and item.part is Part.TEXT)
    waits = isinstance(then, Retry) and error.retry_after is not None and not then.plain
    assert not waits or then.at >= later(seconds) + timedelta(seconds=error.retry_after)
    assert after(replace(item, receiver="ops"), error, seconds) != Reroute("ops")


class Scripted:
    """A notifier that fails as it is told, then accepts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent: list[Delivery] = []

    def send(self, item: Delivery) -> Receipt:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(item)
        return Receipt("C1", f"{len(self.sent)}.0")


class Hours:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self):
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += timedelta(seconds=seconds)


def run(outbox: MemoryOutbox, hours: float = 1, fallback: str | None = "ops", **notifiers):
    clock = Hours()
    courier = Courier("test", Random(3), fallback)
    end = NOW + timedelta(hours=hours)
    return drain(outbox, notifiers, courier, clock=clock, wait=clock.wait, until=end), clock


def queue(*messages, receiver="team", parts=(Part.TEXT,)) -> MemoryOutbox:
    outbox = MemoryOutbox()
    for item in messages:
        outbox.put(item, receiver, parts, NOW)
    return outbox


def test_everything_due_is_sent_in_order():
    """Firing before resolved, with the first receipt known to the later ones."""
    team = Scripted()
    outcomes, _ = run(queue(message(seq=1), message(seq=2)), team=team)
    assert [(d.message.seq, d.root) for d in team.sent] == [(1, None), (2, Receipt("C1", "1.0"))]
    assert Counter(o.result for o in outcomes)[Result.SENT] == 2


def test_a_receiver_that_comes_back_gets_everything_in_order():
    """Ten minutes of refusals delay, they do not lose or reorder."""
    team = Scripted(*[SendError("down")] * 12)
    run(queue(message(seq=1), message(seq=2)), team=team)
    assert [d.message.seq for d in team.sent] == [1, 2]
    assert team.sent[0].attempts == 12


def test_a_critical_text_reaches_the_fallback_while_its_receiver_is_down():
    """After five minutes the fallback has it, and nobody has it twice."""
    outbox = queue(replace(message(), severity=CRITICAL))
    ops = Scripted()
    outcomes, clock = run(outbox, team=Scripted(*[SendError("down")] * 99), ops=ops)
    assert len(ops.sent) == 1
    assert outcomes[-2].result is Result.REROUTED
    assert timedelta(minutes=5) <= clock.now - NOW <= timedelta(minutes=5, seconds=2)
    assert outbox.states() == {(1, "team", Part.TEXT): "dead", (1, "ops", Part.TEXT): "done"}


def test_an_unknown_receiver_goes_to_the_fallback():
    """A receiver that left slicewatch.toml takes no message with it."""
    ops = Scripted()
    run(queue(message(), receiver="left"), ops=ops)
    assert len(ops.sent) == 1


def test_a_fallback_that_fails_for_good_leaves_a_dead_letter():
    """Nothing goes round in circles."""
    outbox = queue(message())
    outcomes, _ = run(outbox, team=Scripted(GONE), ops=Scripted(GONE))
    assert [o.result for o in outcomes] == [Result.REROUTED, Result.DEAD]
    assert set(outbox.states().values()) == {"dead"}


def test_a_failing_chart_delays_no_text_and_dies():
    """Three attempts, then it is gone; the text after it was sent long before."""
    outbox = MemoryOutbox()
    outbox.put(message(seq=1), "team", [Part.TEXT, Part.CHART], NOW)
    outbox.put(message(seq=2), "team", [Part.TEXT], NOW)

    class NoCharts(Scripted):
        def send(self, item: Delivery) -> Receipt:
            if item.part is Part.CHART:
                raise SendError("no charts today")
            return super().send(item)

    outcomes, _ = run(outbox, team=NoCharts())
    assert outbox.states()[1, "team", Part.CHART] == "dead"
    assert [o.result for o in outcomes if o.delivery.part is Part.CHART][-1] is Result.DEAD
    text = [o.result for o in outcomes if o.delivery.message.seq == 2]
    assert text[-1] is Result.SENT


def test_refused_blocks_arrive_as_plain_text():
    """The second try is plain and at once."""
    team = Scripted(SendError("invalid_blocks", refused=True))
    run(queue(message()), team=team)
    assert [(d.plain, d.attempts) for d in team.sent] == [(True, 0)]


def test_a_notifier_with_a_bug_stops_nobody_else():
    """An error nobody expected is a failed send, is retried, and may have arrived."""
    team = Scripted(KeyError("ts"))
    outcomes, _ = run(queue(message()), team=team)
    assert (outcomes[0].result, outcomes[0].error, outcomes[0].unknown) == (Result.RETRIED, "KeyError: 'ts'", True)
    assert len(team.sent) == 1


def test_one_message_a_second_for_each_receiver():
    """A burst to one receiver is spread out; another receiver does not wait for it."""
    outbox = queue(*[message(f"sw-{n}") for n in range(5)])
    outbox.put(message("sw-9"), "pager", [Part.TEXT], NOW)
    outcomes, clock = run(outbox, team=Scripted(), pager=Scripted())
    assert clock.now - NOW == timedelta(seconds=4)
    assert Counter(o.result for o in outcomes) == {Result.SENT: 6, Result.WAITS: 4}
    assert [o.delivery.receiver for o in outcomes if o.result is Result.SENT].index("pager") < 2


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab"), st.floats(0, 3)), max_size=30))
def test_sends_are_a_second_apart(calls):
    """Whenever deliveries come, in time or late for their turn, no receiver is sent to twice within a second."""
    pace, now = Pace(), NOW
    sent = {"a": [], "b": []}
    for number, receiver, passed in calls:
        now += timedelta(seconds=passed)
        if pace.turn(delivery(id=f"{receiver}{number}", receiver=receiver), now) == now:
            sent[receiver].append(now)
    for times in sent.values():
        assert all(b - a >= timedelta(seconds=1) for a, b in pairwise(times))


def test_a_delivery_keeps_its_turn():
    """Of two that wait, the first to come is the first to go, however they are claimed later."""
    pace = Pace()
    one, two, three = (delivery(id=name) for name in ("1", "2", "3"))
    assert [pace.turn(item, NOW) for item in (one, two, three)] == [later(0), later(1), later(2)]
    assert pace.turn(three, later(1)) == later(2)
    assert pace.turn(two, later(1)) == later(1)
    assert pace.turn(three, later(2)) == later(2)


def test_nothing_due_is_nothing_done():
    """An empty outbox, or one where all is in the future, yields no outcome."""
    assert deliver_once(MemoryOutbox(), {}, NOW, Courier("test", Random(1))) is None
    outbox = MemoryOutbox()
    outbox.put(message(), "team", [Part.TEXT], later(7200))
    assert run(outbox, team=Scripted())[0] == ()
