"""Changing one key of a rule in the text of its file, and nothing else: comments and layout stay."""

from __future__ import annotations

import difflib

from rules.model import Rule


def with_key(text: str, rule: Rule, key: str, value: str) -> str | None:
    """The text of a rule's file with `key` (`min_loss`, `slices.ignore`) as `value`; None where that is no change of a line.

    A value that stands on one line is replaced; a key that is not there is put under the rule's first line. What is
    written by a file that the rule only extends stays as it is.
    """
    lines = text.splitlines(keepends=True)
    parent, _, child = key.partition(".")
    first = rule.place.line - 1
    if rule.written.writes(parent):
        return None if child else _replaced(lines, rule, key, value)
    if not 0 <= first < len(lines):
        return None
    indent = " " * (rule.place.column - 1)
    shown = f"{parent}: {{{child}: {value}}}" if child else f"{key}: {value}"
    ending = "\n" if not lines[first].endswith("\n") else ""
    lines[first] += f"{ending}{indent}{shown}\n"
    return "".join(lines)


def _replaced(lines: list[str], rule: Rule, key: str, value: str) -> str | None:
    at = rule.span(f"{key}:").place.line - 1
    head, colon, rest = lines[at].partition(f"{key}:")
    old = rest.strip()
    if not colon or not old or old[0] in "|>[{&*!":
        return None
    comment = f"  {rest[rest.index(' #') + 1 :].rstrip()}" if " #" in rest else ""
    lines[at] = f"{head}{colon} {value}{comment}\n"
    return "".join(lines)


def unified(old: str, new: str, name: str) -> str:
    """The change as a unified diff, for `patch -p0` or `git apply -p0`."""
    return "".join(difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), name, name))
