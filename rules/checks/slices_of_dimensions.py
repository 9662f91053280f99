"""`slices` speaks of the rule's own dimensions, and does not contradict itself."""

from __future__ import annotations

from collections.abc import Iterator

from rules.model import Rule
from rules.problem import Problem
from rules.slices import Slice, label_of
from rules.vocabulary import did_you_mean


def slices_of_dimensions(rule: Rule) -> Iterator[Problem]:
    """Unknown dimensions, values named twice, and values both expected and ignored."""
    yield from _expected(rule)
    yield from _ignored(rule)


def _expected(rule: Rule) -> Iterator[Problem]:
    for name, values in rule.slices.expected:
        path = f"slices.expected.{name}"
        if name not in rule.dimensions:
            yield _unknown(rule, name, path)
        for index, value in enumerate(values):
            at = f"{path}.{index}"
            if value in values[:index]:
                yield rule.span(at).problem("duplicate-value", f"{label_of(value)} is expected already", "remove one")
            if Slice(((name, value),)) in rule.slices.ignore:
                message = f"{name}={label_of(value)} is both expected and ignored"
                yield rule.span(at).problem("contradiction", message, "remove it from one of them")


def _ignored(rule: Rule) -> Iterator[Problem]:
    for index, item in enumerate(rule.slices.ignore):
        for name in item.dimensions:
            if name not in rule.dimensions:
                yield _unknown(rule, name, f"slices.ignore.{index}.{name}")
        if item in rule.slices.ignore[:index]:
            span = rule.span(f"slices.ignore.{index}")
            yield span.problem("duplicate-value", f"{item.label()} is ignored already", "remove one")


def _unknown(rule: Rule, name: str, path: str) -> Problem:
    message = f"'{name}' is not a dimension of {rule.name}"
    return rule.span(f"{path}:").problem("unknown-dimension", message, did_you_mean(name, rule.dimensions))
