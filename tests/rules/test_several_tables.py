"""One rule for several tables: a rule for each, under a name of its own."""

from rules.load import combine
from rules.parse import parse_rules
from rules.resolved import resolved

TEXT = """\
rules:
  - name: playback
    was: plays
    source: [lake.ios, lake.media.android]
    timestamp: at
    dimensions: [device]
    owner: recs
"""


def test_each_table_is_a_rule_named_after_it():
    """The name says which table, as it is written; what the rule was, it was for the same table."""
    found = parse_rules(TEXT, "f.yaml")
    assert found.problems == ()
    assert [(rule.name, rule.source.table, rule.was) for rule in found.rules] == [
        ("playback@lake.ios", ("ios",), "plays@lake.ios"),
        ("playback@lake.media.android", ("media", "android"), "plays@lake.media.android"),
    ]
    assert {rule.family for rule in found.rules} == {"playback"}


def test_a_list_of_one_is_named_after_its_table_too():
    """A second table that comes later renames nothing."""
    (rule,) = parse_rules(TEXT.replace(", lake.media.android", ""), "f.yaml").rules
    assert rule.name == "playback@lake.ios"


def test_each_rule_tells_the_place_of_its_own_table():
    """A table that is not there is told under its own name in the list."""
    _, android = parse_rules(TEXT, "f.yaml").rules
    span = android.span("source")
    assert span.excerpt[span.place.column - 1 :][: span.width] == "lake.media.android"
    assert next(setting.value for setting in resolved(android) if setting.key == "source") == "lake.media.android"
    assert str(android.span("owner").place) == "f.yaml:7:12"


def test_the_tables_of_a_rule_are_no_duplicates_and_another_rule_of_its_name_is():
    """The name in the file is taken once, by all of them."""
    other = parse_rules(
        TEXT.replace("[lake.ios, lake.media.android]", "lake.web").replace("    was: plays\n", ""), "g.yaml"
    )
    found = combine([parse_rules(TEXT, "f.yaml"), other])
    assert [rule.name for rule in found.rules] == ["playback@lake.ios", "playback@lake.media.android"]
    assert [(problem.code, problem.place.file) for problem in found.problems] == [("duplicate-name", "g.yaml")]


def test_what_is_inhibited_by_a_rule_is_inhibited_by_each_of_its_tables():
    """`inhibited_by: [playback]` names both."""
    features = """\
rules:
  - name: features
    source: lake.features
    timestamp: at
    dimensions: [device]
    inhibited_by: [playback]
"""
    found = combine([parse_rules(TEXT, "f.yaml"), parse_rules(features, "g.yaml")])
    assert found.problems == ()
    assert found.rules[-1].inhibited_by == ("playback@lake.ios", "playback@lake.media.android")
