"""Whether loops go round."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from monitor.underway import Underway
from monitor.vitals import Vitals


def test_a_loop_that_goes_round_is_well():
    """Each turn may take as long as it said."""
    now = [0.0]
    vitals = Vitals(lambda: now[0])
    turn = vitals.loop("deliver", 60)
    for moment in (60, 120, 180):
        now[0] = moment
        assert vitals.amiss() == ()
        turn()


def test_a_loop_that_is_stuck_is_named_and_may_go_on():
    """With how long it has been at its turn."""
    now = [0.0]
    vitals = Vitals(lambda: now[0])
    turn, other = vitals.loop("deliver", 60), vitals.loop("watch", 60)
    now[0] = 61
    other()
    assert vitals.amiss() == ("deliver has been at one turn for 61 s",)
    turn()
    assert vitals.amiss() == ()


def test_what_has_ended_is_named_until_all_is_meant_to_end():
    """A process that ends is not ill."""
    vitals, alive = Vitals(), [True]
    vitals.thread("web", lambda: alive[0])
    assert vitals.amiss() == ()
    alive[0] = False
    assert vitals.amiss() == ("web has ended",)
    vitals.end()
    assert vitals.amiss() == ()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100))))
def test_exactly_those_are_amiss_whose_last_turn_is_too_long_ago(steps):
    """Whatever the order of turns and looks."""
    now = [0.0]
    vitals = Vitals(lambda: now[0])
    turns = {name: vitals.loop(name, 50) for name in "abc"}
    last = dict.fromkeys("abc", 0.0)
    for name, later in steps:
        now[0] += later
        stuck = {found for found, at in last.items() if now[0] - at > 50}
        assert {told[0] for told in vitals.amiss()} == stuck
        turns[name]()
        last[name] = now[0]


def test_what_is_underway_is_named_in_its_order_until_it_ends():
    """The same name may be there twice; an error ends it too."""
    underway = Underway()
    with underway.at("a"), underway.at("b"):
        with underway.at("a"):
            assert underway.names() == ("a", "b", "a")
        assert sorted(underway.names()) == ["a", "b"]
        with suppress(ZeroDivisionError), underway.at("c"):
            assert 1 / 0
        assert "c" not in underway.names()
    assert underway.names() == ()
