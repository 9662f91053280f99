"""When a daemon looks at a rule: soon after each of its ticks, spread out, and now and then besides."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

from rules.cron import Cron
from rules.model import Rule

LONGEST_WAKE = timedelta(minutes=15)
"""A rule looks for due ticks at least this often: what was missed is caught up soon."""
MOST_OFFSET = 30
"""Seconds over which the rules of one schedule are spread, by a hash of their names."""
SPREAD = timedelta(seconds=5)
"""By up to so much later than others each daemon on a shared store looks at a rule: where it comes second, it finds the
work begun or done, and it comes first for as many rules as any other."""
SLACK = timedelta(seconds=0.5)
"""Later by so much than meant: the clocks of a machine and of a store never agree wholly, and a look too early finds nothing."""


class Wakes(BaseTrigger):  # type: ignore[misc]  # the library ships no types
    """When a rule looks for due ticks: soon after each of them, by its own few seconds, and every quarter of an hour.

    Times are by `now`; without it, by the library's own clock, which is the machine's. `own` names the daemon among
    several: of those each comes first for its share of the rules.
    """

    def __init__(self, rule: Rule, now: Callable[[], datetime] | None = None, own: str = "") -> None:
        self._now = now
        schedule, self._zone = rule.schedule, ZoneInfo(rule.timezone)
        gap = schedule.shortest_gap() if isinstance(schedule, Cron) else schedule
        self._cron = schedule if isinstance(schedule, Cron) else None
        self._every = min(gap, LONGEST_WAKE)
        most = min(MOST_OFFSET, max(1, int(gap.total_seconds()) // 10))
        # Those that may hold it back have spoken by then, as a rule: a message too many is all that hangs on it.
        later = most if rule.inhibited_by else 0
        self._offset = timedelta(seconds=zlib.crc32(rule.name.encode()) % most + later)
        if own:
            share = zlib.crc32(f"{own} {rule.name}".encode()) / 2**32
            self._offset += share * min(SPREAD, gap / 20)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:  # noqa: ARG002  # the library's signature
        """The next wake after `now`, for the library."""
        here = now if self._now is None else self._now()
        before = here - self._offset
        following = _next_multiple(before, self._every)
        if self._cron is not None:
            following = min(self._cron.next_after(before, self._zone), _next_multiple(before, LONGEST_WAKE))
        slack = timedelta(0) if self._now is None else SLACK
        return now + (following + self._offset - here) + slack


def _next_multiple(now: datetime, every: timedelta) -> datetime:
    step = int(every.total_seconds())
    return datetime.fromtimestamp((int(now.timestamp()) // step + 1) * step, UTC)
