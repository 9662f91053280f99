"""A detector is given what it can work with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rules.duration import format_duration
from rules.model import Direction, Rule
from rules.problem import Problem
from rules.vocabulary import did_you_mean

DECOMPOSING = ("stl", "ets")
"""Detectors of statsmodels, which see one slice at a time, over whole weeks."""


def detector_fits(rule: Rule) -> Iterator[Problem]:
    """Bounds of metrics that the rule has not; buckets too short, or a lookback too short, to decompose."""
    metrics = [metric.name for metric in rule.metrics]
    for metric, _ in rule.detector.bounds:
        if metric not in {"*", *metrics}:
            message = f"'{metric}' is not a metric of {rule.name}"
            span = rule.span(f"detector.threshold.{metric}:")
            yield span.problem("unknown-metric", message, did_you_mean(metric, metrics))
    yield from _bounds_are_told(rule)
    if rule.detector.name in DECOMPOSING:
        yield from _long_enough(rule)


def _bounds_are_told(rule: Rule) -> Iterator[Problem]:
    """At least one bound lies in the direction that is sent."""
    lows = [bounds.low for _, bounds in rule.detector.bounds if bounds.low]
    highs = [bounds.high for _, bounds in rule.detector.bounds if bounds.high]
    told = {Direction.DROP: lows, Direction.SPIKE: highs, Direction.BOTH: [*lows, *highs]}[rule.direction]
    if rule.detector.bounds and not told:
        key = "max" if rule.direction is Direction.DROP else "min"
        message = f"the rule tells {rule.direction.value}s only, and threshold has no bound but {key}"
        yield rule.span("detector.threshold").problem(
            "impossible", message, "write direction: both, or the other bound"
        )


def _long_enough(rule: Rule) -> Iterator[Problem]:
    name, span = rule.detector.name, rule.span("detector")
    if rule.time_bucket < timedelta(hours=1):
        message = f"{name} needs buckets of an hour or more, not {format_duration(rule.time_bucket)}"
        yield span.problem("impossible", message, "lengthen time_bucket, or write detector: default")
    if rule.lookback < timedelta(days=21):
        message = f"{name} needs a lookback of three weeks, not {format_duration(rule.lookback)}"
        yield span.problem("impossible", message, "lengthen baseline.lookback, or write detector: default")
