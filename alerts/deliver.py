"""Delivering what was decided: claim, send, and settle what became of it, one lane at a time.

A lane is what waits for one receiver, texts, charts and files apart, so that these delay no text. `drain` goes through
lanes one step after another; `alerts.crew` gives each a thread of its own. What to do about a failure stands in
`alerts.failures`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from alerts.about import about
from alerts.breaker import Breaker
from alerts.failures import Dead, Next, Reroute, Retry, after_failure
from alerts.links import linked
from alerts.model import Receipt, SendError
from alerts.ports import Delivery, Lane, Notifier, Outbox, Part
from alerts.time_limit import within

PACE = timedelta(seconds=1)
"""Between two messages to one receiver, unless it says otherwise: what chat services allow a channel."""
SEND_SECONDS = 50.0
"""What a send may take in all. Receivers answer within seconds; one that sends a byte now and then never ends by itself."""
LEASE_SECONDS = 60.0
"""Longer than a send may take: then a claim counts as abandoned."""


@dataclass
class Traffic:
    """When a lane may be sent to again. One worker at a time uses it."""

    pace: timedelta = PACE
    breaker: Breaker = field(default_factory=Breaker)
    sent_at: datetime | None = None
    asked_until: datetime | None = None
    """The receiver asked to be left alone until then."""

    def free_at(self, now: datetime) -> datetime:
        """When the next may be sent; `now` at the earliest."""
        turn = self.sent_at + self.pace if self.sent_at is not None else now
        return max(now, turn, self.rests_until(now))

    def rests_until(self, now: datetime) -> datetime:
        """Until when the receiver takes nothing; `now` where it does."""
        return max(now, self.breaker.until or now, self.asked_until or now)

    def sent(self, now: datetime, error: SendError | None) -> None:
        """Learn from a send that ended, well or with an error."""
        self.sent_at = now
        if error is None or error.permanent or error.refused or error.retry_after is not None:
            self.breaker.answered()
        else:
            self.breaker.failed(now)
        if error is not None and error.retry_after is not None:
            self.asked_until = now + timedelta(seconds=error.retry_after)


class Result(StrEnum):
    """What became of one claimed delivery."""

    SENT = "sent"
    RETRIED = "retried"
    DEAD = "dead"
    REROUTED = "rerouted"


@dataclass(frozen=True)
class Outcome:
    """One delivery's fate, for the log and for counting."""

    delivery: Delivery
    result: Result
    error: str = ""
    at: datetime | None = None
    """When it is tried again."""
    receiver: str = ""
    """Where it was rerouted to."""
    unknown: bool = False
    """The receiver may have got it all the same, and may get it twice."""


@dataclass
class Courier:
    """What delivers: its notifiers, and what it knows of each lane. `owner` names it in the leases it holds."""

    owner: str
    rng: Random
    notifiers: Mapping[str, Notifier]
    fallback: str | None = None
    paces: Mapping[str, timedelta] = field(default_factory=dict)
    """Least time between two messages, by receiver."""
    lease_seconds: float = LEASE_SECONDS
    send_seconds: float = SEND_SECONDS
    pages: str | None = None
    """Address of the site that shows incidents, where there is one that others reach."""
    lanes: dict[Lane, Traffic] = field(default_factory=dict)
    sending: dict[Lane, Delivery] = field(default_factory=dict)
    """What is claimed and not settled at this moment."""

    def traffic(self, lane: Lane) -> Traffic:
        """What is known of a lane."""
        return self.lanes.setdefault(lane, Traffic(self.paces.get(lane.receiver, PACE)))

    def other(self, lane: Lane) -> str | None:
        """Where a text goes that this lane does not deliver; None where there is no such place."""
        return None if lane.part is not Part.TEXT or self.fallback == lane.receiver else self.fallback


def deliver_once(outbox: Outbox, lane: Lane, courier: Courier, clock: Callable[[], datetime]) -> Outcome | None:
    """Claim one delivery of a lane, send it and settle it; None where nothing is due or the lane rests.

    No error of a receiver leaves here: it is settled and stands in the outcome. Errors of the outbox do leave.
    """
    now, traffic = clock(), courier.traffic(lane)
    if traffic.rests_until(now) > now:
        return _pass_on(outbox, lane, courier, now)
    if traffic.free_at(now) > now:
        return None
    delivery = outbox.claim(now, courier.owner, courier.lease_seconds, lane)
    if delivery is None:
        return None
    courier.sending[lane] = delivery
    try:
        with about(receiver=delivery.receiver, incident=delivery.message.key):
            return _deliver(outbox, lane, courier, clock, delivery)
    finally:
        del courier.sending[lane]


