"""What becomes of deliveries, lane by lane: sent, tried again, told as one, rerouted, or given up."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.about import subject
from alerts.breaker import FAILURES_TO_OPEN, FIRST_REST, LONGEST_REST, Breaker
from alerts.crew import Crew
from alerts.deliver import LEASE_SECONDS, PACE, SEND_SECONDS, Courier, Result, Traffic, deliver_once, drain
from alerts.model import Receipt, SendError
from alerts.ports import Delivery, Lane, Part
from rules.model import Severity
from tests.alerts.memory_outbox import MemoryOutbox
from tests.contracts.outbox_contract import CHECKS, NOW, Bench, later, message

GONE = SendError("archived", permanent=True)
CRITICAL = Severity.CRITICAL


def bench() -> Bench:
    outbox = MemoryOutbox()
    return Bench(outbox, outbox.put)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_the_outbox_in_memory_keeps_the_contract(check):
    """The double these tests use is held to what the real one promises."""
    check(bench)


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
    courier = Courier("test", Random(3), notifiers, fallback)
    end = NOW + timedelta(hours=hours)
    return drain(outbox, courier, clock=clock, wait=clock.wait, until=end), clock


def queue(*messages, receiver="team", parts=(Part.TEXT,)) -> MemoryOutbox:
    outbox = MemoryOutbox()
    for item in messages:
        outbox.put(item, receiver, parts, NOW)
    return outbox


def test_news_that_wait_together_are_told_as_one():
    """Firing and resolved before anything was sent: one message that says both, never nothing."""
    team = Scripted()
    run(queue(message(seq=1), message(seq=2)), team=team)
    (sent,) = team.sent
    assert (sent.message.seq, sent.message.push) == (2, "push 2")
    assert sent.message.summary[-1] == "You hear of it only now; what came before:\n• push 1"


def test_a_receiver_that_comes_back_gets_everything():
    """Twelve refusals delay, they do not lose."""
    team = Scripted(*[SendError("down")] * 12)
    run(queue(message("sw-1"), message("sw-2")), team=team)
    assert sorted(d.message.key for d in team.sent) == ["sw-1", "sw-2"]


def test_a_critical_text_reaches_the_fallback_while_its_receiver_is_down():
    """After five minutes the fallback has it, and nobody has it twice."""
    outbox = queue(replace(message(), severity=CRITICAL))
    ops = Scripted()
    outcomes, clock = run(outbox, team=Scripted(*[SendError("down")] * 99), ops=ops)
    assert len(ops.sent) == 1
    assert outcomes[-2].result is Result.REROUTED
    assert timedelta(minutes=5) <= clock.now - NOW <= timedelta(minutes=5, seconds=2)
    assert outbox.states() == {(1, "team", Part.TEXT): "dead", (1, "ops", Part.TEXT): "done"}


def test_a_receiver_that_is_down_is_left_alone_and_asked_by_one_message():
    """Of fifty that wait for it not each is tried: five failures, then a probe after each rest, ever rarer."""
    team = Scripted(*[SendError("down")] * 99)
    _, clock = run(queue(*[message(f"sw-{n}") for n in range(50)]), team=team)
    tried = 99 - len(team.errors)
    assert FAILURES_TO_OPEN + 10 <= tried <= FAILURES_TO_OPEN + 16
    assert clock.now - NOW >= timedelta(minutes=50)


def test_a_receiver_that_is_back_gets_all_that_waited():
    """The probe that gets through closes the circuit, and everything follows at its pace."""
    team = Scripted(*[SendError("down")] * (FAILURES_TO_OPEN + 1))
    _, clock = run(queue(*[message(f"sw-{n}") for n in range(20)]), team=team)
    assert len(team.sent) == 20
    assert clock.now - NOW <= 4 * FIRST_REST + 30 * PACE


def test_asked_to_wait_a_lane_waits_whole():
    """The receiver's word is meant for all of its messages, and is no sign that it is down."""
    team = Scripted(SendError("slow down", retry_after=90.0))
    outcomes, clock = run(queue(message("sw-1"), message("sw-2")), team=team)
    assert [o.result for o in outcomes] == [Result.RETRIED, Result.SENT, Result.SENT]
    assert timedelta(seconds=90) <= clock.now - NOW <= timedelta(seconds=92)


