"""Trying a receiver: an incident that never was, told from its beginning to its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.model import Change, Fact, Message, Receipt, Reprocess, SendError, Series, State, Stretch
from alerts.notifiers.abilities import ABILITIES, NO
from alerts.ports import Delivery, Notifier, Part
from rules.model import Severity
from rules.slices import Slice

PATIENCE = 30.0
"""Seconds that a receiver may ask to wait before the test gives up."""
HOURS = 48
LOST = 6
NOTHING_IS_WRONG = (
    "Nothing is wrong, and there is nothing to do: somebody tries whether messages of slicewatch arrive here."
)


@dataclass(frozen=True)
class Attempt:
    """One thing that was sent, and what came of it."""

    what: str
    error: SendError | None = None
    remark: str = ""


def try_out(
    notifier: Notifier, first: Message, kind: str, at: datetime, wait: Callable[[float], None]
) -> Iterator[Attempt]:
    """Send a message, its end, and chart and file where the kind carries them by themselves; stops at what fails.

    `wait` is called with the seconds that a receiver asks for, up to `PATIENCE`.
    """
    root: Receipt | None = None
    for what, message, part in _course(first, kind):
        delivery = Delivery(f"{message.key}/{message.seq}/{part}", "", part, message, 0, at, root)
        receipt, made = _send(notifier, delivery, what, wait)
        yield made
        if receipt is None:
            return
        root = root or receipt


def _course(first: Message, kind: str) -> Iterator[tuple[str, Message, Part]]:
    able = ABILITIES[kind]
    yield "a message", first, Part.TEXT
    if able.threads != NO and able.chart.startswith("in the thread"):
        yield "its chart", first, Part.CHART
    yield "that it is over", over(first), Part.TEXT
    if able.threads != NO and able.file.startswith("in the thread"):
        yield "a file", over(first), Part.FILE


def _send(
    notifier: Notifier, delivery: Delivery, what: str, wait: Callable[[float], None]
) -> tuple[Receipt | None, Attempt]:
    """Send once, and once more where the receiver asks to wait or does not take the rich form."""
    try:
        return notifier.send(delivery), Attempt(what)
    except SendError as error:
        again = _again(delivery, error, wait)
        if again is None:
            return None, Attempt(what, error)
    try:
        remark = "as plain text: its rich form was refused" if again.plain else "after the wait that was asked for"
        return notifier.send(again), Attempt(what, remark=remark)
    except SendError as error:
        return None, Attempt(what, error)


def _again(delivery: Delivery, error: SendError, wait: Callable[[float], None]) -> Delivery | None:
    """What to try next, if anything."""
    if error.refused:
        return replace(delivery, plain=True)
    if error.retry_after is not None and error.retry_after <= PATIENCE:
        wait(error.retry_after)
        return delivery
    return None


# --- what is sent ----------------------------------------------------------------------------------------------


def made_up(receiver: str, severity: Severity, at: datetime) -> Message:
    """The first message. Nobody can take it for an incident."""
    return Message(
        key=f"sw-test-{int(at.timestamp())}",
        seq=1,
        rule="slicewatch-test",
        change=Change.OPENED,
        state=State.FIRING,
        severity=severity,
        push="TEST of slicewatch: nothing is wrong. It is told in a moment that this is over.",
        title="TEST of slicewatch: nothing is wrong",
        summary=(NOTHING_IS_WRONG, "It is told in a moment that this is over."),
        facts=(Fact("Receiver", receiver), Fact("Sent", f"{at:%Y-%m-%d %H:%M} UTC", at)),
        footer=f"slicewatch send-test {receiver}",
        chart=_line(at, lost=True),
        total_chart=_line(at, lost=False),
        since=at - timedelta(hours=LOST),
    )


def over(first: Message) -> Message:
    """The message that the test is over."""
    since = first.since
    lost = (Stretch(Slice(), since, since + timedelta(hours=LOST), 0.0, 0.0),) if since is not None else ()
    return replace(
        first,
        seq=first.seq + 1,
        change=Change.RESOLVED,
        state=State.RESOLVED,
        push="TEST of slicewatch: it is over. What arrived here will arrive in earnest.",
        title="TEST of slicewatch: it is over",
        summary=(NOTHING_IS_WRONG, "It is over. What arrived here will arrive in earnest."),
        chart=None,
        total_chart=None,
        reprocess=Reprocess("nowhere", "count", (), lost),
    )


def _line(at: datetime, *, lost: bool) -> Series:
    """Two days of made-up events, the last hours of which are lost, or not."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    starts = tuple(hour - timedelta(hours=HOURS - n) for n in range(HOURS))
    expected = tuple(round(1_000 + 500 * math.sin(start.hour * math.pi / 12)) for start in starts)
    gone = [lost and n >= HOURS - LOST for n in range(HOURS)]
    observed = tuple(0.0 if none else float(value) for none, value in zip(gone, expected, strict=True))
    low, high = tuple(0.9 * value for value in expected), tuple(1.1 * value for value in expected)
    return Series(starts, observed, tuple(map(float, expected)), low, high)
