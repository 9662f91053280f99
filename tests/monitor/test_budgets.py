"""The alert budget of a receiver, shared by its rules that name none of their own."""

import shutil

import pytest

from monitor.checks import load_runnable
from monitor.settings import load_settings
from tests.monitor.commands.place import RULE, TOML, Place

BUDGETS = """
[receivers.phone]
kind = "console"
budget = 3
[receivers.team]
kind = "console"
budget = 8
"""


@pytest.fixture
def place(tmp_path) -> Place:
    """Three rules: two that name no sensitivity, of which one goes to both receivers, and one that names its own."""
    made = Place(tmp_path / "place")
    made.write("slicewatch.toml", TOML.replace("[store]", 'fallback = "terminal"\n[store]', 1) + BUDGETS)
    for name, more in (
        ("both", "    notify: [team, phone]\n    min_loss: 1\n"),
        ("one", "    notify: [team]\n    min_loss: 2\n"),
        ("own", "    notify: [team, phone]\n    min_loss: 3\n    sensitivity: low\n"),
        ("plain", "    min_loss: 4\n"),
    ):
        made.write(f"rules/{name}.yaml", RULE.replace("playback_volume", name) + more)
    yield made
    shutil.rmtree(made.folder)


def test_a_budget_is_shared_by_the_rules_that_name_none(place):
    """In even parts; of two receivers the smaller part; what a rule says itself stays, and so does who has no such receiver."""
    rules = load_runnable(load_settings(place.config, {})).rules
    assert {rule.name: rule.false_incidents_per_week for rule in rules} == {
        "both": 3.0,
        "one": 4.0,
        "own": 0.25,
        "plain": 1.0,
    }


def test_show_says_where_it_comes_from(place):
    """File and line of the receiver's budget, as of any other value."""
    line = next(i for i, text in enumerate(place.config.read_text().splitlines(), 1) if text == "budget = 3")
    out = place.run("show", "both", "--resolved").stdout
    (told,) = (text for text in out.splitlines() if "sensitivity:" in text)
    assert told.split() == ["sensitivity:", "3.0", "#", f"{place.config}:{line}"]


def test_what_is_no_budget_is_refused(place):
    """At its place, with what to write."""
    place.config.write_text(place.config.read_text().replace("budget = 3", 'budget = "many"'))
    out = place.run("show", "both")
    assert out.exit_code == 2
    assert "is no budget" in out.stderr
    assert "budget = ..." in out.stderr
