"""`baseline.common_mode` names dimensions, and is not used yet: the rule runs without it."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.vocabulary import did_you_mean


def common_mode_later(rule: Rule) -> Iterator[Problem]:
    """A dimension that is none of the rule's is an error; what is sound is told to have no effect."""
    for index, name in enumerate(rule.common_mode):
        if name not in rule.dimensions:
            message = f"'{name}' is not a dimension of {rule.name}"
            span = rule.span(f"baseline.common_mode.{index}")
            yield span.problem("unknown-dimension", message, did_you_mean(name, rule.dimensions))
    if rule.common_mode:
        message = "'common_mode' has no effect yet: what moves everything at once is taken over all slices together"
        yield rule.span("baseline.common_mode:").problem("no-effect", message, "the rule runs", "warning")
