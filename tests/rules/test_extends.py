"""Defaults that several rule files share, and those of the operators: which one holds, and where it stands."""

import pytest

from rules.load import load_rules, read_rules
from rules.resolved import as_yaml, resolved
from rules.written import Layer
from rules.yaml_text import read_yaml

RULE = """\
  - name: {name}
    source: lake.t
    timestamp: at
    dimensions: [device]
"""


@pytest.fixture
def write(tmp_path):
    """Writes a file below a folder of its own."""

    def file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return file


def test_the_nearest_word_holds(write):
    """Rule, then the file's defaults, then the file it extends, then the operators', then what is built in."""
    write("shared.yaml", "defaults: {depth: 1, min_loss: 5, owner: shared, severity: info}\n")
    text = "extends: ../shared.yaml\ndefaults: {owner: file, severity: critical}\nrules:\n" + RULE.format(name="a")
    path = write("rules/a.yaml", text + "    severity: warning\n")
    below = Layer({"depth": 3, "min_loss": 7, "owner": "operators", "direction": "both"})
    (rule,) = read_rules(path, (below,)).rules
    assert (rule.severity, rule.owner, rule.min_loss, rule.depth) == ("warning", "file", 5, 1)
    assert (rule.direction, rule.for_) == ("both", 0)


def test_each_value_tells_the_file_and_line_it_comes_from(write, tmp_path):
    """Values of the rule, of shared defaults, and built in; the file's name is told without a detour."""
    write("shared.yaml", "defaults:\n  owner: shared\n  labels: {tier: 1}\n")
    path = write("rules/a.yaml", "extends: ../shared.yaml\nrules:\n" + RULE.format(name="a") + "    depth: 1\n")
    (rule,) = read_rules(path).rules
    told = {setting.key: setting.place and (setting.place.file, setting.place.line) for setting in resolved(rule)}
    assert told["depth"] == (path.as_posix(), 7)
    assert told["owner"] == ((tmp_path / "shared.yaml").as_posix(), 2)
    assert told["baseline.lookback"] is None


def test_a_file_that_is_extended_is_named_for_whoever_watches_it(write):
    """A daemon reads the rule file again when the shared file changes, also while it is broken."""
    path = write("rules/a.yaml", "extends: ../shared.yaml\nrules:\n" + RULE.format(name="a"))
    assert read_rules(path).reads == ("../shared.yaml",)
    write("shared.yaml", "defaults: {depth: 9}\n")
    found = read_rules(path)
    assert (found.reads, found.rules) == (("../shared.yaml",), ())


def test_a_mistake_in_shared_defaults_is_told_once_and_stops_who_takes_it(write):
    """Two files extend it; the rule that has its own word runs."""
    write("shared.yaml", "defaults: {depth: 9}\n")
    head = "extends: shared.yaml\nrules:\n"
    files = [
        write("a.yaml", head + RULE.format(name="a")),
        write("b.yaml", head + RULE.format(name="b") + RULE.format(name="c") + "    depth: 1\n"),
    ]
    found = load_rules(files)
    assert [rule.name for rule in found.rules] == ["c"]
    assert [(problem.place.line, problem.code) for problem in found.problems] == [(1, "bad-value")]


def test_defaults_that_cannot_be_read_stop_the_rules_over_them(write):
    """Nobody knows what they would say."""
    write("shared.yaml", "defaults: {depth: 1\n")
    found = load_rules([write("a.yaml", "extends: shared.yaml\nrules:\n" + RULE.format(name="a"))])
    assert (found.rules, [problem.code for problem in found.problems]) == ((), ["syntax"])


@pytest.mark.parametrize(
    "value",
    [
        *("NO", "012", "0o14", "a: b", "a #b", "", "~", "it's", "[a", "é", "- a", "a\nb", "2026-11-01", "90%"),
        ["a", {"b": None}],
        {"NO": True},
        1.5,
    ],
)
def test_a_value_is_shown_as_yaml_that_says_the_same(value):
    """What `show` prints can be pasted into a rule."""
    assert read_yaml(f"a: {as_yaml(value)}\n", "f.yaml").data == {"a": value}
