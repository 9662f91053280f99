"""`depth` counts dimensions that exist."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem


def depth_within_dimensions(rule: Rule) -> Iterator[Problem]:
    """A depth beyond the rule's dimensions, where the rule writes it itself: a default is for rules of all sizes."""
    width = len(rule.dimensions)
    if rule.depth <= width:
        return
    span = rule.span("depth")
    if "depth" in dict(rule.spans) and span.place >= rule.place:
        message = f"a depth of {rule.depth} is more than the {width} there are: are dimensions missing?"
        yield span.problem("depth-beyond", message, f"write {width}, or add dimensions", "warning")
