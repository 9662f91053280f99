"""What YAML 1.2 says, where readers of YAML 1.1 say otherwise."""

import pytest

from rules.document import MAX_NODES
from rules.parse import parse_rules
from rules.yaml_text import read_yaml

RULE = """rules:
  - name: r
    source: lake.t
    timestamp: at
    dimensions: [device, country]
"""


def data_of(text):
    document = read_yaml(text, "f.yaml")
    assert document.problems == ()
    return document.data


def rule_of(extra):
    found = parse_rules(RULE + extra, "f.yaml")
    assert found.problems == ()
    return found.rules[0]


def test_norway_stays_a_country():
    """NO, off, yes and on are words."""
    assert data_of("country: [NO, SE, off, yes, on, y]") == {"country": ["NO", "SE", "off", "yes", "on", "y"]}


def test_on_is_a_key():
    """`on:` is the word, not true."""
    assert data_of("on: 1") == {"on": 1}


def test_a_time_of_day_is_no_number():
    """10:30 is not 630."""
    assert data_of("at: 10:30") == {"at": "10:30"}


def test_a_date_is_text():
    """YAML 1.2 has no dates."""
    assert data_of("at: 2026-11-01") == {"at": "2026-11-01"}


def test_numbers_and_booleans_are_read():
    """The types YAML 1.2 does have."""
    written = "{a: 12, b: -1.5, c: true, d: False, e: 0x1f, f: 0o17, g: ~, h: null, i: 1e3}"
    assert data_of(written) == {
        "a": 12,
        "b": -1.5,
        "c": True,
        "d": False,
        "e": 31,
        "f": 15,
        "g": None,
        "h": None,
        "i": 1000.0,
    }


def test_yaml_1_1_cannot_be_asked_for():
    """Under a %YAML 1.1 directive NO would be false, so the directive is refused; 1.2 may be said."""
    found = parse_rules("%YAML 1.1\n---\n" + RULE, "f.yaml")
    assert [(str(problem.place), problem.code) for problem in found.problems] == [("f.yaml:1:1", "syntax")]
    assert found.rules == ()
    assert [rule.name for rule in parse_rules("%YAML 1.2\n---\n" + RULE, "f.yaml").rules] == ["r"]


def test_values_of_slices_are_text_as_written():
    """A source prints 8, 010 and true as text; NULL is null, and the quoted word is the word."""
    rule = rule_of('    slices: {expected: {device: [8, 010, 1.50, true, null, "null", (other), ""]}}\n')
    assert rule.slices.expected == (("device", ("8", "010", "1.50", "true", None, "null", "(other)", "")),)


def test_labels_are_text_as_written():
    """`tier: 1` is the label "1"."""
    assert rule_of("    labels: {tier: 1}\n").labels == (("tier", "1"),)


def test_an_anchor_is_merged_under_the_keys_that_are_named():
    """`<<` fills in, the mapping's own keys win."""
    assert data_of("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}")["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize("second", ["name: b", '"name": b', "'name': b"])
def test_a_key_twice_is_an_error_however_it_is_quoted(second):
    """The second place is shown, and the first is named."""
    found = parse_rules(RULE + f"    {second}\n", "f.yaml")
    assert [(str(problem.place), problem.code) for problem in found.problems] == [("f.yaml:6:5", "duplicate-key")]
    assert "line 2" in found.problems[0].hint
    assert found.rules == ()


def test_a_key_twice_spoils_only_its_rule():
    """Another rule of the same file still runs."""
    text = RULE + "    owner: a\n    owner: b\n" + RULE.removeprefix("rules:\n").replace("name: r", "name: s")
    found = parse_rules(text, "f.yaml")
    assert [rule.name for rule in found.rules] == ["s"]
    assert [problem.code for problem in found.problems] == ["duplicate-key"]


def test_a_default_given_twice_spoils_only_rules_that_take_it():
    """A rule with an owner of its own does not read the default."""
    other = RULE.removeprefix("rules:\n").replace("name: r", "name: s") + "    owner: mine\n"
    found = parse_rules("defaults:\n  owner: a\n  owner: b\n" + RULE + other, "f.yaml")
    assert [rule.name for rule in found.rules] == ["s"]


def test_aliases_cannot_stand_for_an_endless_file():
    """A bomb of aliases is refused before it is built."""
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    document = read_yaml("\n".join(["l0: &l0 [x]", *levels]), "f.yaml")
    assert document.data is None
    assert [problem.code for _, problem in document.problems] == ["too-large"]
    assert str(MAX_NODES) in document.problems[0][1].message


def test_deep_nesting_is_a_problem_and_no_crash():
    """More levels than the reader's stack."""
    assert [problem.code for _, problem in read_yaml("[" * 5000, "f.yaml").problems] == ["syntax"]


def test_places_count_characters_and_a_tab_stands_over_a_tab():
    """The caret is under the token in a line with letters beyond ASCII, and in one with tabs."""
    found = parse_rules('rules: [{name: r, description: "Ærlig",\tsorce: x}]', "f.yaml")
    unknown = next(problem for problem in found.problems if problem.code == "unknown-key")
    line, caret = (text.split("|", 1)[1] for text in unknown.render().splitlines()[1:])
    assert line[caret.index("^") :].startswith("sorce")
    assert caret[: caret.index("^")].count("\t") == 1
