"""There is history to compare with when a bucket is judged."""

from __future__ import annotations

from collections.abc import Iterator

from rules.duration import format_duration
from rules.model import Rule
from rules.problem import Problem


def delay_within_lookback(rule: Rule) -> Iterator[Problem]:
    """A delay as long as the lookback, or a lookback of less than a week of buckets."""
    lookback, delay = format_duration(rule.lookback), format_duration(rule.detection_delay)
    if rule.detection_delay >= rule.lookback:
        message = f"a delay of {delay} leaves nothing of the lookback of {lookback}"
        yield rule.span("detection_delay").problem("impossible", message, "shorten detection_delay")
    if rule.lookback < 7 * rule.time_bucket:
        message = f"a lookback of {lookback} holds fewer than 7 buckets of {format_duration(rule.time_bucket)}"
        yield rule.span("baseline.lookback").problem("impossible", message, "lengthen baseline.lookback")
