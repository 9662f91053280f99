"""Several rule files together."""

import pytest

from rules.load import combine, load_rules
from rules.order import inhibitors_first
from rules.parse import parse_rules

RULE = """rules:
  - name: {name}
    source: lake.t
    timestamp: at
    dimensions: [device]
"""


def test_a_broken_file_stops_no_other(tmp_path):
    """One is no YAML, one is missing, one is not UTF-8, one is a folder; the sound one runs."""
    (tmp_path / "a.yaml").write_text("rules: [", encoding="utf-8")
    (tmp_path / "c.yaml").write_bytes(b"rules:\n  - name: \xff\n")
    (tmp_path / "d.yaml").mkdir()
    (tmp_path / "e.yaml").write_text(RULE.format(name="sound"), encoding="utf-8")
    found = load_rules(tmp_path / f"{name}.yaml" for name in "abcde")
    assert [rule.name for rule in found.rules] == ["sound"]
    assert [(problem.place.file[-6:], problem.place.line, problem.code) for problem in found.problems] == [
        ("a.yaml", 1, "syntax"),
        ("b.yaml", 0, "unreadable"),
        ("c.yaml", 2, "unreadable"),
        ("d.yaml", 0, "unreadable"),
    ]


def test_of_two_rules_with_one_name_the_first_stands(tmp_path):
    """Every later one is a problem at its own name, saying where the first is."""
    for file in "abc":
        (tmp_path / f"{file}.yaml").write_text(RULE.format(name="same"), encoding="utf-8")
    found = load_rules(sorted(tmp_path.glob("*.yaml")))
    assert [rule.place.file for rule in found.rules] == [(tmp_path / "a.yaml").as_posix()]
    assert [(problem.code, str(problem.place)) for problem in found.problems] == [
        ("duplicate-name", f"{(tmp_path / file).as_posix()}:2:11") for file in ("b.yaml", "c.yaml")
    ]
    assert all(f"{(tmp_path / 'a.yaml').as_posix()}:2:11" in problem.message for problem in found.problems)


def test_of_two_rules_with_one_name_in_one_file_the_first_stands(tmp_path):
    """The same within a file."""
    text = RULE.format(name="same") + RULE.format(name="same").removeprefix("rules:\n")
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    found = load_rules([tmp_path / "a.yaml"])
    assert [rule.place.line for rule in found.rules] == [2]
    assert [(problem.code, problem.place.line) for problem in found.problems] == [("duplicate-name", 6)]


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without", "with a byte-order mark"])
def test_a_file_of_another_systems_editor_is_read(tmp_path, mark):
    """A byte-order mark and CRLF line ends change no place."""
    text = mark + RULE.format(name="r").replace("lake.t", "lake").replace("\n", "\r\n")
    (tmp_path / "a.yaml").write_bytes(text.encode())
    (problem,) = load_rules([tmp_path / "a.yaml"]).problems
    assert (problem.place.line, problem.place.column, problem.excerpt) == (3, 13, "    source: lake")


def test_a_rule_that_is_broken_is_no_unknown_one():
    """Its own mistake is told; the rule that it would hold back is not blamed for naming it."""
    free = RULE.format(name="free") + "    inhibited_by: [broken]\n"
    found = combine([parse_rules(free, "a.yaml"), parse_rules(RULE.format(name="broken") + "    depth: 9\n", "b.yaml")])
    assert [problem.place.file for problem in found.problems] == ["b.yaml"]
    assert found.rules[0].inhibited_by == ("broken",)


def test_rules_due_together_follow_those_that_hold_them_back():
    """However they stand in the files, and over several steps; names that are not among them are passed over."""
    held = {"a": "b", "b": "d", "c": "x", "d": None}
    files = [
        parse_rules(RULE.format(name=name) + (f"    inhibited_by: [{by}]\n" if by else ""), f"{name}.yaml")
        for name, by in held.items()
    ]
    rules = [rule for file in files for rule in file.rules]
    assert [rule.name for rule in inhibitors_first(rules)] == ["d", "b", "a", "c"]
