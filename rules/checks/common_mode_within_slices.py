"""`baseline.common_mode` names dimensions of the rule, and leaves slices to lie within its regions."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.vocabulary import did_you_mean


def common_mode_within_slices(rule: Rule) -> Iterator[Problem]:
    """A dimension that is none of the rule's is an error; regions that no slice can lie within change nothing."""
    for index, name in enumerate(rule.common_mode):
        if name not in rule.dimensions:
            message = f"'{name}' is not a dimension of {rule.name}"
            span = rule.span(f"baseline.common_mode.{index}")
            yield span.problem("unknown-dimension", message, did_you_mean(name, rule.dimensions))
    count, deepest = len(set(rule.common_mode)), min(rule.depth, len(rule.dimensions))
    if count and count >= deepest:
        message = f"'common_mode' has no effect: its regions name {count} of the {deepest} dimensions that a slice names at most"
        hint = "name fewer, or raise depth" if deepest < len(rule.dimensions) else "name fewer"
        yield rule.span("baseline.common_mode:").problem("no-effect", message, hint, "warning")
