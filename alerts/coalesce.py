"""Several news of one incident that wait for one receiver, told as one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alerts.message import MESSAGE_LENGTH
from alerts.model import Change, Message

MOST_PASSED = 5
"""Earlier news that are repeated in the newest; more are counted."""


def combined(waiting: Sequence[Message], *, told_before: bool) -> Message:
    """The newest of the messages, saying what those before it said; `told_before`: the receiver knows the incident.

    What would have gone to the channel as well still does.
    """
    *passed, newest = waiting
    if passed and newest.change is Change.LOCATED:
        # It says all that the one before it says, and where the loss sits.
        newest = replace(newest, change=passed[-1].change, broadcast=newest.broadcast or passed[-1].broadcast)
        passed = passed[:-1]
    if not passed:
        return newest
    shown = [message.push for message in passed][-MOST_PASSED:]
    more = len(passed) - len(shown)
    first = "What could not be delivered in between" if told_before else "You hear of it only now; what came before"
    lines = [f"{first}:", *([f"• {more} more"] if more else []), *(f"• {push}" for push in shown)]
    earlier = "\n".join(lines)
    fits = sum(map(len, newest.summary)) + len(earlier) < MESSAGE_LENGTH // 2
    summary = (*newest.summary, earlier) if fits else newest.summary
    return replace(newest, summary=summary, broadcast=any(message.broadcast for message in waiting))
