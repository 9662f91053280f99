"""Events broken on purpose: as much as was said, only there, and the same whenever they are asked for."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from monitor.broken_source import Broken, members
from monitor.buckets import Grid, to_datetime
from monitor.synthetic import MIDDAY, Synthetic, values_of
from monitor.watched import Watched
from rules.model import Interval, Timestamp
from rules.rule_tests import Expectation, History, Injection, RuleTest
from tests.monitor.world import cause, rule_of, world

HOUR = 3600
RULE = rule_of(world({"device": ("ios", "tv"), "country": ("NO", "SE")}, days=1))
SOURCE = Synthetic(Grid(HOUR), {"device": ("ios", "tv", None), "country": ("NO", "SE")}, 6_000.0)
IOS = cause(device="ios")


def asked(*given: Injection, now: int | None = None, arrived: bool = False):
    """(before, after): four hours around noon of the source as it is, and broken from noon on."""
    from dataclasses import replace

    rule = replace(RULE, arrived_at=Timestamp("seen")) if arrived else RULE
    first, stop = MIDDAY - HOUR, MIDDAY + 3 * HOUR
    now = stop if now is None else now
    query = Watched.of(rule).query([Interval(to_datetime(first), to_datetime(stop))], now)
    broken = Broken(SOURCE, Grid(HOUR), MIDDAY, given, now)
    found = broken.count(query)
    again = broken.count(query)
    assert found.equals(again)
    return SOURCE.count(query), found


def by_hour(frame, item) -> list[int]:
    inside = frame[members(frame, item)]
    return [int(inside.loc[inside["bucket"] == to_datetime(MIDDAY + h * HOUR), "m0"].sum()) for h in range(-1, 3)]


def test_a_drop_takes_its_share_of_the_slice_in_its_buckets():
    """Nothing before, after, or beside it."""
    before, after = asked(Injection("drop", IOS, 0.3, buckets=2))
    was, now = by_hour(before, IOS), by_hour(after, IOS)
    assert (now[0], now[3]) == (was[0], was[3])
    assert np.array(now[1:3]) / was[1:3] == pytest.approx([0.3, 0.3], abs=0.05)
    assert by_hour(after, cause(device="tv")) == by_hour(before, cause(device="tv"))


def test_a_hidden_drop_keeps_the_total_event_for_event():
    """The others have what was lost, NULL among them."""
    before, after = asked(Injection("drop", IOS, 0.0, buckets=2, keep_total=True))
    assert by_hour(after, cause()) == by_hour(before, cause())
    assert by_hour(after, IOS)[1:3] == [0, 0]
    assert by_hour(after, cause(device=None))[1] > by_hour(before, cause(device=None))[1]


def test_a_spike_begins_when_it_is_said_to():
    """`after` counts buckets from the first."""
    before, after = asked(Injection("spike", IOS, 3.0, buckets=1, after=1))
    was, now = by_hour(before, IOS), by_hour(after, IOS)
    assert (now[1], now[3]) == (was[1], was[3])
    assert now[2] / was[2] == pytest.approx(3.0, rel=0.05)


def test_what_moves_bears_another_value_and_nothing_is_lost():
    """Rows of the same slice are one row again."""
    before, after = asked(Injection("move", IOS, to=cause(device="tv"), buckets=3))
    assert by_hour(after, cause()) == by_hour(before, cause())
    assert by_hour(after, IOS)[1:] == [0, 0, 0]
    assert not after.duplicated(["bucket", "device", "country"]).any()


def test_late_events_come_when_they_have_arrived():
    """Before they are not there; where arrivals are counted, they are of their own class."""
    late = Injection("delay", IOS, late=timedelta(hours=2), buckets=1)
    assert by_hour(asked(late, now=MIDDAY + 2 * HOUR)[1], IOS)[1] == 0
    before, after = asked(late, now=MIDDAY + 3 * HOUR)
    assert by_hour(after, IOS) == by_hour(before, IOS)
    _, classed = asked(late, arrived=True)
    inside = members(classed, IOS) & (classed["bucket"] == to_datetime(MIDDAY)).to_numpy()
    assert set(classed.loc[inside, "lag"]) == {1}
    assert set(classed.loc[~inside, "lag"]) == {0}


def test_synthetic_values_are_those_that_are_named_and_some_more():
    """Expected ones, those of tests, and invented ones; what something is renamed to is not there before."""
    test = RuleTest(
        "t",
        (Injection("rename", IOS, to=cause(device="iphone")), Injection("move", IOS, to=cause(country="DK"))),
        Expectation(silent=(cause(country="NO"),)),
        History(values=(("country", ("SE",)),)),
    )
    from dataclasses import replace

    found = values_of(replace(RULE, tests=(test,)), test)
    assert found == {"device": ("ios", "device-1", "device-2", "device-3"), "country": ("SE", "DK", "NO")}
