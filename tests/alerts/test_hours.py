"""Hours of a receiver: which moments they hold, and when they begin next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.hours import Hours

OFFICE = Hours.parse("Mon-Fri 09:00-18:00", "Europe/Oslo")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def test_they_are_by_the_clock_of_their_zone():
    """Nine in Oslo is eight UTC in winter, seven in summer; the end is not included."""
    assert not OFFICE.hold(MONDAY.replace(hour=7, minute=59))
    assert OFFICE.hold(MONDAY.replace(hour=8))
    assert not OFFICE.hold(MONDAY.replace(hour=17))
    assert OFFICE.hold(datetime(2026, 6, 22, 7, tzinfo=UTC))


def test_after_friday_comes_monday():
    """Over a weekend, and over the change of the clocks within it."""
    assert OFFICE.next_start(MONDAY.replace(day=27, hour=17)) == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert OFFICE.next_start(datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 30, 7, tzinfo=UTC)


def test_several_stretches_all_days_and_midnight():
    """`Sat-Mon` are three days; without days it is each of them; 24:00 is midnight."""
    hours = Hours.parse("Sat-Mon 10:00-12:00, 20:00-24:00")
    assert [hours.hold(MONDAY + timedelta(days=day, hours=11)) for day in range(7)] == [True, *[False] * 4, True, True]
    assert hours.hold(MONDAY + timedelta(days=2, hours=23, minutes=59))
    assert not hours.hold(MONDAY + timedelta(days=3))


@pytest.mark.parametrize("text", ["", "Mon-Fri", "9-18", "Mon-Fri 18:00-09:00", "Mo-Fr 09:00-18:00", "Mon 25:00-26:00"])
def test_what_are_no_hours_is_refused(text):
    """Each says what is accepted."""
    with pytest.raises(ValueError, match="write Mon-Fri 09:00-18:00"):
        Hours.parse(text)


@given(st.integers(0, 366 * 24 * 60), st.sampled_from(["Europe/Oslo", "America/New_York", "Asia/Kolkata", "UTC"]))
def test_the_next_start_is_the_first_moment_within(minutes, zone):
    """From any moment outside: they hold there, and a minute before they do not."""
    now, hours = MONDAY + timedelta(minutes=minutes), Hours.parse("Tue-Thu 09:30-17:00, Sun 00:00-24:00", zone)
    if not hours.hold(now):
        start = hours.next_start(now)
        assert start > now
        assert hours.hold(start)
        assert not hours.hold(start - timedelta(minutes=1))
