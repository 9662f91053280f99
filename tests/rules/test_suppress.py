"""Warnings that somebody has thought about."""

import pytest

from rules.problem import Place, Problem
from rules.suppress import settle, suppressions

TEXT = """\
defaults:
  depth: 3
rules:
  - name: a
    depth: 3
    schedule: 6h
  - name: b
    depth: 3
"""


def problem(line, code="depth-beyond", severity="warning"):
    return Problem(Place("f.yaml", line, 5), code, "m", severity=severity)


def settled(at, comment, *problems, online=False):
    """Line and code of what stays, where the comment stands behind a line of the text, or before it."""
    lines = TEXT.splitlines()
    line, before = at
    if before:
        lines.insert(line - 1, comment)
    else:
        lines[line - 1] += f"  {comment}"
    text = "\n".join(lines)
    starts = [number for number, content in enumerate(text.split("\n"), start=1) if "- name" in content]
    kept = settle(problems, suppressions(text, "f.yaml", starts), online=online)
    return [(item.place.line, item.code) for item in kept]


DEPTH = "# slicewatch: disable=depth-beyond dimensions follow"


def test_a_comment_silences_its_own_line():
    """And no other."""
    assert settled((5, False), DEPTH, problem(5), problem(8)) == [(8, "depth-beyond")]


def test_a_comment_alone_silences_the_next_line():
    """Which is one further down by it; comments and blank lines between them do not count."""
    assert settled((5, True), DEPTH, problem(6), problem(9)) == [(9, "depth-beyond")]
    assert settled((5, True), f"{DEPTH}\n\n# and why", problem(8), problem(11)) == [(11, "depth-beyond")]


@pytest.mark.parametrize(("before", "shift"), [(False, 0), (True, 1)], ids=["on it", "above"])
def test_a_comment_at_a_rules_first_line_silences_the_rule(before, shift):
    """To its end, where the next one begins."""
    kept = settled((4, before), DEPTH, problem(4 + shift), problem(6 + shift), problem(7 + shift))
    assert kept == [(7 + shift, "depth-beyond")]


def test_only_the_named_codes_are_silenced():
    """Several are separated by commas."""
    both = "# slicewatch: disable=depth-beyond, late-schedule dimensions follow"
    assert settled((4, False), both, problem(5), problem(6, "late-schedule"), problem(6, "no-owner")) == [
        (6, "no-owner")
    ]


def test_an_error_is_told_all_the_same():
    """By its severity or by its code: it keeps something from running."""
    kept = settled((5, False), DEPTH, problem(5, severity="error"))
    assert kept == [(5, "depth-beyond")]
    kept = settled((5, False), "# slicewatch: disable=unknown-key x", problem(5, "unknown-key", "error"))
    assert kept == [(5, "unknown-key"), (5, "bad-suppression")]


@pytest.mark.parametrize(
    "comment",
    [
        "# slicewatch: disable=depth-beyond",
        "# slicewatch: disable=depth-beyonnd because",
        "# slicewatch: disable",
        "# slicewatch: ignore=depth-beyond because",
    ],
)
def test_a_comment_that_does_not_work_is_told(comment):
    """No reason, no such code, no code, another word: the warning stays."""
    assert settled((5, False), comment, problem(5)) == [(5, "depth-beyond"), (5, "bad-suppression")]


def test_a_comment_that_silences_nothing_is_told():
    """Unless an error in the file hides what it would silence."""
    assert settled((5, False), DEPTH) == [(5, "unused-suppression")]
    assert settled((5, False), DEPTH, problem(8, "unknown-key", "error")) == [(8, "unknown-key")]


def test_what_only_sources_know_is_unused_only_once_they_were_asked():
    """Offline nothing is said of it; online nothing of the others."""
    comment = "# slicewatch: disable=empty-table events come in spring"
    assert settled((5, False), comment) == []
    assert settled((5, False), comment, online=True) == [(5, "unused-suppression")]
    assert settled((5, False), comment, problem(5, "empty-table"), online=True) == []
    assert settled((5, False), DEPTH, online=True) == []


def test_in_the_operators_file_nothing_left_of_a_comment_is_shown():
    """It may be a secret."""
    (item,) = suppressions('token = "xyz"  # slicewatch: disable=unused-receiver', "s.toml", (), toml=True)
    (told,) = settle((), [item], online=False)
    assert "xyz" not in told.render()
    assert told.place == Place("s.toml", 1, 16)
