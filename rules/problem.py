"""What is wrong with a file, where, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file; line and column count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True)
class Problem:
    """One finding of a check: data, never printed here.

    `excerpt` is the source line; `width` is how many of its characters the caret underlines.
    `severity` is `error` (what it stands in is not run) or `warning`.
    """

    place: Place
    code: str
    message: str
    hint: str = ""
    severity: str = "error"
    excerpt: str = ""
    width: int = 1

    def render(self) -> str:
        """The message with the line and a caret, as a terminal shows it."""
        head = f"{self.place}: {self.severity}[{self.code}]: {self.message}"
        if not self.excerpt:
            return f"{head}\n     = {self.hint}" if self.hint else head
        number = str(self.place.line)
        gutter = " " * max(len(number), 3)
        # A tab in the line is a tab before the caret, so that both stand under each other.
        before = re.sub(r"[^\t]", " ", self.excerpt[: self.place.column - 1])
        caret = before + "^" * max(self.width, 1)
        tail = f" {self.hint}" if self.hint else ""
        return f"{head}\n {number:>{len(gutter)}} | {self.excerpt}\n {gutter} | {caret}{tail}"


@dataclass(frozen=True)
class Span:
    """A token of a file: where it starts, the line it stands in, how many characters are underlined."""

    place: Place
    excerpt: str = ""
    width: int = 1

    def problem(self, code: str, message: str, hint: str = "", severity: str = "error") -> Problem:
        """A problem with this token."""
        return Problem(self.place, code, message, hint, severity, self.excerpt, self.width)
