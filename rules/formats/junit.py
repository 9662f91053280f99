"""Problems as JUnit XML, for CI systems that show test results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules.junit import Case, junit_xml
from rules.problem import Problem


def problems_junit(problems: Sequence[Problem], files: Sequence[str] = ()) -> Iterator[str]:
    """A suite per file, with a case for each problem: an error fails, a warning is a note. A sound file passes."""
    cases = [case for file in _files(problems, files) for case in _cases(file, problems)]
    yield junit_xml(cases).rstrip("\n")


def _files(problems: Sequence[Problem], files: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*files, *(problem.place.file for problem in problems)]))


def _cases(file: str, problems: Sequence[Problem]) -> list[Case]:
    found = [_case(problem) for problem in problems if problem.place.file == file]
    return found or [Case(file, "check", file)]


def _case(problem: Problem) -> Case:
    """Named by place and code, so that a CI system tells one problem from another over time."""
    place, text = problem.place, problem.render()
    at = ":".join(str(part) for part in (place.line, place.column) if part)
    name = f"{problem.code} {at}".strip()
    if problem.severity == "error":
        return Case(place.file, name, place.file, place.line, failure=problem.message, details=text)
    return Case(place.file, name, place.file, place.line, note=text)