@pytest.mark.parametrize(
    ("errors", "rest"),
    [([SendError("slow down", retry_after=90.0)], 90), ([SendError("down")] * FAILURES_TO_OPEN, 30)],
    ids=["asked to wait", "down"],
)
def test_a_courier_that_starts_anew_leaves_a_resting_receiver_alone(errors, rest):
    """What a process that died knew of it stands in the outbox: all that waits there is due after the rest."""
    outbox, lane = queue(*(message(f"sw-{n}") for n in range(30))), Lane("team", Part.TEXT)
    clock, team = Hours(), Scripted(*errors)
    dying = Courier("first", Random(3), {"team": team})
    while team.errors:
        deliver_once(outbox, lane, dying, clock)
        clock.now += PACE
    over = clock.now - PACE + timedelta(seconds=rest)
    fresh = Courier("second", Random(3), {"team": team})
    assert drain(outbox, fresh, clock=clock, wait=clock.wait, until=over) == ()
    drain(outbox, fresh, clock=clock, wait=clock.wait, until=over + timedelta(hours=1))
    assert {item.message.key for item in team.sent} == {f"sw-{n}" for n in range(30)}


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
    """Three attempts, then it is gone; all texts were sent long before, also those that came later."""
    outbox = MemoryOutbox()
    for number in range(3):
        outbox.put(message(f"sw-{number}"), "team", [Part.TEXT, Part.CHART], NOW)

    class NoCharts(Scripted):
        def send(self, item: Delivery) -> Receipt:
            if item.part is Part.CHART:
                raise SendError("no charts today")
            return super().send(item)

    outcomes, _ = run(outbox, team=NoCharts())
    assert outbox.lanes() == ()
    assert Counter(o.result for o in outcomes) == {Result.SENT: 3, Result.RETRIED: 6, Result.DEAD: 3}
    assert Result.DEAD not in [o.result for o in outcomes[: outcomes.index(_last_text(outcomes))]]


def _last_text(outcomes):
    return [o for o in outcomes if o.delivery.part is Part.TEXT][-1]


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
    assert [d.in_doubt for d in team.sent] == [True]


def test_one_message_a_second_for_each_receiver():
    """A burst to one receiver is spread out; another receiver does not wait for it."""
    outbox = queue(*[message(f"sw-{n}") for n in range(5)])
    outbox.put(message("sw-9"), "pager", [Part.TEXT], NOW)
    outcomes, clock = run(outbox, team=Scripted(), pager=Scripted())
    assert clock.now - NOW == timedelta(seconds=4)
    assert Counter(o.result for o in outcomes) == {Result.SENT: 6}
    assert [o.delivery.receiver for o in outcomes].index("pager") < 2


errors = st.builds(
    SendError,
    st.just("x"),
    permanent=st.booleans(),
    retry_after=st.one_of(st.none(), st.floats(0, 4_000)),
    refused=st.booleans(),
)


@given(st.lists(st.tuples(st.floats(0, 400), st.one_of(st.none(), errors)), max_size=40))
def test_a_lane_is_never_sent_to_too_early(sends):
    """Whatever happened before: a second apart, after Retry-After, after the rest of a breaker that opened."""
    traffic, now = Traffic(), NOW
    times = []
    for passed, error in sends:
        now += timedelta(seconds=passed)
        now = max(now, traffic.free_at(now))
        assert traffic.free_at(now) == now
        times.append(now)
        traffic.sent(now, error)
        if error is not None and error.retry_after is not None:
            assert traffic.free_at(now) >= now + timedelta(seconds=error.retry_after)
    assert all(b - a >= PACE for a, b in pairwise(times))


