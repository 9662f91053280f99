"""Any text as YAML 1.2, through ruamel.yaml: slow, and with a place and a message for whatever is wrong."""

from __future__ import annotations

import re
import warnings
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, StringMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from rules.document import LINES, MAX_NODES, TEXTUAL, Document, Mark, Path, Places, mark_of, span_at
from rules.problem import Place, Problem, Span
from rules.yaml_scalars import SCALARS

_OTHER_VERSION = re.compile(r"^%YAML(?![ \t]+1\.2\b).*", re.MULTILINE)
_PREFIX = "tag:yaml.org,2002:"


def read_carefully(text: str, file: str) -> Document:
    """Read one document. Never raises: what cannot be read is a problem with its place."""
    if old := _OTHER_VERSION.search(text):
        line = text.count("\n", 0, old.start())
        span = span_at(file, LINES.split(text), line, 0, len(old[0]))
        return _unreadable(span.problem("syntax", "only YAML 1.2 is read; in others NO is false", "remove the line"))
    try:
        node = _composed(text)
    except MarkedYAMLError as error:
        return _unreadable(_syntax(error, text, file))
    except ReaderError as error:
        return _unreadable(_character(error, text, file))
    except RecursionError:
        return _unreadable(Problem(Place(file), "syntax", "nested too deeply to be read"))
    except (
        YAMLError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
        NotImplementedError,
    ) as error:
        # The library answers some malformed text with its own accidents; they are the text's fault all the same.
        return _unreadable(Problem(Place(file), "syntax", f"this is not YAML: {_one_line(error)}"))
    return _Reader(file, LINES.split(text)).read(node)


def _composed(text: str) -> Node | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReusedAnchorWarning)  # the later one counts from there on, as YAML has it
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    return node


def _unreadable(problem: Problem) -> Document:
    return Document(None, problems=(((), problem),))


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]


