"""Each column and metric of a rule has one part to play."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem


def columns_once(rule: Rule) -> Iterator[Problem]:
    """A dimension named twice, a time column as a dimension or as two times, a metric named twice."""
    if rule.arrived_at is not None and rule.arrived_at.column == rule.timestamp.column:
        message = f"'{rule.timestamp.column}' is the timestamp: by it no event is ever late"
        yield rule.span("arrived_at.column").problem("same-time", message, "name another column, or remove the key")
    for index, name in enumerate(rule.dimensions):
        at = f"dimensions.{index}"
        if name in rule.dimensions[:index]:
            yield rule.span(at).problem("duplicate-dimension", f"'{name}' is a dimension already", "remove one")
        if name == rule.timestamp.column:
            yield rule.span(at).problem("time-as-dimension", f"'{name}' is the timestamp", "slice by another column")
        elif rule.arrived_at is not None and name == rule.arrived_at.column:
            yield rule.span(at).problem(
                "time-as-dimension", f"'{name}' is the time of arrival", "slice by another column"
            )
    for index, metric in enumerate(rule.metrics):
        if metric in rule.metrics[:index]:
            span = rule.span(f"metrics.{index}")
            yield span.problem("duplicate-metric", f"'{metric.name}' is a metric already", "remove one")
