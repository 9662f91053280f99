"""What a seed draws."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.plan import APART, FULL, HOW, SHORT, Injected, Kind, at_once, counts, draw, names, source_of

seeds = st.integers(0, 1_000_000)
sizes = st.sampled_from([FULL, SHORT])


@given(seeds, sizes)
def test_a_seed_says_all(seed, size):
    """The same seed draws the same plan."""
    assert draw(seed, size) == draw(seed, size)


@given(seeds, sizes)
def test_as_many_losses_as_asked_each_with_room_to_be_told_by_itself(seed, size):
    """Losses of one rule are of different devices and apart, begin after the beginning and are over before the end."""
    losses = draw(seed, size).losses
    assert len(losses) == size.losses
    by_rule = {}
    for loss in losses:
        assert 0 < loss.begin < loss.end < size.buckets
        assert loss.device in names("device", size.devices)
        assert loss.country is None or loss.country in names("country", size.countries)
        by_rule.setdefault(loss.rule, []).append(loss)
    for mine in by_rule.values():
        assert len({loss.device for loss in mine}) == len(mine)
        assert all(later.begin - earlier.end >= APART for earlier, later in pairwise(mine))


@given(seeds, sizes)
def test_every_kind_of_fault_as_often_as_asked_in_every_way(seed, size):
    """Each kind comes `each` times within the chaos, in as many ways as there is room for, at a target that exists."""
    faults = draw(seed, size).faults
    for kind in Kind:
        mine = [fault for fault in faults if fault.kind is kind]
        assert len(mine) == size.each
        assert len({fault.how for fault in mine}) == min(size.each, len(HOW[kind]))
        assert all(fault.target < (size.sources if kind is Kind.SOURCE else size.replicas) for fault in mine)
    assert all(0 <= fault.at < fault.at + fault.lasts <= size.seconds for fault in faults)


@given(seeds, sizes)
def test_some_faults_come_together(seed, size):
    """Enough of them begin while another lasts, as far as it is planned."""
    faults = draw(seed, size).faults
    planned = [Injected(fault.kind, fault.how, fault.target, fault.at, fault.at + fault.lasts) for fault in faults]
    assert at_once(planned) >= size.together
    for first, second in zip(faults[::3], faults[1::3], strict=True):
        assert second.at < first.at + first.lasts
        assert {first.kind, second.kind} != {Kind.KILL, Kind.CLOCK} or first.target != second.target


def test_the_full_run_is_what_was_asked_for():
    """200 rules of 500 slices on three replicas, 20 faults of each kind and 10 at once, 500 ticks and 100 incidents."""
    assert (FULL.rules, FULL.slices, FULL.replicas) == (200, 500, 3)
    assert FULL.each >= 20
    assert FULL.together >= 10
    assert FULL.losses >= 100
    assert FULL.rules * FULL.buckets >= 500
    assert {source_of(rule, FULL) for rule in range(FULL.rules)} == set(range(FULL.sources))


def test_more_losses_than_there_is_room_for_are_refused():
    """A run that cannot hold what is asked says so."""
    with pytest.raises(ValueError, match="no room"):
        draw(1, replace(SHORT, losses=1_000))


def test_faults_are_counted_as_they_were():
    """By kind, those that never came as 0; one that began within another is at once with it."""
    killed = Injected(Kind.KILL, "kill -9", 0, 1.0, 3.0)
    cut = Injected(Kind.SOURCE, "cut", 1, 2.0, 5.0)
    dead = Injected(Kind.RECEIVER, "dead", 0, 6.0, 7.0)
    assert counts([killed, cut, dead]) == dict.fromkeys(Kind, 0) | {Kind.KILL: 1, Kind.SOURCE: 1, Kind.RECEIVER: 1}
    assert at_once([dead, cut, killed]) == 1
