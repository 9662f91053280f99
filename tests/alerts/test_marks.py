"""Marks: which known changes are held beside what breaks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.actions import RefusedError
from alerts.marks import MOST, NEAR, near, new_mark, of_rule
from alerts.model import Actor
from alerts.silences import Scope
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place
from tests.alerts.make import START

KARI = Actor("cli", "kari", "Kari")
HOUR = timedelta(hours=1)
RULE = Rule("playback", SourceRef("lake", ("playback",)), Timestamp("at"), ("device",), Place("a.yaml"), owner="recs")


def at(minutes: float, scope: Scope | None = None):
    return new_mark(f"change {minutes}", START + timedelta(minutes=minutes), scope or Scope(), KARI)


def test_what_changed_shortly_before_or_as_it_began_is_near():
    """Six hours before the first bad bucket and within it, the nearest first; not what came after, nor last week."""
    marks = [at(-361), at(-300), at(-20), at(5), at(61), at(-7 * 1440)]
    assert [mark.text for mark in near(marks, START, HOUR)] == ["change 5", "change -20", "change -300"]


def test_of_days_the_day_before_is_near():
    """A bucket of a day began at midnight: what was released the afternoon before belongs to it."""
    assert near([at(-10 * 60)], START, timedelta(days=1))
    assert not near([at(-10 * 60)], START, HOUR)


@given(st.lists(st.integers(-2_000, 2_000), max_size=12, unique=True))
def test_a_message_names_a_few_at_most(minutes):
    """Whatever was marked: at most three, none farther than six hours."""
    found = near([at(minute) for minute in minutes], START, HOUR)
    assert len(found) <= MOST
    assert all(START - NEAR <= mark.at < START + HOUR for mark in found)


def test_marks_concern_the_rules_they_name():
    """By pattern and owner; both have to hold."""
    scopes = [Scope(), Scope("play*"), Scope("other"), Scope(owner="recs"), Scope("play*", owner="ads")]
    marks = [at(number, scope) for number, scope in enumerate(scopes)]
    assert [mark.text for mark in of_rule(marks, RULE)] == ["change 0", "change 1", "change 3"]


def test_a_mark_says_something_and_the_same_is_one():
    """Nothing is refused; line breaks and control characters do not stand in a message."""
    with pytest.raises(RefusedError):
        new_mark(" \n", START, Scope(), KARI)
    assert new_mark("app\n7.3", START, Scope(), KARI) == new_mark("app 7.3", START, Scope(), KARI)
    assert at(1).id != at(2).id
