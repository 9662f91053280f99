"""A text as plain data, with the place of every key and value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rules.problem import Place, Problem, Span

Path = tuple[str | int, ...]

Mark = tuple[int, int, int]
"""Line and column of a token, both from 0, and how many characters are underlined."""

TEXTUAL = frozenset({"expected", "ignore", "labels", "slice", "given", "expect", "values"})
"""Keys below which a plain 8, 010 or true is the text a source would print, never a number."""

MAX_NODES = 200_000
"""Aliases can make a small file stand for an endless one."""

LINES = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True)
class Places(Mapping[Path, Span]):
    """Spans of the tokens of a text. They are made when asked for: most files are sound, and nobody asks."""

    file: str = ""
    lines: Sequence[str] = ()
    marks: Mapping[Path, Mark] = field(default_factory=dict)

    def __getitem__(self, path: Path) -> Span:
        return span_at(self.file, self.lines, *self.marks[path])

    def __contains__(self, path: object) -> bool:
        return path in self.marks

    def __iter__(self) -> Iterator[Path]:
        return iter(self.marks)

    def __len__(self) -> int:
        return len(self.marks)

    def below(self, first: str | int, second: str | int) -> Iterator[tuple[Path, Span]]:
        """What is at or under two parts of a path, such as `rules`, 3; paths are whole."""
        return ((path, self[path]) for path in self._by_start.get((first, second), ()))

    @cached_property
    def _by_start(self) -> dict[Path, list[Path]]:
        grouped: dict[Path, list[Path]] = {}
        for path in self.marks:
            grouped.setdefault(path[:2], []).append(path)
        return grouped


@dataclass(frozen=True)
class Document:
    """Plain data of dict, list, str, int, float, bool and None; spans by path of keys and indexes.

    `problems` are those of the text itself, each with the path of what it spoils; `()` is all of it.
    """

    data: Any
    keys: Places = field(default_factory=Places)
    values: Places = field(default_factory=Places)
    problems: tuple[tuple[Path, Problem], ...] = ()

    def value(self, path: Path) -> Span | None:
        """Where the value at `path` is, or the nearest value around it."""
        return next((self.values[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.values), None)


def mark_of(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> Mark:
    """From the line and column of a token's start and end; of what spans lines only the first is underlined."""
    line, column = start
    if end[0] != line:
        end = (line, len(lines[line].rstrip()) if line < len(lines) else 0)
    return line, column, max(end[1] - column, 1)


def span_at(file: str, lines: Sequence[str], line: int, column: int, width: int) -> Span:
    """The span of a mark."""
    excerpt = lines[line] if line < len(lines) else ""
    return Span(Place(file, line + 1, column + 1), excerpt, width)
