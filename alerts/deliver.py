"""Delivering what was decided: claim, send, and settle what became of it.

`after_failure` is the whole policy of what to do about a send that failed, and is pure. `deliver_once` and
`drain` carry it out; any number of them may run on one outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from alerts.model import Receipt, SendError
from alerts.ports import Delivery, Notifier, Outbox, Part
from rules.model import Severity

FIRST_BACKOFF = timedelta(seconds=1)
LONGEST_BACKOFF = timedelta(minutes=5)
CRITICAL_DEADLINE = timedelta(minutes=5)
"""A critical text that is this old and undelivered goes to the fallback."""
GIVE_UP_AFTER = timedelta(hours=24)
GIVE_UP_ATTEMPTS = 250
"""Both must have passed: a day with the daemon switched off is no day of attempts."""
CHART_ATTEMPTS = 3
PACE = timedelta(seconds=1)
"""Between two messages to one receiver: what chat services allow a channel."""


# --- what to do about a failure --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Retry:
    """Try again at `at`; it counts as an attempt unless the receiver itself asked to wait."""

    at: datetime
    counts: bool = True
    plain: bool = False


@dataclass(frozen=True)
class Dead:
    """Give up here."""


@dataclass(frozen=True)
class Reroute:
    """Give up here and send it to another receiver."""

    receiver: str


Next = Retry | Dead | Reroute


def after_failure(delivery: Delivery, error: SendError, now: datetime, rng: Random, fallback: str | None) -> Next:
    """What becomes of a delivery whose send failed with `error`.

    `fallback` is the operators' receiver, None where there is none; it is never its own fallback.
    """
    if delivery.part is Part.CHART:
        return _after_chart(delivery, error, now, rng)
    other = None if fallback == delivery.receiver else fallback
    give_up: Next = Reroute(other) if other is not None else Dead()
    if error.refused and not delivery.plain:
        return Retry(now, counts=False, plain=True)
    if error.permanent or error.refused:
        return give_up
    again = _again(delivery, error, now, rng)
    if _spent(delivery, now):
        return give_up
    if delivery.message.severity is not Severity.CRITICAL or other is None:
        return again
    return _in_time(delivery, again, now, other)


def _after_chart(delivery: Delivery, error: SendError, now: datetime, rng: Random) -> Next:
    """A chart is worth a few attempts and nobody's sleep."""
    old = now - delivery.created_at >= GIVE_UP_AFTER
    if error.permanent or error.refused or old or delivery.attempts + 1 >= CHART_ATTEMPTS:
        return Dead()
    return _again(delivery, error, now, rng)


def _again(delivery: Delivery, error: SendError, now: datetime, rng: Random) -> Retry:
    if error.retry_after is not None:
        return Retry(now + timedelta(seconds=error.retry_after), counts=False)
    return Retry(now + backoff(delivery.attempts, rng))


def _spent(delivery: Delivery, now: datetime) -> bool:
    return now - delivery.created_at >= GIVE_UP_AFTER and delivery.attempts + 1 >= GIVE_UP_ATTEMPTS


def _in_time(delivery: Delivery, again: Retry, now: datetime, other: str) -> Next:
    """A critical text takes the other way once its time is up, or once it is known not to make it."""
    deadline = delivery.created_at + CRITICAL_DEADLINE
    if now >= deadline or (not again.counts and again.at >= deadline):
        return Reroute(other)
    return Retry(min(again.at, deadline), counts=again.counts)


def backoff(attempts: int, rng: Random) -> timedelta:
    """The wait after the attempt before which there were `attempts`: doubling, capped, the last half by chance."""
    whole = min(LONGEST_BACKOFF, FIRST_BACKOFF * (1 << min(attempts, 16)))
    return whole * (0.5 + 0.5 * rng.random())


# --- pace ------------------------------------------------------------------------------------------------------


