"""What to do about a send that failed."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from alerts.failures import (
    CHART_ATTEMPTS,
    GIVE_UP_AFTER,
    GIVE_UP_ATTEMPTS,
    LONGEST_BACKOFF,
    Dead,
    Reroute,
    Retry,
    after_failure,
    backoff,
)
from alerts.model import SendError
from alerts.ports import CRITICAL_DEADLINE, Delivery, Part
from rules.model import Severity
from tests.contracts.outbox_contract import NOW, later, message


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


def test_a_file_is_tried_as_long_as_a_text_and_goes_to_no_other():
    """Its text goes to the fallback where it has to, and takes it along."""
    file = delivery(Part.FILE, CRITICAL, attempts=CHART_ATTEMPTS)
    assert isinstance(after(file, DOWN), Retry)
    assert after(file, GONE) == Dead()
    spent = replace(file, attempts=GIVE_UP_ATTEMPTS)
    assert after(spent, DOWN, GIVE_UP_AFTER.total_seconds()) == Dead()


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
