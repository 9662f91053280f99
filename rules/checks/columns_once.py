"""Each column and metric of a rule has one part to play."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem


def columns_once(rule: Rule) -> Iterator[Problem]:
    """A dimension named twice, the time column as a dimension, a metric named twice."""
    for index, name in enumerate(rule.dimensions):
        span = rule.span(f"dimensions.{index}")
        if name in rule.dimensions[:index]:
            yield span.problem("duplicate-dimension", f"'{name}' is a dimension already", "remove one")
        if name == rule.timestamp.column:
            yield span.problem("time-as-dimension", f"'{name}' is the timestamp", "slice by another column")
    for index, metric in enumerate(rule.metrics):
        if metric in rule.metrics[:index]:
            span = rule.span(f"metrics.{index}")
            yield span.problem("duplicate-metric", f"'{metric.name}' is a metric already", "remove one")
