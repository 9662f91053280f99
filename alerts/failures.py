"""What to do about a send that failed: the whole policy, pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from alerts.model import SendError
from alerts.ports import CRITICAL_DEADLINE, Delivery, Part
from rules.model import Severity

FIRST_BACKOFF = timedelta(seconds=1)
LONGEST_BACKOFF = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=24)
GIVE_UP_ATTEMPTS = 250
"""Both must have passed: a day with the daemon switched off is no day of attempts."""
CHART_ATTEMPTS = 3


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
    if delivery.part is Part.FILE:
        return _after_file(delivery, error, now, rng)
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


def _after_file(delivery: Delivery, error: SendError, now: datetime, rng: Random) -> Next:
    """A file is worth as many attempts as a text. It goes to no other receiver: its text does, and takes it along."""
    if error.permanent or error.refused or _spent(delivery, now):
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
