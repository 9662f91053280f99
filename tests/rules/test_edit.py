"""One key of a rule is changed in its file's text, and all else stays as it was written."""

from __future__ import annotations

import pytest

from rules.edit import unified, with_key
from rules.parse import parse_rules

TEXT = """\
# watched since the launch
rules:
  - name: playback_volume   # the first one
    source: lake.playback
    timestamp: event_time
    dimensions: [device, os]
    min_loss: 20  # fewer wake nobody

  - name: other
    source: lake.playback
    timestamp: event_time
    dimensions: [device]
    slices:
      max: 100
"""


def rules_of(text: str):
    found = parse_rules(text, "rules/playback.yaml")
    assert [p for p in found.problems if p.severity == "error"] == []
    return {rule.name: rule for rule in found.rules}


def test_a_value_on_a_line_is_replaced_and_its_comment_stays():
    """The rest of the file is the same, character by character."""
    made = with_key(TEXT, rules_of(TEXT)["playback_volume"], "min_loss", "500")
    assert made == TEXT.replace("min_loss: 20  # fewer", "min_loss: 500  # fewer")
    assert rules_of(made)["playback_volume"].min_loss == 500


@pytest.mark.parametrize(("key", "value"), [("min_loss", "500"), ("min_change", "35%")])
def test_a_key_that_is_not_there_is_put_under_the_rules_name(key, value):
    """It reads back as it was meant, for that rule alone."""
    made = with_key(TEXT, rules_of(TEXT)["other"], key, value)
    assert f"  - name: other\n    {key}: {value}\n" in made
    assert rules_of(made)["playback_volume"] == rules_of(TEXT)["playback_volume"]
    assert rules_of(made)["other"] != rules_of(TEXT)["other"]


def test_a_mapping_that_is_not_there_is_put_there_whole():
    """`slices.ignore` of a rule that says nothing of its slices."""
    made = with_key(TEXT, rules_of(TEXT)["playback_volume"], "slices.ignore", '[{"device": "tv"}]')
    (item,) = rules_of(made)["playback_volume"].slices.ignore
    assert item.label() == "device=tv"


def test_what_is_more_than_a_line_is_left_to_people():
    """A mapping that is written out is not changed."""
    assert with_key(TEXT, rules_of(TEXT)["other"], "slices.ignore", '[{"device": "tv"}]') is None


def test_the_change_can_be_applied_as_a_patch():
    """A unified diff of three lines around it."""
    made = with_key(TEXT, rules_of(TEXT)["playback_volume"], "min_loss", "500")
    lines = unified(TEXT, made, "rules/playback.yaml").splitlines()
    assert [line for line in lines if line[0] in "+-"][2:] == [
        "-    min_loss: 20  # fewer wake nobody",
        "+    min_loss: 500  # fewer wake nobody",
    ]
