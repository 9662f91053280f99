"""Cron expressions: what they mean in a time zone, and what is refused."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import assume, given
from hypothesis import strategies as st

from rules.cron import Cron

OSLO = ZoneInfo("Europe/Oslo")
ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Nuuk", "Asia/Kathmandu")
]


def fields(low, high):
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    plain = number.map(str)
    part = st.one_of(plain, span, st.tuples(span, st.integers(1, 9)).map(lambda two: f"{two[0]}/{two[1]}"))
    return st.one_of(
        st.just("*"), st.integers(1, 30).map(lambda n: f"*/{n}"), st.lists(part, min_size=1, max_size=3).map(",".join)
    )


texts = st.tuples(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(0, 6)).map(" ".join)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
zones = st.sampled_from(ZONES)


def listed(numbers):
    return ",".join(map(str, sorted(numbers)))


def local(text, *moments):
    """The times of an expression after local moments of Oslo, as a clock there shows them."""
    return [
        Cron.parse(text).next_after(datetime.fromisoformat(m).replace(tzinfo=OSLO), OSLO).astimezone(OSLO)
        for m in moments
    ]


@pytest.mark.parametrize(
    ("text", "after", "comes"),
    [
        ("*/15 * * * *", "2026-11-25T12:07", "2026-11-25T12:15"),
        ("0 2 * * SUN", "2026-11-25T12:00", "2026-11-29T02:00"),
        ("0 2 * * 7", "2026-11-25T12:00", "2026-11-29T02:00"),
        ("0 8-18/2 * * mon-fri", "2026-11-27T18:00", "2026-11-30T08:00"),
        ("30 6 1,15 * *", "2026-11-25T12:00", "2026-12-01T06:30"),
        ("0 0 1 * MON", "2026-11-25T12:00", "2026-11-30T00:00"),
        ("0 0 29 FEB *", "2026-11-25T12:00", "2028-02-29T00:00"),
        ("0 0 * * FRI-SUN", "2026-11-28T00:00", "2026-11-29T00:00"),
        ("5/20 0 * * *", "2026-11-25T00:25", "2026-11-25T00:45"),
    ],
)
def test_the_next_time(text, after, comes):
    """Steps, lists, spans, words, both days: as cron's manual has them."""
    assert f"{local(text, after)[0]:%Y-%m-%dT%H:%M}" == comes


def test_a_time_that_the_clocks_skip_comes_when_they_are_put_forward():
    """In Oslo 02:30 does not exist on 29 March 2026: nothing planned for it is lost."""
    assert f"{local('30 2 * * *', '2026-03-28T12:00')[0]:%d %H:%M}" == "29 03:00"
    quarters = Cron.parse("*/15 * * * *")
    start = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    found = list(quarters.between(start, start + timedelta(hours=1), OSLO))
    assert found == [start + timedelta(minutes=15 * n) for n in range(4)]


def test_a_time_that_comes_twice_counts_once_unless_any_hour_is_meant():
    """On 25 October 2026 Oslo has 02:30 twice: a nightly job runs once, a rhythm of half an hour goes on."""
    night = (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 22, tzinfo=UTC))
    assert len(list(Cron.parse("30 2 * * *").between(*night, OSLO))) == 1
    half_hours = list(Cron.parse("*/30 * * * *").between(*night, OSLO))
    assert {after - before for before, after in pairwise(half_hours)} == {timedelta(minutes=30)}


def test_a_window_begins_at_a_time_and_does_not_hold_its_end():
    """`0 2 * * SUN` for two hours: 02:00 is in it, 04:00 is not, and Monday is not."""
    weekly, two_hours = Cron.parse("0 2 * * SUN"), timedelta(hours=2)
    start = datetime(2026, 11, 29, 2, tzinfo=OSLO)
    assert weekly.covering(start, two_hours, OSLO) == (start, start + two_hours)
    assert weekly.covering(start + timedelta(minutes=119), two_hours, OSLO) == (start, start + two_hours)
    assert weekly.covering(start + two_hours, two_hours, OSLO) is None
    assert weekly.covering(start - timedelta(seconds=1), two_hours, OSLO) is None


def test_the_shortest_gap_looks_over_midnight():
    """23:50 and 00:10 are twenty minutes apart; one time a day is a day."""
    assert Cron.parse("50,10 23,0 * * *").shortest_gap() == timedelta(minutes=20)
    assert Cron.parse("0 2 * * SUN").shortest_gap() == timedelta(days=1)


@given(texts, moments, zones)
def test_next_and_latest_are_neighbours_in_between(text, moment, zone):
    """Nothing lies between a moment and the time told, on either side, and both are times of the expression."""
    cron = Cron.parse(text)
    assume(cron.shortest_gap() and any(cron.falls_on(date(2026, 1, 1) + timedelta(days=n)) for n in range(366)))
    before, after = cron.latest(moment, zone), cron.next_after(moment, zone)
    assert before <= moment < after
    assert cron.next_after(before, zone) == after
    assert cron.latest(after, zone) == after
    assert list(cron.between(before, after + timedelta(microseconds=1), zone)) == [before, after]


@given(texts, moments, zones)
def test_a_time_is_what_a_clock_on_the_wall_shows(text, moment, zone):
    """Minute, hour and day are those asked for, unless the clocks were put forward at that very moment."""
    cron = Cron.parse(text)
    comes = cron.next_after(moment, zone)
    wall = comes.astimezone(zone)
    shown = wall.minute in cron.minutes and wall.hour in cron.hours and cron.falls_on(wall.date())
    assert shown or wall.utcoffset() > (comes - timedelta(minutes=1)).astimezone(zone).utcoffset()


@given(texts, moments)
def test_where_no_clock_is_put_forward_it_is_as_another_library_has_it(text, moment):
    """APScheduler's cron agrees in UTC, where it means the same: it wants both days to fit."""
    cron = Cron.parse(text)
    assume("*" in text.split()[2::2])
    trigger = CronTrigger(
        minute=listed(cron.minutes),
        hour=listed(cron.hours),
        day=listed(cron.days),
        month=listed(cron.months),
        day_of_week=listed((day - 1) % 7 for day in cron.weekdays),
        timezone=UTC,
    )
    theirs = trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
    assert cron.next_after(moment, ZoneInfo("UTC")) == theirs


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("* * * *", "has 4 fields"),
        ("@daily", "has 1 field,"),
        ("60 * * * *", "'60' is no minute of cron: write 0 to 59"),
        ("0 0 * * FUN", "'FUN' is no weekday of cron: write 0 to 6, or SUN to SAT"),
        ("*/0 * * * *", "a step is a number from 1 to 99"),
        ("30-10 * * * *", "it ends before it begins"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 L * *", "'L' is no day of cron: write 1 to 31"),
        ("0 0 1 0 *", "'0' is no month of cron: write 1 to 12, or JAN to DEC"),
        (", * * * *", "'' is no minute"),
        ("٣ * * * *", "is no minute"),
    ],
)
def test_what_is_no_cron_expression_says_which_field(text, says):
    """The message names the part that is wrong and what it takes."""
    with pytest.raises(ValueError, match=re.escape(says)):
        Cron.parse(text)


@given(st.text(alphabet="0123456789*/,- SUNJAN?L#", max_size=20))
def test_any_text_is_read_or_refused(text):
    """No accident of another kind."""
    with suppress(ValueError):
        assert Cron.parse(text).minutes
