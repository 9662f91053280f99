"""Where a loss sits that a rule cannot see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alerts.coalesce import combined
from alerts.message import RuleFacts, compose
from alerts.model import Change
from alerts.outside import Counted, Lost, located
from rules.slices import Slice
from tests.alerts.make import START, assess, cause, evidence, finding, tick
from tests.alerts.stories import RULE, told
from tests.alerts.stories import located as story

IOS = cause(device="ios")
USUAL = {"akamai": 700.0, "fastly": 400.0, "cloudfront": 300.0, None: 100.0}


def lost(expected):
    """A loss of ios of which so much was expected."""
    return Lost(IOS, START, tick(1), expected)


def found(now, week=USUAL, day=USUAL, expected=None):
    """(value, share) where the loss is in one."""
    seen = located(lost(expected), (Counted("cdn", now, week, day),))
    return None if seen is None else (seen.value, round(seen.share, 2))


def test_a_loss_in_one_value_is_found():
    """With what it had and would have had."""
    seen = located(lost(1_500.0), (Counted("cdn", USUAL | {"fastly": 3.0}, USUAL, USUAL),))
    assert seen is not None
    assert (seen.cause, seen.column, seen.value, seen.observed, seen.expected) == (IOS, "cdn", "fastly", 3.0, 400.0)
    assert found({k: v for k, v in USUAL.items() if k is not None}) == (None, 1.0)


@pytest.mark.parametrize(
    "now",
    [
        {name: 0.6 * amount for name, amount in USUAL.items()},
        USUAL | {"fastly": 250.0, "akamai": 400.0},
        USUAL | {"fastly": 0.0, "akamai": 400.0},
        USUAL | {"fastly": 385.0},
        USUAL | {"fastly": 0.0, "new": 500.0},
        {},
    ],
    ids=["everywhere alike", "in two", "most in the largest", "too little", "elsewhere", "all is gone"],
)
def test_a_loss_that_is_in_no_single_value_is_not(now):
    """Nothing is said rather than something wrong."""
    assert found(now) is None


def test_most_of_the_slice_is_no_news():
    """A value with half of the events and more is the slice, nearly."""
    usual = {"fastly": 900.0, "akamai": 600.0}
    assert found({"fastly": 100.0, "akamai": 600.0}, usual, usual) is None


def test_both_comparisons_must_agree():
    """A week ago it was so, yesterday it was not: it is not since this began. One that cannot be made says nothing."""
    now = USUAL | {"fastly": 3.0}
    assert found(now, day=now) is None
    assert found(now, week=USUAL, day={}) == found(now, week={}, day=USUAL) == ("fastly", 1.0)
    assert found(now, week={}, day={}) is None
    assert found(now, expected=9_000.0) is None


def test_the_column_that_stands_out_most_is_named():
    """A part of the network's servers is in the loss as well, less clearly."""
    parts = {"eu-1": 500.0, "eu-2": 500.0, "us": 500.0}
    cdn = Counted("cdn", USUAL | {"fastly": 0.0}, USUAL, USUAL)
    server = Counted("server", parts | {"eu-1": 130.0}, parts, parts)
    for columns in ((cdn, server), (server, cdn)):
        seen = located(lost(None), columns)
        assert seen is not None
        assert seen.column == "cdn"


amounts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(300, 5_000).map(float), min_size=3)


@settings(max_examples=200)
@given(amounts, st.floats(0.55, 1.9), st.data())
def test_it_is_found_whatever_the_level_is(usual, level, data):
    """What came a week ago is brought to what is expected now: growth hides nothing, and invents nothing."""
    value = data.draw(st.sampled_from(sorted(usual)))
    assume(usual[value] < 0.45 * sum(usual.values()))
    expected = level * sum(usual.values())
    now = {name: level * amount for name, amount in usual.items()}
    assert found(now, usual, usual, expected) is None
    assert found(now | {value: 0.0}, usual, usual, expected) == (value, 1.0)


@settings(max_examples=200)
@given(amounts, st.floats(0.1, 0.9), st.randoms(use_true_random=False))
def test_a_loss_of_all_alike_is_never_told_as_one_of_a_value(usual, kept, rng):
    """With all the noise of counts, now and before."""

    def noisy(share):
        return {name: max(rng.gauss(share * n, (share * n) ** 0.5), 0.0) for name, n in usual.items()}

    assert found(noisy(kept), noisy(1.0), noisy(1.0), sum(usual.values())) is None


@given(amounts, amounts, amounts, st.one_of(st.none(), st.floats(1.0, 1e6)))
def test_what_is_told_holds(now, week, day, expected):
    """Whatever the counts: it lost, the others did not, and it was no half of the slice."""
    seen = located(lost(expected), (Counted("cdn", now, week, day),))
    if seen is not None:
        assert seen.observed < seen.expected
        assert 0.8 <= seen.share <= 1.0
        assert seen.observed == now.get(seen.value, 0.0)


def test_it_is_said_as_long_as_the_cause_is_the_same():
    """In what follows too; a cause that changed has another place."""
    step = story()
    later = replace(step, change=Change.REPEATED, because="it goes on")
    wider = replace(step.incident, cause=Slice(), causes=step.incident.causes)
    assert any("cdn=fastly" in text for text in compose(later, RULE).summary)
    assert not any("cdn" in text for text in compose(replace(later, incident=wider), RULE).summary)


def test_what_was_found_before_the_first_message_left_is_told_in_it():
    """One message, as new as the first was; nothing is told as having come before."""
    opened = told(assess(1, finding(observed=487_000.0, evidence=evidence(grew=()))))
    first, place = (compose(step, RuleFacts("r", "s", "p")) for step in (opened, story()))
    one = combined([first, place], told_before=False)
    assert (one.change, one.seq, one.push) == (Change.OPENED, place.seq, place.push)
    assert not any("You hear of it only now" in text for text in one.summary)
    widened = replace(first, seq=2, change=Change.WIDENED)
    assert "push" not in combined([first, widened, replace(place, seq=3)], told_before=False).summary[-1]
    assert first.push in combined([first, widened, replace(place, seq=3)], told_before=False).summary[-1]
    assert tick(1) == opened.at
