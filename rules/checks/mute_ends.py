"""A mute ends: a rule that is never sent says so with its mode."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rules.model import Mute, Rule
from rules.problem import Problem

WINDOWS = 200
"""So many windows one after another without a gap are taken for all of time."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def mute_ends(rule: Rule) -> Iterator[Problem]:
    """A window that begins before the one before it is over, again and again, mutes for ever."""
    zone = ZoneInfo(rule.timezone)
    for index, mute in enumerate(rule.mute):
        if _lasts(mute, zone):
            span = rule.span(f"mute.{index}.duration")
            hint = "write a shorter duration; or mode: shadow, where nothing is ever to be sent"
            yield span.problem("impossible", "no window ends before the next one begins: it is always muted", hint)


def _lasts(mute: Mute, zone: ZoneInfo) -> bool:
    moment = mute.cron.next_after(BEGIN, zone)
    for _ in range(WINDOWS):
        window = mute.cron.covering(moment, mute.duration, zone)
        if window is None:
            return False
        moment = window[1]
    return True
