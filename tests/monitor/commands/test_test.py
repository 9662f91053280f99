"""`slicewatch test`: what rules say of themselves, tried."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.monitor.commands.place import RULE, TOML, Place

pytestmark = pytest.mark.xdist_group("commands")

PAGE = (Path(__file__).parents[3] / "docs" / "rule-tests.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PASSED, FAILED = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
WRONG = """\
    tests:
      - name: a tv that is not there
        given: {drop: {device: ios}, buckets: 2}
        expect: {firing: [{device: tv}]}
"""


@pytest.fixture
def place(tmp_path):
    """Settings and no events at all: synthetic ones need none."""
    made = Place(tmp_path)
    made.write("slicewatch.toml", TOML)
    return made


def test_the_example_of_the_page_passes_as_it_says(place):
    """Every form of the page, word for word."""
    place.write("rules/playback.yaml", EXAMPLE)
    run = place.run("test")
    assert (run.exit_code, run.stdout) == (0, PASSED)


def test_a_test_that_fails_says_how_it_differs(place):
    """With its place; JUnit and the exit code say so too."""
    head = EXAMPLE.partition("    tests:")[0]
    place.write("rules/playback.yaml", head + WRONG)
    run = place.run("test", "--junit", str(place.folder / "out.xml"))
    assert run.exit_code == 1
    assert run.stdout.replace(f"{place.folder.as_posix()}/", "") == FAILED + "0 passed, 1 failed\n"
    suite = ET.parse(place.folder / "out.xml").getroot()[0]
    assert suite.attrib == {"name": "playback_volume", "tests": "1", "failures": "1", "errors": "0"}
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "- device=tv did not fire"


def test_only_tests_that_match_are_run(place):
    """By rule and name; one object each with --json."""
    place.write("rules/playback.yaml", EXAMPLE)
    run = place.run("test", "--run", "playback_volume: a campaign", "--json")
    (found,) = map(json.loads, run.stdout.splitlines())
    assert found == {
        "rule": "playback_volume",
        "test": "a campaign is no loss",
        "passed": True,
        "error": None,
        "differences": [],
        "fired": [],
    }
    run = place.run("test", "--run", "(")
    assert (run.exit_code, "is no regular expression" in run.stderr) == (2, True)


RECORDED = """\
    tests:
      - name: recorded events lose a device
        history: {at: 2026-03-03T12:00}
        given: {drop: {device: tv}, buckets: 2, keep_total: true}
        expect: {firing: [{device: tv}], kind: drop, within: 1}
      - name: the outage that is in the data is nobody's
        history: {at: 2026-03-04T06:00}
        given: {spike: {device: tv}, to: x2, buckets: 2}
        expect: {firing: []}
"""


def test_recorded_events_are_broken_as_the_source_has_them(fresh):
    """What fires there anyway does not count; the store is not touched."""
    fresh.write("rules/playback.yaml", RULE + RECORDED)
    run = fresh.run("test")
    assert (run.exit_code, run.stdout.splitlines()[-1]) == (0, "2 passed"), run.stdout
    assert not list(fresh.folder.glob("slicewatch.db*"))


def test_a_test_that_cannot_be_run_is_2(place):
    """The source's error, and no other test is stopped."""
    quick = "      - name: quick\n        given: {drop: {}, buckets: 2}\n        expect: {firing: [{}]}\n"
    place.write("rules/playback.yaml", RULE + RECORDED + quick)
    run = place.run("test", "--run", "recorded|quick")
    assert run.exit_code == 2
    assert "ERROR playback_volume: recorded events lose a device" in run.stdout
    assert run.stdout.splitlines()[-1] == "1 passed, 1 could not be run"
