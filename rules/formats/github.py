"""Problems as annotations that GitHub shows beside the line they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules.problem import Problem


def github_lines(problems: Sequence[Problem], files: Sequence[str] = ()) -> Iterator[str]:  # noqa: ARG001  as all formats
    """One workflow command per problem, in their order."""
    for problem in problems:
        place = problem.place
        at = [f"file={_property(place.file)}"]
        at += [f"line={place.line}"] * bool(place.line) + [f"col={place.column}"] * bool(place.column)
        text = f"{problem.message}: {problem.hint}" if problem.hint else problem.message
        yield f"::{problem.severity} {','.join(at)},title={_property(problem.code)}::{_data(text)}"


def _data(text: str) -> str:
    """A command ends with its line, and % begins an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
