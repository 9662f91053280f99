"""Comments of a YAML or TOML text, from its lines: a '#' inside of a quoted or a block text is none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_INDENT = re.compile(r"(?:[ \t]|[-?] +)*")
_BLOCK = re.compile(r"(?:^|[:\-?][ \t]+|^[ \t]+)(?:[&!]\S+[ \t]+)*[|>][-+0-9]*[ \t]*$")
_SPACE = " \t"


@dataclass(frozen=True)
class Comment:
    """What stands from a '#' to the end of its line, which counts from 1; `column` counts from 0."""

    line: int
    column: int
    text: str
    alone: bool
    """Whether nothing else stands in the line."""


def comments(text: str, *, toml: bool = False) -> Iterator[Comment]:
    """All comments, in their order. In TOML a '=' comes before a value, and there are no block texts."""
    scan = _Scan("=" if toml else ":")
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        column = scan.comment_at(line)
        if column is not None:
            yield Comment(number, column, line[column:].rstrip(), not line[:column].strip())


class _Scan:
    """What is open at the end of each line: a quote, brackets, a block text."""

    def __init__(self, before_value: str) -> None:
        self._before_value = before_value
        self._quote = ""
        self._depth = 0
        self._block: int | None = None

    def comment_at(self, line: str) -> int | None:
        """Where the comment of the next line begins."""
        if self._block is not None:
            if not line.strip() or len(line) - len(line.lstrip(" ")) > self._block:
                return None
            self._block = None
        at = self._walk(line)
        if not self._quote and not self._depth and self._before_value == ":":
            self._block = _block_of(line[:at])
        return at

    def _walk(self, line: str) -> int | None:
        at, opens = 0, not self._quote
        while at < len(line):
            if self._quote:
                at, opens = self._close(line, at), False
                continue
            char = line[at]
            if char == "#" and (at == 0 or line[at - 1] in _SPACE):
                return at
            if char in "\"'" and opens:
                self._quote = line[at : at + 3] if line[at : at + 3] in {'"""', "'''"} else char
                at += len(self._quote)
                continue
            opens = opens if char in _SPACE else self._opens(char, line[at + 1 : at + 2], opens)
            at += 1
        return None

    def _opens(self, char: str, following: str, opens: bool) -> bool:
        """Whether a value may begin after this character."""
        ends_word = following in {"", *_SPACE}
        if char in "[{" and opens:
            self._depth += 1
            return True
        if char in "]}":
            self._depth = max(self._depth - 1, 0)
        if char == self._before_value:
            return ends_word or bool(self._depth) or char == "="
        return (char == "," and self._depth > 0) or (char in "-?" and opens and ends_word)

    def _close(self, line: str, at: int) -> int:
        """The place after the end of the open quote, or after the line."""
        while at < len(line):
            if (self._quote[0] == '"' and line[at] == "\\") or (
                line.startswith("''", at) and self._quote == "'" and self._before_value == ":"
            ):
                at += 2
            elif line.startswith(self._quote, at):
                at += len(self._quote)
                self._quote = ""
                return at
            else:
                at += 1
        return at


def _block_of(line: str) -> int | None:
    """The column that the lines of a block text stand right of, where the line opens one."""
    if not _BLOCK.search(line):
        return None
    indent = _INDENT.match(line)
    start = indent.end() if indent else 0
    return start if line[start : start + 1] not in "|>" else line.rfind("-", 0, start)