def test_a_breaker_opens_rests_longer_each_time_and_closes():
    """Five failures open it; a failed probe opens it for twice as long, five minutes at most; an answer closes it."""
    breaker, rests, now = Breaker(), [], NOW
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed(now)
    assert not breaker.is_open
    for _ in range(7):
        breaker.failed(now)
        rests.append(breaker.until - now)
        now = breaker.until
    assert rests[:3] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert max(rests) == rests[-1] == LONGEST_REST
    breaker.answered()
    breaker.failed(now)
    assert not breaker.is_open


@given(
    st.lists(st.tuples(st.floats(0, 90), st.sampled_from(["put", "critical", "down", "limited", "up"])), max_size=30)
)
def test_whatever_a_receiver_does_every_incident_is_told(steps):
    """Down, asking to wait and up again in any order: all that was queued arrives, here or at the fallback."""
    outbox, clock, team, ops = MemoryOutbox(), Hours(), Scripted(), Scripted()
    courier = Courier("test", Random(3), {"team": team, "ops": ops}, "ops")
    for number, (passed, what) in enumerate(steps):
        if what in {"put", "critical"}:
            severity = CRITICAL if what == "critical" else Severity.WARNING
            news = replace(message(f"sw-{number % 3}", number + 1), severity=severity)
            outbox.put(news, "team", [Part.TEXT], clock())
        team.errors += {"down": [SendError("down")] * 7, "limited": [SendError("wait", retry_after=400.0)]}.get(
            what, []
        )
        until = clock() + timedelta(seconds=passed)
        drain(outbox, courier, clock=clock, wait=clock.wait, until=until)
        clock.now = max(clock.now, until)
    drain(outbox, courier, clock=clock, wait=clock.wait, until=clock() + timedelta(hours=20))
    assert outbox.lanes() == ()
    newest = {}
    for (seq, _, _), item in zip(outbox.states(), outbox.items.values(), strict=False):
        newest[item.delivery.message.key] = max(seq, newest.get(item.delivery.message.key, 0))
    told = [(d.message.key, d.message.seq) for d in (*team.sent, *ops.sent)]
    assert set(newest.items()) <= set(told)
    assert len(told) == len(set(told))
    for key in newest:
        mine = [d.message.seq for d in team.sent if d.message.key == key]
        assert mine == sorted(mine)


def test_nothing_due_is_nothing_done():
    """An empty outbox, or one where all is in the future, yields no outcome."""
    lane, courier = Lane("team", Part.TEXT), Courier("test", Random(1), {})
    assert deliver_once(MemoryOutbox(), lane, courier, lambda: NOW) is None
    outbox = MemoryOutbox()
    outbox.put(message(), "team", [Part.TEXT], later(7200))
    assert run(outbox, team=Scripted())[0] == ()


