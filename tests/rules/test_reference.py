"""docs/rules.md says what the model reads."""

import re
from pathlib import Path

from rules.events import parse_events
from rules.load import combine
from rules.model import Escalation, NewValues, Severity
from rules.parse import parse_rules
from rules.reference import reference

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def test_the_page_holds_the_reference_of_the_model():
    """A key that is added, renamed or given another default shows here."""
    assert reference().strip() in PAGE


def test_every_key_of_the_reference_says_what_it_means():
    """No cell of type or meaning is empty."""
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert all(row[1].strip() and row[3].strip(" |") for row in rows)


def test_the_example_of_the_page_is_a_sound_rule_file():
    """What readers copy works."""
    example, calendar, events = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = parse_rules(example, "docs/rules.md")
    assert found.problems == ()
    assert [rule.name for rule in found.rules] == ["playback_volume"]
    assert parse_rules(f"{example}    {calendar}", "docs/rules.md").rules[0].holidays.countries == ("NO", "SE")
    assert [event.factor for event in parse_events(events, "docs/rules.md").events] == [1.5, None]


def test_the_detectors_of_the_page_are_sound():
    """Every form of `detector` in its table can be written."""
    (example, *_) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    written = re.findall(
        r"^\| `([^`]*)`(?:, `([^`]*)`)? \|", PAGE.split("## Detectors")[1].split("## Reference")[0], re.MULTILINE
    )
    forms = [form for row in written for form in row if form and form != "detector"]
    assert len(forms) == 6
    for form in forms:
        more = f"    metrics: [count, {{sum: visits}}]\n    detector: {form}\n"
        assert parse_rules(f"{example}{more}", "docs/rules.md").problems == (), form


def test_the_example_of_the_alerting_page_is_a_sound_rule_file():
    """What readers copy works, and means what the page says of it."""
    page = (Path(__file__).parents[2] / "docs" / "alerting.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    found = combine([parse_rules(example, "docs/alerting.md")])
    assert found.problems == ()
    assert found.rules[0].escalate == (Escalation(Severity.CRITICAL, drop=0.9),)
    assert (found.rules[0].was, found.rules[0].slices.new) == ("playback_events", NewValues.ALERT)
    assert (found.rules[0].mute[0].reason, found.rules[0].inhibited_by) == ("weekly compaction", ("ingest_volume",))
