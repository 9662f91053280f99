"""Problems as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rules.problem import Problem


def json_lines(problems: Sequence[Problem], files: Sequence[str] = ()) -> Iterator[str]:  # noqa: ARG001  as all formats
    """One object per problem; line and column are null where the whole file is meant."""
    for problem in problems:
        yield json.dumps(
            {
                "file": problem.place.file,
                "line": problem.place.line or None,
                "column": problem.place.column or None,
                "severity": problem.severity,
                "code": problem.code,
                "message": problem.message,
                "hint": problem.hint,
            },
            ensure_ascii=False,
        )