class Stuck:
    """A notifier that answers only when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def send(self, _: Delivery) -> Receipt:
        self.go.wait(30)
        return Receipt()


def test_a_receiver_that_hangs_delays_no_other():
    """Each lane has a worker of its own; the one that hangs ends when its receiver lets it."""
    outbox, stuck, team = MemoryOutbox(), Stuck(), Scripted()
    outbox.put(message("sw-1"), "hangs", [Part.TEXT], NOW)
    for number in range(20):
        outbox.put(message(f"sw-{number}"), "team", [Part.TEXT], NOW)
    courier = Courier("test", Random(1), {"hangs": stuck, "team": team}, paces={"team": timedelta(0)})
    told = threading.Event()
    crew = Crew(outbox, courier, lambda: datetime.now(UTC), lambda _: None, lambda _: _done(team, told))
    until = datetime.now(UTC) + timedelta(seconds=30)
    assert crew.start(until) >= 1
    assert told.wait(10)
    assert crew.start(until) == 1
    stuck.go.set()
    crew.finish()
    assert outbox.lanes() == ()


def test_a_receiver_that_never_ends_gives_its_lane_back():
    """Within the lease, so that no other worker takes what it holds; it may have arrived."""
    outbox, stuck = queue(message("sw-1"), message("sw-2")), Stuck()
    courier = Courier("test", Random(3), {"team": stuck}, send_seconds=0.05)
    outcome = deliver_once(outbox, Lane("team", Part.TEXT), courier, Hours())
    stuck.go.set()
    assert outcome is not None
    assert (outcome.result, outcome.unknown) == (Result.RETRIED, True)
    assert outcome.error == "its receiver did not come to an end: it took longer than 0.05 s"
    assert SEND_SECONDS < LEASE_SECONDS


def test_what_fails_while_all_is_stopped_is_tried_again_and_nothing_else_is_sent():
    """A critical text whose send fails just then is not overdue; it and the next one stay with their receiver."""
    outbox, stop, outcomes = MemoryOutbox(), threading.Event(), []

    class Stopping:
        def send(self, _: Delivery) -> Receipt:
            stop.set()
            raise SendError("connection refused")

    for name in ("sw-1", "sw-2"):
        outbox.put(replace(message(name), severity=Severity.CRITICAL), "team", [Part.TEXT], NOW)
    courier = Courier("test", Random(1), {"team": Stopping()}, fallback="ops", paces={"team": timedelta(0)})
    crew = Crew(outbox, courier, lambda: NOW, lambda _: None, outcomes.append, stop.is_set)
    assert crew.start(later(60)) == 1
    crew.finish()
    assert [o.result for o in outcomes] == [Result.RETRIED]
    assert outbox.lanes() == (Lane("team", Part.TEXT),)
    assert crew.start(later(60)) == 0


def _done(team: Scripted, told: threading.Event) -> None:
    if len(team.sent) == 20:
        told.set()


def test_an_error_of_the_outbox_leaves_where_workers_are_started():
    """A store that fails is the business of whoever runs the crew, not of a thread that nobody looks at."""

    class Broken(MemoryOutbox):
        def done(self, *_):
            raise OSError("disk full")

    outbox = Broken()
    outbox.put(message(), "team", [Part.TEXT], NOW)
    courier = Courier("test", Random(1), {"team": Scripted()})
    crew = Crew(outbox, courier, lambda: NOW, lambda _: None, lambda _: None)
    crew.start(later(60))
    crew.finish()
    with pytest.raises(OSError, match="disk full"):
        crew.start(later(60))


def test_a_store_that_failed_under_many_lanes_holds_the_next_start_up_once():
    """One error is raised for all of them: deliveries go on at the next look, however many receivers there are."""

    class Broken(MemoryOutbox):
        def done(self, *_):
            raise OSError("disk full")

    outbox = Broken()
    names = [f"team-{number}" for number in range(5)]
    for name in names:
        outbox.put(message(), name, [Part.TEXT], NOW)
    crew = Crew(
        outbox,
        Courier("test", Random(1), {name: Scripted() for name in names}),
        lambda: NOW,
        lambda _: None,
        lambda _: None,
    )
    assert crew.start(later(60)) == 5
    crew.finish()
    with pytest.raises(OSError, match="disk full"):
        crew.start(later(60))
    crew.start(later(60))
    crew.finish()


def test_what_is_being_sent_is_known_until_it_is_settled():
    """By what is held in each lane; what its log lines are about is what is sent."""
    outbox, seen = queue(message("sw-1")), []

    class Looking:
        def send(self, _: Delivery) -> Receipt:
            seen.append(([d.message.key for d in crew.sending()], dict(subject())))
            return Receipt()

    courier = Courier("test", Random(1), {"team": Looking()})
    crew = Crew(outbox, courier, lambda: NOW, lambda _: None, lambda _: None)
    deliver_once(outbox, Lane("team", Part.TEXT), courier, lambda: NOW)
    assert seen == [(["sw-1"], {"receiver": "team", "incident": "sw-1"})]
    assert crew.sending() == ()
