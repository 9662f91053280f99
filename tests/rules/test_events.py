"""Files of planned events: what they mean, and what is said of their mistakes."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from rules.events import parse_events
from rules.load import load_rules
from rules.model import Interval, PlannedEvent
from rules.slices import Slice

RULE = """rules:
  - name: playback_volume
    source: lake.playback
    timestamp: at
    dimensions: [device, country]
    timezone: Europe/Oslo
    baseline: {events: events.yaml}
"""
SOUND = """events:
  - name: Black Friday
    from: 2026-11-27
    to: 2026-11-28T06:00
    slice: {country: NO, device: 8}
    change: x1.5
  - {name: migration, from: 2026-12-01T10:00Z, to: 2026-12-01T12:00Z, change: unknown}
"""


def loaded(tmp_path, events: str | None, rule: str = RULE):
    (tmp_path / "rules.yaml").write_text(rule, encoding="utf-8")
    if events is not None:
        (tmp_path / "events.yaml").write_text(events, encoding="utf-8")
    return load_rules([tmp_path / "rules.yaml"])


def test_events_become_part_of_the_rule(tmp_path):
    """Naive times are in the rule's time zone, others as written; terms stand in the rule's order, as text."""
    found = loaded(tmp_path, SOUND)
    assert found.problems == ()
    sale, migration = found.rules[0].events
    assert sale == PlannedEvent(
        "Black Friday",
        Interval(datetime(2026, 11, 26, 23, tzinfo=UTC), datetime(2026, 11, 28, 5, tzinfo=UTC)),
        Slice.of({"device": "8", "country": "NO"}),
        1.5,
    )
    assert (migration.slice, migration.factor) == (Slice(), None)
    assert migration.during.start == datetime(2026, 12, 1, 10, tzinfo=UTC)


def test_changes_are_factors():
    """`x2`, `+50%` and `-30%`; all of it may be planned to go."""
    for text, factor in (("x2", 2.0), ("x0.25", 0.25), ("+50%", 1.5), ("-30 %", 0.7), ("-100%", 0.0), ("+250%", 3.5)):
        (event,) = parse_events(f"events: [{{name: a, from: 2026-01-01, to: 2026-01-02, change: {text}}}]", "e").events
        assert abs((event.factor if event.factor is not None else -1) - factor) < 1e-9


BROKEN = """events:
  - name: backwards
    from: 2026-12-27
    to: 2026-12-26
    change: unknown
  - name: misspelt
    from: tomorrow
    to: 2026-12-26
    chnge: -30%
  - name: bare number
    from: 2026-12-26
    to: 2026-12-27
    change: 1.5
  - 7
  - {name: sound, from: 2026-12-26, to: 2026-12-27, change: -10%}
  - {name: more than all, from: 2026-12-26, to: 2026-12-27, change: -130%}
"""
SAID = """events.yaml:4:9: error[bad-interval]: 'backwards' ends before it starts
   4 |     to: 2026-12-26
     |         ^^^^^^^^^^ the end is not included
events.yaml:6:5: error[missing-key]: an event needs 'change'
   6 |   - name: misspelt
     |     ^^^^ add it: how many events are expected; unknown is not judged
events.yaml:7:11: error[bad-time]: 'tomorrow' is no time
   7 |     from: tomorrow
     |           ^^^^^^^^ write a day (2026-11-27) or a time (2026-11-27T18:00)
events.yaml:9:5: error[unknown-key]: 'chnge' is not a key of an event
   9 |     chnge: -30%
     |     ^^^^^ did you mean 'change'?
events.yaml:13:13: error[bad-value]: 1.5 is no change
  13 |     change: 1.5
     |             ^^^ write x1.5, +50%, -30%, or unknown
events.yaml:14:5: error[wrong-type]: an event is a mapping
  14 |   - 7
     |     ^ write '- name: ...'
events.yaml:16:69: error[bad-value]: nothing changes by -130%
  16 |   - {name: more than all, from: 2026-12-26, to: 2026-12-27, change: -130%}
     |                                                                     ^^^^^ write x1.5, +50%, -30%, or unknown"""


def test_a_broken_event_is_told_and_stops_neither_the_others_nor_the_rule(tmp_path):
    """Each mistake with its place; the rule runs with the events that are sound."""
    found = loaded(tmp_path, BROKEN)
    said = "\n".join(problem.render() for problem in found.problems)
    assert said.replace(f"{tmp_path.as_posix()}/", "") == SAID
    assert [event.name for event in found.rules[0].events] == ["sound"]


def test_an_event_of_other_dimensions_is_left_out_aloud(tmp_path):
    """A file shared by rules may speak of what one of them does not slice by: a warning says so."""
    other = "events:\n  - {name: a, from: 2026-01-01, to: 2026-01-02, slice: {contry: NO}, change: x2}\n"
    found = loaded(tmp_path, other)
    (problem,) = found.problems
    assert (problem.severity, problem.place.line, problem.hint) == ("warning", 2, "did you mean 'country'?")
    assert found.rules[0].events == ()


def test_a_file_that_is_not_there_is_told_where_it_is_named(tmp_path):
    """The rule is watched all the same."""
    found = loaded(tmp_path, None)
    (problem,) = found.problems
    assert (problem.code, problem.place.line, problem.place.column) == ("unreadable", 7, 24)
    assert len(found.rules) == 1


def test_rules_that_share_a_broken_file_tell_it_once(tmp_path):
    """One mistake, one problem."""
    two = RULE + RULE.removeprefix("rules:\n").replace("playback_volume", "other") + "    direction: both\n"
    found = loaded(tmp_path, "events: 5\n", two)
    assert len(found.rules) == 2
    assert [problem.code for problem in found.problems] == ["wrong-type"]


@given(st.text(max_size=200) | st.text(alphabet="events:-{}[] nametochangefrom\n012x%", max_size=200))
def test_every_text_is_answered(text):
    """Never an exception, whatever stands in the file."""
    found = parse_events(text, "events.yaml")
    assert all(problem.place.file == "events.yaml" for problem in found.problems)