def _syntax(error: MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    if error.context_mark and mark and mark.index >= len(text.rstrip()):
        mark = error.context_mark  # the text ended: what was left open says more
    wrong = _one_line(error.problem or error.context or "this is not YAML")
    context = f" {_one_line(error.context)}" if error.context and error.problem else ""
    if not isinstance(mark, StringMark) and mark is None:
        return Problem(Place(file), "syntax", wrong + context)
    span = span_at(file, LINES.split(text), mark.line, mark.column, 1)
    hint = "indent with spaces" if "'\\t'" in wrong else ""
    if "another document" in wrong:
        return span.problem("syntax", "a second document begins", "one file is one document: remove the '---'")
    return span.problem("syntax", wrong + context, hint)


def _character(error: ReaderError, text: str, file: str) -> Problem:
    before = LINES.split(text[: error.position])
    span = span_at(file, [_shown(line) for line in LINES.split(text)], len(before) - 1, len(before[-1]), 1)
    code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
    return span.problem("syntax", f"the character U+{code:04X} may not stand in a YAML file", "remove it")


def _shown(line: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in line)


class _TooLargeError(Exception):
    pass


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self._file = file
        self._lines = lines
        self._keys: dict[Path, Mark] = {}
        self._values: dict[Path, Mark] = {}
        self._problems: list[tuple[Path, Problem]] = []
        self._open: list[Node] = []
        self._count = 0

    def read(self, node: Node | None) -> Document:
        if node is None:
            return Document(None)
        try:
            data = self._plain(node, (), textual=False)
        except _TooLargeError:
            message = f"the file stands for more than {MAX_NODES} values"
            return _unreadable(Problem(Place(self._file), "too-large", message, "use fewer aliases"))
        except RecursionError:
            return _unreadable(Problem(Place(self._file), "syntax", "nested too deeply to be read"))
        keys, values = (Places(self._file, self._lines, marks) for marks in (self._keys, self._values))
        return Document(data, keys, values, tuple(self._problems))

    def _plain(self, node: Node, path: Path, *, textual: bool) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise _TooLargeError
        self._values[path] = self._mark(node)
        if any(node is parent for parent in self._open):
            return self._wrong(path, node, "syntax", "an alias may not contain itself")
        self._open.append(node)
        try:
            return self._by_kind(node, path, textual=textual)
        finally:
            self._open.pop()

    def _by_kind(self, node: Node, path: Path, *, textual: bool) -> Any:
        tag = str(node.tag).removeprefix(_PREFIX)
        if isinstance(node, MappingNode) and tag == "map":
            return self._mapping(node, path, textual=textual)
        if isinstance(node, SequenceNode) and tag == "seq":
            return [self._plain(item, (*path, i), textual=textual) for i, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and tag in SCALARS:
            return self._scalar(node, tag, path, textual=textual)
        return self._wrong(
            path, node, "syntax", f"the tag '{str(node.tag).replace(_PREFIX, '!!')}' has no meaning here", "remove it"
        )

    def _mapping(self, node: MappingNode, path: Path, *, textual: bool) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key, value in self._pairs(node, path):
            name = self._text(key, path)
            if name in read:
                self._duplicate(key, (*path, name))
                continue
            self._keys[(*path, name)] = self._mark(key)
            read[name] = self._plain(value, (*path, name), textual=textual or name in TEXTUAL)
            if read[name] is None and not value.value:  # nothing is written: its key is what can be shown
                self._values[(*path, name)] = self._keys[(*path, name)]
        return read

    def _pairs(self, node: MappingNode, path: Path) -> list[tuple[Node, Node]]:
        """A mapping's own pairs, then those it merges in with `<<` and does not name itself."""
        own, merged = [], []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._wrong(path, key, "syntax", "a key must be a word")
            elif str(key.tag) == f"{_PREFIX}merge":
                merged += self._merged(value, path)
            else:
                own.append((key, value))
        named = {str(key.value) for key, _ in own}
        return own + [(key, value) for key, value in merged if str(key.value) not in named]

    def _merged(self, node: Node, path: Path) -> list[tuple[Node, Node]]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        pairs: dict[str, tuple[Node, Node]] = {}
        for source in sources:
            if not isinstance(source, MappingNode) or any(source is parent for parent in self._open):
                self._wrong(path, source, "syntax", "'<<' merges a mapping, or a list of mappings")
                continue
            for key, value in source.value:
                pairs.setdefault(str(key.value), (key, value))
        return list(pairs.values())

    def _scalar(self, node: ScalarNode, tag: str, path: Path, *, textual: bool) -> Any:
        plain_text = textual and tag != "null" and node.style is None
        text = self._text(node, path)
        try:
            return text if plain_text else SCALARS[tag](text)
        except (ValueError, OverflowError):
            return self._wrong(path, node, "bad-value", f"'{text[:40]}' is no number that can be read")

    def _text(self, node: Node, path: Path) -> str:
        """A scalar's text; a character that JSON writes as two escapes is that one character."""
        text = str(node.value)
        if not any("\ud800" <= char <= "\udfff" for char in text):
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._wrong(path, node, "syntax", "this holds half a character", "write the character itself")
            return ""

    def _duplicate(self, key: Node, path: Path) -> None:
        hint = f"it already stands in line {self._keys[path][0] + 1}; keep one"
        self._wrong(path, key, "duplicate-key", f"'{path[-1]}' is given twice", hint)

    def _wrong(self, path: Path, node: Node, code: str, message: str, hint: str = "") -> None:
        self._problems.append((path, self._span(node).problem(code, message, hint)))

    def _span(self, node: Node) -> Span:
        return span_at(self._file, self._lines, *self._mark(node))

    def _mark(self, node: Node) -> Mark:
        """The token; of a mapping its first key, of what spans lines its first line."""
        if isinstance(node, MappingNode) and node.value and not node.flow_style:
            return self._mark(node.value[0][0])
        start, end = node.start_mark, node.end_mark
        return mark_of(self._lines, (start.line, start.column), (end.line, end.column))
