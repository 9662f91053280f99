"""A mute leaves some evaluations of a rule of days: one that is always evaluated within it tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rules.model import Rule
from rules.problem import Problem

DAYS = 40
"""So many evaluations in a row within a mute are taken for all of them: none that comes once a month is missed."""
BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001  local midnight, in whatever zone
DAY = timedelta(days=1)


def mute_leaves_evaluations(rule: Rule) -> Iterator[Problem]:
    """A rule that is evaluated once a day, always at the same time, is not muted at that time of every day."""
    if rule.time_bucket < DAY or rule.schedule != rule.time_bucket:
        return
    zone = ZoneInfo(rule.timezone)
    midnights = [(BEGIN + n * rule.time_bucket).replace(tzinfo=zone).astimezone(UTC) for n in range(DAYS)]
    ticks = [midnight + rule.detection_delay for midnight in midnights]
    for index, mute in enumerate(rule.mute):
        if all(mute.cron.covering(tick, mute.duration, zone) is not None for tick in ticks):
            at = f"{ticks[0].astimezone(zone):%H:%M}"
            span = rule.span(f"mute.{index}.cron")
            message = f"the rule is evaluated at {at} only, which always lies within this mute: it would tell nothing"
            yield span.problem("impossible", message, "move the mute, or detection_delay, or write a schedule: 1h")