@dataclass
class Pace:
    """When each receiver may be sent to again. A delivery that has to wait keeps its turn."""

    interval: timedelta = PACE
    sent_at: dict[str, datetime] = field(default_factory=dict)
    """When each receiver was last sent to."""
    free_at: dict[str, datetime] = field(default_factory=dict)
    """The first turn nobody has, by receiver."""
    turns: dict[str, datetime] = field(default_factory=dict)
    """Turns given out and not yet taken, by delivery."""

    def turn(self, delivery: Delivery, now: datetime) -> datetime:
        """When this delivery may be sent: `now`, and then it counts as sent, or a later turn of its own."""
        receiver = delivery.receiver
        rested = self.sent_at[receiver] + self.interval if receiver in self.sent_at else now
        own = self.turns.pop(delivery.id, None) or self.free_at.get(receiver, now)
        at = max(now, rested, own)
        self.free_at[receiver] = max(at + self.interval, self.free_at.get(receiver, at))
        if at > now:
            self._give(delivery, at, now)
        else:
            self.sent_at[receiver] = now
        return at

    def _give(self, delivery: Delivery, at: datetime, now: datetime) -> None:
        # A turn that nobody took was taken over by another loop.
        self.turns = {item: turn for item, turn in self.turns.items() if turn > now - 10 * self.interval}
        self.turns[delivery.id] = at


# --- the loop --------------------------------------------------------------------------------------------------


class Result(StrEnum):
    """What became of one claimed delivery."""

    SENT = "sent"
    WAITS = "waits"
    """Its receiver was sent to a moment ago."""
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
    """What one delivering loop has of its own. `owner` names it in the leases it holds."""

    owner: str
    rng: Random
    fallback: str | None = None
    lease_seconds: float = 120.0
    pace: Pace = field(default_factory=Pace)


def deliver_once(outbox: Outbox, notifiers: Mapping[str, Notifier], now: datetime, courier: Courier) -> Outcome | None:
    """Claim one delivery, send it and settle it; None where nothing is due.

    No error of a receiver leaves here: it is settled and stands in the outcome. Errors of the outbox do leave.
    """
    delivery = outbox.claim(now, courier.owner, courier.lease_seconds)
    if delivery is None:
        return None
    turn = courier.pace.turn(delivery, now)
    if turn > now:
        outbox.retry(delivery, turn, "waits for its turn", counts=False, plain=delivery.plain)
        return Outcome(delivery, Result.WAITS, at=turn)
    sent = _send(delivery, notifiers)
    if isinstance(sent, Receipt):
        outbox.done(delivery, sent, now)
        return Outcome(delivery, Result.SENT)
    return _settle(outbox, delivery, sent, now, after_failure(delivery, sent, now, courier.rng, courier.fallback))


def drain(
    outbox: Outbox,
    notifiers: Mapping[str, Notifier],
    courier: Courier,
    *,
    clock: Callable[[], datetime],
    wait: Callable[[float], None],
    until: datetime,
) -> tuple[Outcome, ...]:
    """Deliver everything that becomes due before `until`; what is due later stays in the outbox.

    `wait` is called with the seconds until the next delivery is due.
    """
    outcomes: list[Outcome] = []
    while (now := clock()) < until:
        outcome = deliver_once(outbox, notifiers, now, courier)
        if outcome is not None:
            outcomes.append(outcome)
            continue
        due = outbox.next_due(now)
        if due is None or due >= until:
            break
        wait(max((due - now).total_seconds(), 0.01))
    return tuple(outcomes)


def _send(delivery: Delivery, notifiers: Mapping[str, Notifier]) -> Receipt | SendError:
    notifier = notifiers.get(delivery.receiver)
    if notifier is None:
        return SendError(f"there is no receiver {delivery.receiver!r}", permanent=True)
    try:
        return notifier.send(delivery)
    except SendError as error:
        return error
    except Exception as error:  # noqa: BLE001  # one message that a notifier trips over must not stop all others
        return SendError(f"{type(error).__name__}: {error}", unknown=True)


def _settle(outbox: Outbox, delivery: Delivery, error: SendError, now: datetime, then: Next) -> Outcome:
    text = str(error)
    match then:
        case Retry(at, counts, plain):
            outbox.retry(delivery, at, text, counts=counts, plain=plain or delivery.plain)
            return Outcome(delivery, Result.RETRIED, text, at=at, unknown=error.unknown)
        case Reroute(receiver):
            outbox.reroute(delivery, receiver, text, now)
            return Outcome(delivery, Result.REROUTED, text, receiver=receiver, unknown=error.unknown)
        case Dead():
            outbox.dead(delivery, text, now)
            return Outcome(delivery, Result.DEAD, text, unknown=error.unknown)
