"""A bucket is judged when it is over, not hours later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rules.duration import format_duration
from rules.model import Rule
from rules.problem import Problem

HOUR = timedelta(hours=1)


def schedule_within_bucket(rule: Rule) -> Iterator[Problem]:
    """A schedule of several buckets and more than an hour (cron says its hours on purpose): short buckets were asked for, and nobody looks at them."""
    if isinstance(rule.schedule, timedelta) and rule.schedule > max(HOUR, 3 * rule.time_bucket):
        schedule, bucket = format_duration(rule.schedule), format_duration(rule.time_bucket)
        message = f"buckets of {bucket} are judged every {schedule}: a loss is told up to {schedule} late"
        yield rule.span("schedule").problem("late-schedule", message, f"write {bucket} or less", "warning")
