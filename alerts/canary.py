"""What is said of a canary that did not arrive, and of the next one that does. Pure."""

from __future__ import annotations

from datetime import datetime

from alerts.message import PUSH_LENGTH, TITLE_LENGTH
from alerts.model import Change, Message, State
from alerts.wording import clean, instant, shorten
from rules.model import Severity

LOST, CAME = 1, 2
"""Numbers of the messages of a thread."""
SUBJECT = "slicewatch"
WHY_LENGTH = 600


def canary_lost(key: str, receiver: str, due: datetime, problem: str) -> Message:
    """A slice was dropped on purpose, and nobody at the receiver heard of it: real losses may go unheard as well."""
    why = clean(problem, WHY_LENGTH)
    return Message(
        key=key,
        seq=LOST,
        rule=SUBJECT,
        change=Change.OPENED,
        state=State.FIRING,
        severity=Severity.CRITICAL,
        push=shorten(f"CRITICAL the canary of {instant(due)} did not arrive: {why}", PUSH_LENGTH),
        title=shorten(f"CRITICAL slicewatch: the canary of {instant(due)} did not arrive", TITLE_LENGTH),
        summary=(
            f"A slice of made-up events was dropped on purpose, and the news of it did not arrive at {clean(receiver, 60)}: {why}.",
            "What happens to real slices may go untold in the same way.",
        ),
        facts=(),
        footer="what waits and what was given up: slicewatch deliveries",
        broadcast=True,
    )


def canary_came(key: str, receiver: str, due: datetime) -> Message:
    """The next one did arrive."""
    return Message(
        key=key,
        seq=CAME,
        rule=SUBJECT,
        change=Change.RESOLVED,
        state=State.RESOLVED,
        severity=Severity.CRITICAL,
        push=shorten(f"RESOLVED the canary of {instant(due)} arrived", PUSH_LENGTH),
        title=shorten(f"RESOLVED slicewatch: the canary of {instant(due)} arrived", TITLE_LENGTH),
        summary=(f"The news of a slice that was dropped on purpose arrived at {clean(receiver, 60)} again.",),
        facts=(),
        footer="what waits and what was given up: slicewatch deliveries",
        broadcast=True,
    )
