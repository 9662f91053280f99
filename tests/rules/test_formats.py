"""Problems in the forms that CI systems read."""

import json
import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from rules.formats import FORMATS
from rules.formats.github import github_lines
from rules.junit import Case, junit_xml
from rules.problem import Place, Problem

ERROR = Problem(
    Place("rules/a b.yaml", 6, 18),
    "unknown-column",
    "'devise' is no column",
    "did you mean 'device'?",
    excerpt="    dimensions: [devise]",
    width=6,
)
WARNING = Problem(Place("slicewatch.toml", 3), "unused-source", "no rule reads it", severity="warning")
WHOLE = Problem(Place("rules/c.yaml"), "unreadable", "cannot be read")
FILES = ("slicewatch.toml", "rules/a b.yaml", "rules/sound.yaml", "rules/c.yaml")


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


def sarif(*problems):
    return json.loads("\n".join(FORMATS["sarif"](problems, FILES)))


def test_a_sarif_log_has_what_the_standard_requires():
    """Version, one run with a named tool, and a message for each result (SARIF 2.1.0, sections 3.13, 3.14, 3.18, 3.27)."""
    log = sarif(ERROR, WARNING, WHOLE)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "slicewatch"
    assert all(result["message"]["text"] for result in run["results"])
    assert {result["level"] for result in run["results"]} <= {"none", "note", "warning", "error"}
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}


def test_a_sarif_result_stands_where_the_caret_does():
    """Lines and columns from 1, the end one past the last character; a whole file has no region; names are URIs."""
    (run,) = sarif(ERROR, WARNING, WHOLE)["runs"]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places == [
        {
            "artifactLocation": {"uri": "rules/a%20b.yaml"},
            "region": {"startLine": 6, "startColumn": 18, "endColumn": 24},
        },
        {"artifactLocation": {"uri": "slicewatch.toml"}, "region": {"startLine": 3}},
        {"artifactLocation": {"uri": "rules/c.yaml"}},
    ]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_log_without_problems_says_that_it_looked():
    """An empty list of results: nothing was found. A missing one would say that nothing was looked for."""
    (run,) = sarif()["runs"]
    assert run["results"] == []
    assert len(run["artifacts"]) == len(FILES)


def test_junit_has_a_suite_per_file_and_errors_fail():
    """A sound file is a case that passes; a warning passes with a note."""
    suites = ET.fromstring("\n".join(FORMATS["junit"]((ERROR, WARNING, WHOLE), FILES)))
    assert [(suite.get("name"), suite.get("failures")) for suite in suites] == [
        ("slicewatch.toml", "0"),
        ("rules/a b.yaml", "1"),
        ("rules/sound.yaml", "0"),
        ("rules/c.yaml", "1"),
    ]
    case = suites[1][0]
    assert (case.get("name"), case.get("file"), case.get("line")) == ("unknown-column 6:18", "rules/a b.yaml", "6")
    assert case[0].get("message") == "'devise' is no column"
    assert case[0].text == ERROR.render()
    assert suites[0][0].findtext("system-out") == WARNING.render()


@given(st.text(max_size=30), st.text(max_size=30))
def test_junit_can_be_read_back_whatever_is_told(message, details):
    """Characters that no XML may hold are replaced, all others come back."""
    (case,) = ET.fromstring(junit_xml([Case("s", "n", "f", failure=message, details=details)])).iter("testcase")
    told = case[0].get("message") or ""
    allowed = re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", message)
    assert told.split() == allowed.split()
