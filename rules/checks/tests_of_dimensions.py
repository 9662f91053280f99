"""`known` and `tests` speak of the rule's own dimensions."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.vocabulary import did_you_mean


def tests_of_dimensions(rule: Rule) -> Iterator[Problem]:
    """Dimensions that are not the rule's, wherever a slice is written."""
    for path, name in _named(rule):
        if name not in rule.dimensions:
            message = f"'{name}' is not a dimension of {rule.name}"
            yield rule.span(f"{path}.{name}:").problem(
                "unknown-dimension", message, did_you_mean(name, rule.dimensions)
            )


def _named(rule: Rule) -> Iterator[tuple[str, str]]:
    """(path of a slice, dimension that it names)."""
    for i, known in enumerate(rule.known):
        yield from ((f"known.{i}.slice", name) for name in known.slice.dimensions)
    for i, test in enumerate(rule.tests):
        for j, item in enumerate(test.given):
            at = f"tests.{i}.given" if len(test.given) == 1 else f"tests.{i}.given.{j}"
            yield from ((f"{at}.{item.change}", name) for name in item.slice.dimensions)
            yield from ((f"{at}.to", name) for name in (item.to.dimensions if item.to else ()))
        for key, slices in (("firing", test.expect.firing or ()), ("not_firing", test.expect.silent)):
            for j, item_ in enumerate(slices):
                yield from ((f"tests.{i}.expect.{key}.{j}", name) for name in item_.dimensions)
        yield from ((f"tests.{i}.history.values", name) for name, _ in test.history.values)
