"""Plain YAML 1.2 through libyaml: some thirty times as fast as pure Python, for the texts in which nothing is wrong or rare.

libyaml only tells where tokens begin and end; what they mean is said here (`NO` is a word), for its usual readers follow
YAML 1.1. A text it refuses, or one with tags, anchors, merges or a key given twice, is `NotPlainError`: it is read with care
by `rules.yaml_nodes`, which has the messages.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from rules.document import LINES, MAX_NODES, TEXTUAL, Document, Mark, Path, Places, mark_of
from rules.yaml_scalars import SCALARS, tag_of

_RARE = re.compile(
    r"[^\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"  # tabs among them
    r"|^%"  # a directive
    r"|(?:^|[\s\[{,])\?\s"  # a key announced by `?`
    r"|[\"']:\S"  # a value at the heels of a quoted key
    r"|[|>][-+0-9]*#"  # a comment where none may be
    r"|[|>][^\n]*\n[\r\n]*\ +\r?\n"  # a block that begins with blanks
    r"|\ \Z",  # an end without a line break
    re.MULTILINE,
)
"""What the two libraries do not see alike."""


class NotPlainError(Exception):
    """The text is wrong, or holds something that is read with care."""


def read_plainly(text: str, file: str) -> Document:
    """Read one document of a plain text. Raises `NotPlainError`."""
    if not yaml.__with_libyaml__ or _RARE.search(text):
        raise NotPlainError
    try:
        return _Reader(text, file).read()
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        raise NotPlainError from None


class _Reader:
    """Walks the events of one document."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._lines = LINES.split(text)
        self._next = yaml.CBaseLoader(text).get_event
        self._keys: dict[Path, Mark] = {}
        self._values: dict[Path, Mark] = {}

    def read(self) -> Document:
        self._next()  # the stream's start
        if isinstance(self._next(), StreamEndEvent):
            return Document(None)
        root = self._next()
        if isinstance(root, ScalarEvent):
            raise NotPlainError
        data = self._value(root, (), textual=False)
        if not isinstance(self._next(), DocumentEndEvent) or not isinstance(self._next(), StreamEndEvent):
            raise NotPlainError
        keys, values = (Places(self._file, self._lines, marks) for marks in (self._keys, self._values))
        return Document(data, keys, values)

    def _value(self, event: Any, path: Path, *, textual: bool) -> Any:
        if isinstance(event, AliasEvent) or event.anchor is not None or event.tag is not None:
            raise NotPlainError
        if len(self._values) >= MAX_NODES:
            raise NotPlainError
        if isinstance(event, ScalarEvent):
            self._values[path] = self._mark(event, event)
            return _scalar(event, textual=textual)
        self._values[path] = (0, 0, 0)  # known at its end; its place among the others is here
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, path, textual=textual)
        assert isinstance(event, SequenceStartEvent)
        return self._sequence(event, path, textual=textual)

    def _sequence(self, start: SequenceStartEvent, path: Path, *, textual: bool) -> list[Any]:
        read: list[Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            read.append(self._value(event, (*path, len(read)), textual=textual))
        self._values[path] = self._mark(start, event)
        return read

    def _mapping(self, start: MappingStartEvent, path: Path, *, textual: bool) -> dict[str, Any]:
        read: dict[str, Any] = {}
        first = None
        while not isinstance(key := self._next(), MappingEndEvent):
            name, first = self._name(key), first or key
            at = (*path, name)
            if name in read:
                raise NotPlainError
            self._keys[at] = self._mark(key, key)
            event: Any = self._next()
            read[name] = self._value(event, at, textual=textual or name in TEXTUAL)
            if read[name] is None and not event.value:  # nothing is written: its key is what can be shown
                self._values[at] = self._keys[at]
        self._values[path] = self._mark(first, first) if first and not start.flow_style else self._mark(start, key)
        return read

    def _name(self, event: Any) -> str:
        """A key's text, whatever it would stand for as a value."""
        if (
            not isinstance(event, ScalarEvent)
            or event.anchor is not None
            or event.tag is not None
            or event.value == "<<"
        ):
            raise NotPlainError
        return str(event.value)

    def _mark(self, start: Any, end: Any) -> Mark:
        begin, stop = start.start_mark, end.end_mark
        line, column = begin.line, begin.column
        if stop.line == line:  # nearly all: spelled out, for it is asked of each key and value
            return line, column, (stop.column - column) or 1
        return mark_of(self._lines, (line, column), (stop.line, stop.column))


def _scalar(event: ScalarEvent, *, textual: bool) -> Any:
    text = event.value
    if event.style is not None and event.style != "":
        return text
    tag = tag_of(text)
    return text if tag == "str" or (textual and tag != "null") else SCALARS[tag](text)
