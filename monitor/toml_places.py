"""Where keys and values stand in a TOML text; the standard library's reader does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

from rules.document import Path
from rules.problem import Place, Problem, Span

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]")
_ENTRY = re.compile(rf"\s*\[\[\s*({_DOTTED})\s*\]\]")
_PAIR = re.compile(rf"\s*({_DOTTED})\s*=\s*")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


class Places:
    """Spans of a TOML file by path. Lines that may hold a secret are not shown."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._found = _scan(text)

    def locate(self, path: Path, at_key: bool) -> Span:
        """The value at `path` or its key; of the nearest around it where that one was not found."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._found:
                return self._span(*self._found[path[:end]], at_key=at_key and end == len(path))
        return Span(Place(self._file))

    def _span(self, line: int, text: str, key: int, value: int, *, at_key: bool) -> Span:
        """Only what stands left of the value is shown: a value may be a secret."""
        if not value:  # a table's header
            return Span(Place(self._file, line, key + 1), text, len(text[key:].partition("]")[0]))
        column, width = (key, len(text[key:value].rstrip("= \t"))) if at_key else (value, len("..."))
        return Span(Place(self._file, line, column + 1), f"{text[:value]}...", width)


def _scan(text: str) -> Mapping[Path, tuple[int, str, int, int]]:
    """Path to line, text, start of the key, start of the value (0 for a table's header)."""
    found: dict[Path, tuple[int, str, int, int]] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if entry := _ENTRY.match(line):
            name = _parts(entry[1])
            table = (*name, sum(path[:-1] == name and isinstance(path[-1], int) for path in found))
            _note(found, table, (number, line.rstrip(), entry.start(1), 0))
        elif header := _HEADER.match(line):
            table = _parts(header[1])
            _note(found, table, (number, line.rstrip(), header.start(1), 0))
        elif pair := _PAIR.match(line):
            _note(found, table + _parts(pair[1]), (number, line, pair.start(1), pair.end()))
    return found


def _note(found: dict[Path, tuple[int, str, int, int]], path: Path, at: tuple[int, str, int, int]) -> None:
    """The path itself, and the tables that it opens on its way."""
    for end in range(1, len(path) + 1):
        found.setdefault(path[:end], at)


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))


def syntax_problem(error: tomllib.TOMLDecodeError, file: str) -> Problem:
    """What the reader says, at its place; without the line, which may hold a secret."""
    at = _AT.search(str(error))
    place = Place(file, int(at[1]), int(at[2])) if at else Place(file)
    return Problem(place, "syntax", f"this is not TOML: {_AT.sub('', str(error)).strip()}")
