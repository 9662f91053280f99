"""How long a rule that fails in itself rests. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.parking import FIRST_PAUSE, LONGEST_PAUSE, MOST, after, pause, reason, rests, told

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def failed(times: int):
    item = None
    for _ in range(times):
        item = after(item, "mark", "KeyError: 'x'", NOW)
    return item


def test_two_failures_are_no_habit():
    """Until the third one it is tried at every tick."""
    assert not rests(None, NOW)
    assert [rests(failed(n), NOW) for n in (1, 2, 3)] == [False, False, True]


@given(st.integers(0, 10_000))
def test_pauses_grow_to_an_hour_and_no_further(failures):
    """Each is at least as long as the one before, whatever the number."""
    assert pause(failures) <= pause(failures + 1) <= LONGEST_PAUSE
    assert pause(MOST) == FIRST_PAUSE
    assert pause(failures + 10) == LONGEST_PAUSE or failures + 10 < MOST + 6


@given(st.integers(MOST, 40), st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_no_clock_makes_it_rest_longer_than_its_pause(failures, moved):
    """Nor one that was set back: it is tried at the latest an hour later, by any clock."""
    item, now = failed(failures), NOW + moved
    assert not rests(item, now) or item.until - now <= LONGEST_PAUSE
    assert not rests(item, item.until)


def test_the_reason_says_until_when_how_often_and_what():
    """Before it is parked only what failed."""
    assert reason(failed(1), NOW) == "slicewatch failed to judge it: KeyError: 'x'"
    assert reason(failed(5), NOW) == (
        "parked until 2026-03-04 12:04:00 UTC: slicewatch failed to judge it 5 times in a row, the last time with: "
        "KeyError: 'x'"
    )


def test_an_error_is_one_line_of_bounded_length():
    """Without a text it is its name; a text of many lines is one."""
    assert told(MemoryError()) == "MemoryError"
    assert told(ValueError("a\n  b")) == "ValueError: a b"
    assert len(told(ValueError("x" * 10_000))) <= 300
