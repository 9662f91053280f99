"""Problems in the forms that terminals, scripts and CI systems read: one form per file, each from problems to text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rules.formats.github import github_lines
from rules.formats.jsonl import json_lines
from rules.formats.junit import problems_junit
from rules.formats.sarif import sarif_log
from rules.problem import Problem

FORMATS: Mapping[str, Callable[[Sequence[Problem], Sequence[str]], Iterable[str]]] = {
    "json": json_lines,
    "github": github_lines,
    "sarif": sarif_log,
    "junit": problems_junit,
}
"""From problems, and the names of all files that were checked, to lines."""

__all__ = ["FORMATS"]
