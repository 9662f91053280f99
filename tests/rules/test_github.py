"""Annotations for GitHub."""

from rules.github import github_lines
from rules.problem import Place, Problem


def test_a_problem_is_one_command_with_its_place():
    """File, line, column and code; the hint follows the message."""
    problem = Problem(Place("rules/a.yaml", 6, 18), "unknown-column", "'devise' is no column", "did you mean 'device'?")
    assert list(github_lines([problem])) == [
        "::error file=rules/a.yaml,line=6,col=18,title=unknown-column::'devise' is no column: did you mean 'device'?"
    ]


def test_what_would_end_a_command_early_is_escaped():
    """Line ends, % and the separators of properties stay in their place; a whole file has no line."""
    problem = Problem(Place("a,b:c.yaml"), "empty", "100%\nnothing", severity="warning")
    assert list(github_lines([problem])) == ["::warning file=a%2Cb%3Ac.yaml,title=empty::100%25%0Anothing"]
