"""`# slicewatch: disable=<code>[,<code>] reason`: a warning that somebody has thought about. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rules.codes import CODES
from rules.comments import Comment, comments
from rules.problem import Place, Problem, Span
from rules.vocabulary import did_you_mean

_MARK = re.compile(r"#\s*slicewatch:\s*")
_FORM = re.compile(r"#\s*slicewatch:\s*disable\s*=\s*([\w-]+(?:\s*,\s*[\w-]+)*)\s*(.*)")
HINT = "write '# slicewatch: disable=CODE reason'"


@dataclass(frozen=True)
class Suppression:
    """One comment: the codes it silences in the lines `first` to `last`, and why. No codes: it is not understood."""

    span: Span
    codes: tuple[str, ...]
    reason: str
    first: int
    last: int

    def covers(self, problem: Problem) -> bool:
        """Whether it silences this problem. Without a reason it silences nothing."""
        here = problem.place.file == self.span.place.file and self.first <= problem.place.line <= self.last
        return here and bool(self.reason) and problem.code in self.codes and can_be_suppressed(problem)


def can_be_suppressed(problem: Problem) -> bool:
    """Whether it is a warning of a code that is one: an error keeps something from running, said or not."""
    return problem.severity == "warning" and problem.code in CODES and CODES[problem.code].suppressible


def suppressions(text: str, file: str, starts: Sequence[int], *, toml: bool = False) -> tuple[Suppression, ...]:
    """Those of a text. `starts` are the lines in which its rules (or tables) begin, in their order.

    A comment speaks of its line; alone in its line, of the next one that says something; and where that line
    begins a rule, of the whole rule.
    """
    if "slicewatch:" not in text:
        return ()
    lines = re.split(r"\r\n|\r|\n", text)
    found = (comment for comment in comments(text, toml=toml) if _MARK.match(comment.text))
    return tuple(_read(comment, lines, file, sorted(starts), hidden=toml) for comment in found)


def _read(comment: Comment, lines: Sequence[str], file: str, starts: Sequence[int], *, hidden: bool) -> Suppression:
    form = _FORM.fullmatch(comment.text)
    codes = tuple(re.split(r"\s*,\s*", form[1])) if form else ()
    # What stands left of a comment in the operators' file may be a secret.
    shown = " " * comment.column + comment.text if hidden else lines[comment.line - 1].rstrip()
    span = Span(Place(file, comment.line, comment.column + 1), shown, len(comment.text))
    first = _spoken_of(comment, lines)
    return Suppression(span, codes, form[2].strip() if form else "", first, _last(first, starts, len(lines)))


def _spoken_of(comment: Comment, lines: Sequence[str]) -> int:
    """The line itself, or the next one with more than a comment."""
    if not comment.alone:
        return comment.line
    rest = range(comment.line, len(lines))
    return next((n + 1 for n in rest if lines[n].strip() and not lines[n].lstrip().startswith("#")), comment.line)


def _last(first: int, starts: Sequence[int], end: int) -> int:
    """The last line of the rule that begins in the line; the line where none does."""
    if first not in starts:
        return first
    after = bisect_right(starts, first)
    return starts[after] - 1 if after < len(starts) else end


def settle(problems: Iterable[Problem], written: Sequence[Suppression], *, online: bool) -> tuple[Problem, ...]:
    """The problems that no comment silences, and those of the comments themselves.

    `problems` are of checks that ask sources (`online`) or of all others: a comment is unused only where
    what it silences was looked for, which in a file with an error is not certain.
    """
    found = tuple(problems)
    kept = tuple(problem for problem in found if not any(item.covers(problem) for item in written))
    spoilt = {problem.place.file for problem in found if problem.severity == "error"}
    sure = [item for item in written if item.span.place.file not in spoilt]
    mistakes = () if online else tuple(problem for item in written for problem in _mistakes(item))
    unused = tuple(problem for item in sure for problem in _unused(item, found, online=online))
    return (*kept, *mistakes, *unused)


def _mistakes(item: Suppression) -> Iterator[Problem]:
    """As warnings: what such a comment was to silence is told all the same."""
    for message, hint in _wrong(item):
        yield item.span.problem("bad-suppression", message, hint, "warning")


def _wrong(item: Suppression) -> Iterator[tuple[str, str]]:
    if not item.codes:
        yield "this comment is not understood", HINT
    elif not item.reason:
        yield "no reason is given, so nothing is suppressed", "say behind the code why it may be so"
    for code in item.codes:
        if code not in CODES:
            yield f"'{code}' is no code of a check", did_you_mean(code, CODES) or "docs/checks lists them"
        elif not CODES[code].suppressible:
            yield f"'{code}' cannot be suppressed", "mend what it says, and remove the comment"


def _unused(item: Suppression, found: Sequence[Problem], *, online: bool) -> Iterator[Problem]:
    for code in item.codes:
        asked = code in CODES and CODES[code].suppressible and CODES[code].online == online and item.reason
        if asked and not any(problem.code == code and item.covers(problem) for problem in found):
            message = f"'{code}' is not told here any more"
            yield item.span.problem("unused-suppression", message, "remove it", "warning")
