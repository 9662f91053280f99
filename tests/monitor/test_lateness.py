"""What should have been evaluated by now: the same as a list of all scheduled times says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.buckets import to_epoch
from monitor.lateness import MOST_COUNTED, Late, gap_of, late, late_rules
from monitor.ticks import next_tick, ticks_between
from monitor.watched import Watched
from rules.cron import Cron
from tests.monitor.test_ticks import RULE, moments, rules

SECOND = timedelta(seconds=1)


@given(rules, moments, st.integers(0, 3 * 86_400))
def test_what_is_missing_is_all_that_was_scheduled_since_the_newest_evaluation(rule, now, ago):
    """Since the first of them, and as many as there are."""
    newest = now - timedelta(seconds=ago)
    due = ticks_between(Watched.of(rule), newest + SECOND, now)
    found = late(rule, to_epoch(newest), now)
    assert found == (Late(rule, due[0], min(len(due), MOST_COUNTED)) if due else None)


@given(rules, moments)
def test_the_next_evaluation_is_the_first_after_a_moment(rule, moment):
    """None lies between, and it is one."""
    watched = Watched.of(rule)
    following = next_tick(watched, moment)
    assert following > moment
    assert ticks_between(watched, moment + SECOND, following) == [following]
    assert following - moment <= max(gap_of(rule), timedelta(days=3)) + timedelta(hours=1)


def test_a_rule_that_never_ran_is_late_from_when_it_is_known():
    """Where nobody knows since when there is such a rule, nothing can be said."""
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert late(RULE, None, now) is None
    assert late(RULE, None, now, now) is None
    assert late(RULE, None, now, now - hour) == Late(RULE, now - hour, 1)


def test_a_year_of_silence_is_counted_at_once():
    """What is many is many: nobody waits until all is counted."""
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    for schedule in (timedelta(minutes=15), Cron.parse("*/15 * * * *")):
        rule = RULE.__class__(**vars(RULE) | {"schedule": schedule})
        found = late(rule, to_epoch(now - timedelta(days=365)), now)
        assert found is not None
        assert found.missing == MOST_COUNTED


def test_the_longest_silence_comes_first():
    """Rules on time are left out."""
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    named = [RULE.__class__(**vars(RULE) | {"name": name}) for name in "abc"]
    newest = {"a": to_epoch(now) - 7_200, "b": to_epoch(now), "c": to_epoch(now) - 90_000}
    assert [item.rule.name for item in late_rules(named, newest, now, {})] == ["c", "a"]