def _deliver(
    outbox: Outbox, lane: Lane, courier: Courier, clock: Callable[[], datetime], delivery: Delivery
) -> Outcome:
    """Send what was claimed, and settle it."""
    traffic, sent = courier.traffic(lane), _send(delivery, courier)
    now = clock()
    traffic.sent(now, sent if isinstance(sent, SendError) else None)
    if isinstance(sent, Receipt):
        outbox.done(delivery, sent, now)
        return Outcome(delivery, Result.SENT)
    outcome = _settle(outbox, delivery, sent, now, after_failure(delivery, sent, now, courier.rng, courier.fallback))
    if traffic.rests_until(now) > now:
        outbox.rest(lane, traffic.rests_until(now), now)
    return outcome


def next_step(outbox: Outbox, lane: Lane, courier: Courier, now: datetime) -> datetime | None:
    """When `deliver_once` has something to do in a lane; `now` at the earliest, None where nothing waits."""
    traffic = courier.traffic(lane)
    rests = traffic.rests_until(now)
    if rests <= now:
        due = outbox.next_due(now, lane)
        return None if due is None else max(due, traffic.free_at(now))
    deadline = outbox.next_deadline(now, lane) if courier.other(lane) is not None else None
    return rests if deadline is None else min(rests, max(now, deadline))


def drain(
    outbox: Outbox,
    courier: Courier,
    *,
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
    until: datetime,
    only: Lane | None = None,
) -> tuple[Outcome, ...]:
    """Deliver everything that becomes due before `until`, of one lane or of all; what is due later stays in the outbox.

    `wait` is called with the seconds until the next delivery is due.
    """
    outcomes: list[Outcome] = []
    while clock() < until:
        lanes = outbox.lanes() if only is None else (only,)
        done = [found for lane in lanes if (found := deliver_once(outbox, lane, courier, clock)) is not None]
        outcomes += done
        if done:
            continue
        now = clock()
        steps = [step for lane in lanes if (step := next_step(outbox, lane, courier, now)) is not None]
        if not steps or min(steps) >= until:
            break
        wait(max((min(steps) - now).total_seconds(), 0.01))
    return tuple(outcomes)


def _pass_on(outbox: Outbox, lane: Lane, courier: Courier, now: datetime) -> Outcome | None:
    """While a receiver takes nothing, a critical text whose time is up goes to the fallback unsent."""
    other = courier.other(lane)
    if other is None:
        return None
    delivery = outbox.claim(now, courier.owner, courier.lease_seconds, lane, overdue=True)
    if delivery is None:
        return None
    return _settle(outbox, delivery, SendError("its receiver takes nothing at present"), now, Reroute(other))


def _send(delivery: Delivery, courier: Courier) -> Receipt | SendError:
    notifier = courier.notifiers.get(delivery.receiver)
    if notifier is None:
        return SendError(f"there is no receiver {delivery.receiver!r}", permanent=True)
    try:
        said = replace(delivery, message=linked(delivery.message, courier.pages))
        return within(courier.send_seconds, lambda: notifier.send(said))
    except SendError as error:
        return error
    except TimeoutError as error:
        return SendError(f"its receiver did not come to an end: it {error}", unknown=True)
    except Exception as error:  # noqa: BLE001  # one message that a notifier trips over must not stop all others
        return SendError(f"{type(error).__name__}: {error}", unknown=True)


def _settle(outbox: Outbox, delivery: Delivery, error: SendError, now: datetime, then: Next) -> Outcome:
    text = str(error)
    match then:
        case Retry(at, counts, plain):
            plain = plain or delivery.plain
            outbox.retry(delivery, at, text, counts=counts, plain=plain, in_doubt=error.unknown)
            return Outcome(delivery, Result.RETRIED, text, at=at, unknown=error.unknown)
        case Reroute(receiver):
            outbox.reroute(delivery, receiver, text, now)
            return Outcome(delivery, Result.REROUTED, text, receiver=receiver, unknown=error.unknown)
        case Dead():
            outbox.dead(delivery, text, now)
            return Outcome(delivery, Result.DEAD, text, unknown=error.unknown)
