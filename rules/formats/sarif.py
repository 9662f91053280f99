"""Problems as a SARIF 2.1.0 log, which code hosts and editors show beside the lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rules.codes import CODES
from rules.problem import Place, Problem

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_log(problems: Sequence[Problem], files: Sequence[str] = ()) -> Iterator[str]:
    """One log with one run, which names the files that were checked and the codes that were told."""
    codes = list(dict.fromkeys(problem.code for problem in problems))
    run = {
        "tool": {"driver": {"name": "slicewatch", "rules": [_rule(code) for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": {"uri": _uri(file)}} for file in files],
        "results": [_result(problem, codes.index(problem.code)) for problem in problems],
    }
    yield json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=1)


def _rule(code: str) -> Mapping[str, Any]:
    known = CODES.get(code)
    described = {"shortDescription": {"text": known.meaning}} if known else {}
    level = "warning" if known and known.warning else "error"
    return {"id": code, **described, "defaultConfiguration": {"level": level}}


def _result(problem: Problem, index: int) -> Mapping[str, Any]:
    text = f"{problem.message}: {problem.hint}" if problem.hint else problem.message
    return {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": problem.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": _location(problem.place, problem.width)}],
    }


def _location(place: Place, width: int) -> Mapping[str, Any]:
    """The file, and where a line is known what the caret would underline."""
    at: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.file)}}
    if place.line and place.column:
        at["region"] = {"startLine": place.line, "startColumn": place.column, "endColumn": place.column + max(width, 1)}
    elif place.line:
        at["region"] = {"startLine": place.line}
    return at


def _uri(file: str) -> str:
    return quote(file)
