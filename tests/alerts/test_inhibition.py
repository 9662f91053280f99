"""Incidents held back while another rule's incident explains them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents import StepPolicy
from alerts.inhibition import inhibitor
from alerts.model import Incident, Reason
from alerts.plan import Around, Routes, plan
from rules.model import Severity
from rules.slices import Slice
from tests.alerts.make import History, assess, blind, cause, finding, tick
from tests.alerts.test_incidents_properties import slices

ROUTES = Routes(tuple((severity, ("team",)) for severity in Severity))
IOS_NO = cause(device="ios", country="NO")


def other(at: Slice, **fields) -> Incident:
    """An open incident of the rule `ingest`."""
    history = History()
    history.see(assess(1, finding(at, rule="ingest", **fields)))
    return history.only


def mine(at: Slice = IOS_NO):
    """The opening of an incident of one's own."""
    return History().see(assess(1, finding(at)))


@pytest.mark.parametrize(
    ("at", "held"),
    [
        (IOS_NO, True),
        (cause(country="NO"), True),
        (Slice(), True),
        (cause(country="SE"), False),
        (cause(device="ios", country="NO", os="17"), False),
        (cause(region="north"), False),
    ],
)
def test_what_covers_the_slice_holds_it_back(at, held):
    """The same slice, a wider one, the total; not a sibling, a part of it, or a dimension of the other rule alone."""
    assert (inhibitor(mine()[0].incident, [other(at)]) is not None) is held


def test_another_name_of_the_same_events_counts():
    """`os=ios` where all of ios runs on it."""
    assert inhibitor(mine()[0].incident, [other(cause(os="ios"), also=(cause(device="ios"),))]) is not None


def test_it_is_held_with_the_incident_that_holds_it():
    """The reason names the rule, its cause and its incident, which `explain` takes."""
    ingest = other(cause(country="NO"))
    (decision,) = plan(mine(), replace(ROUTES, around=Around(inhibitors=(ingest,))), tick(1))
    assert (decision.send, decision.reason) == (False, Reason.INHIBITED)
    assert decision.because == f"ingest tells of country=NO meanwhile ({ingest.id})"


def test_a_source_that_cannot_be_asked_holds_back_all():
    """The other rule's blindness is an incident on its total."""
    history = History()
    history.see(assess(1, unseen=blind(1, rule="ingest")))
    (decision,) = plan(mine(), replace(ROUTES, around=Around(inhibitors=(history.only,))), tick(1))
    assert decision.reason is Reason.INHIBITED


def test_the_end_of_what_was_told_passes():
    """Whoever heard the beginning hears the end."""
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding()))
    end = history.see(assess(2, good=[history.only.id]))
    routes = replace(ROUTES, around=Around(inhibitors=(other(Slice()),)))
    (decision,) = plan(end, routes, tick(2), told={history.only.id: ["team"]})
    assert decision.send


def test_an_inhibition_that_cannot_be_worked_out_holds_back_nothing():
    """Suppression that fails, fails open."""
    (decision,) = plan(mine(), replace(ROUTES, around=Around(inhibitors=(None,))), tick(1))
    assert decision.send


@given(slices(), st.lists(slices(), max_size=4))
def test_only_what_covers_every_event_of_it_holds_it_back(at, others):
    """Each value that the other cause names is one of this cause."""
    found = inhibitor(mine(at)[0].incident, [other(item) for item in others])
    covering = [item for item in others if set(item.terms) <= set(at.terms)]
    assert (found.cause if found else None) == (covering[0] if covering else None)
