"""What docs/delivery.md says of dead receivers and of faults."""

from __future__ import annotations

import pytest

from benchmarks.delivery import MOST, latency
from benchmarks.delivery_faults import FAULTS, KILLED, KILLS, Trial, measure, trial

QUIET = ("none", "connection cut after the message was taken", "blocks refused")
"""Faults after which nothing is repeated."""


def test_a_message_that_was_taken_before_the_connection_was_cut_is_told_once():
    """The short form: the real program as a process, a real Slack on loopback, everything once and in order."""
    assert trial("connection cut after the message was taken") == Trial(8, 8, 0)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_a_dead_receiver_delays_nobody():
    """The 99th percentile of the healthy ones is at most 1.2 times that without it."""
    assert latency().ratio <= MOST


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_no_fault_loses_anything_or_changes_the_order():
    """Every fault five times; repeats only where the outcome was unknown."""
    found = measure(list(FAULTS))
    assert {name: (one.lost, one.disordered) for name, one in found.items()} == dict.fromkeys(FAULTS, (0, 0))
    assert all(found[name].repeated == 0 for name in QUIET)
    assert found[KILLED].sent == 5 * KILLS
