"""parse_rules answers every text and never raises."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rules.duration import format_duration, parse_duration
from rules.explain import key_names
from rules.parse import parse_rules
from rules.schema import RuleShape
from rules.where import check_query, check_where
from tests.rules.fuzz import CRASHES, answer, hunt

CORPUS = [file.read_text(encoding="utf-8") for file in sorted((Path(__file__).parent / "broken").glob("*.yaml"))]
SCRAPS = [
    *"[]{}:,-?&*!|>'\"%@`#\n\t ~\\",
    "<<: ",
    "&a ",
    "*a",
    "!!int ",
    "!!set ",
    "---\n",
    "...\n",
    "0x",
    ".inf",
    "-.nan",
    "\u2028",
]
KEYS = key_names(RuleShape)

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("file", sorted(CRASHES.glob("*.yaml")), ids=lambda file: file.stem)
def test_what_was_not_answered_once_is_answered_now(file):
    """Each text that a hunt found."""
    answer(file.read_bytes().decode(errors="replace"))


def test_two_seconds_of_broken_files_are_answered():
    """Files of the corpus broken by key, line, character and byte; always the same ones."""
    assert list(hunt(2.0, seed=4)) == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_half_an_hour_of_broken_files_is_answered():
    """Thirty CPU minutes of files that nobody has seen before; the seed is told where one was not answered."""
    seed = random.SystemRandom().randrange(10**6)
    assert (seed, list(hunt(1800.0, seed))) == (seed, [])


def answered(text):
    """Every answer has its place in the text, can be shown, and a rule with an error does not run."""
    found = parse_rules(text, "f.yaml")
    lines = text.count("\n") + text.count("\r") + sum(text.count(mark) for mark in "\x85\u2028\u2029") + 1
    for problem in found.problems:
        assert problem.place.file == "f.yaml"
        assert problem.place.line <= lines
        assert problem.render()
    assert found.rules or found.problems or "rules" in text
    return found


@quick
@given(st.text(max_size=200))
@example("%YAML 9.9\n---\na")
@example("%TAG ! x\n---\n!y a")
@example("? ")
@example("!!int ''")
@example("- !!float [")
@example("rules: [{<<: 3}]")
@example("rules: [{<<: [*x]}]")
@example("\ufeffrules: []")
@example("rules: [{name: 0x" + "f" * 5000 + "}]")
@example("a: &x [*x]")
@example("!!timestamp 2001")
def test_any_text_is_answered(text):
    """Arbitrary characters."""
    answered(text)


@quick
@given(st.sampled_from(CORPUS), st.data())
def test_any_mutilation_of_a_file_is_answered(text, data):
    """Rule files with pieces cut out and scraps of YAML put in."""
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        text = text[:at] + data.draw(st.sampled_from(SCRAPS)) + text[at + cut :]
    answered(text)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1h", "20%", "count"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=6,
)


@quick
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=8))
def test_any_value_of_any_key_is_answered(keys):
    """Every key with values of every type, as JSON, which is YAML."""
    import json

    rule = {"name": "r", "source": "lake.t", "timestamp": "at", "dimensions": ["device"]} | keys
    answered(json.dumps({"rules": [rule]}))


@quick
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(["a", "=", "'x'", "(", ")", "and", "select", "from", "in", "1", ",", "[", "::", "not"])
    ).map(" ".join)
)
def test_any_sql_is_answered(text):
    """`where` and `query` are judged without a crash."""
    assert check_where(text) is None or check_where(text)
    check_query(text)


@given(st.integers(0, 10**7).map(lambda seconds: timedelta(seconds=seconds)))
def test_a_duration_survives_being_written_and_read(duration):
    """format_duration and parse_duration are inverse."""
    assert parse_duration(format_duration(duration)) == duration
