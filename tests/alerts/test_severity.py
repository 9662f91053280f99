"""What becomes louder, and what never becomes quieter."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents import StepPolicy
from alerts.model import Change, Kind, Reason
from alerts.plan import Routes, plan
from rules.model import Escalation, Severity
from tests.alerts.make import History, assess, cause, finding, tick
from tests.alerts.test_incidents_properties import moves, said

AT_90 = (Escalation(Severity.CRITICAL, drop=0.9, spike=2.0),)
POLICY = StepPolicy(keep_firing_for=1, escalate=AT_90)
HALF, MOST = {"observed": 400_000.0}, {"observed": 40_000.0}


def test_what_is_lost_by_more_than_the_rule_allows_opens_at_that_severity():
    """Nine tenths are gone at once: the first message is the critical one, and says why."""
    history = History(POLICY)
    (opened,) = history.see(assess(1, finding(**MOST)))
    assert (opened.change, opened.incident.severity) == (Change.OPENED, Severity.CRITICAL)
    assert "95 % of what is expected is lost" in opened.because


def test_an_incident_that_gets_worse_becomes_louder_once():
    """Half is a warning; nine tenths are critical, told by one step; the next worse bucket says nothing of it."""
    history = History(POLICY)
    history.see(assess(1, finding(**HALF)))
    assert history.only.severity is Severity.WARNING
    made = history.see(assess(2, finding(**MOST)))
    assert [t.change for t in made] == [Change.CONFIRMED, Change.ESCALATED]
    assert [t.change for t in history.see(assess(3, finding(observed=0.0)))] == [Change.CONFIRMED]
    assert history.only.severity is Severity.CRITICAL


def test_an_incident_that_gets_better_stays_as_loud():
    """Severity never sinks while it is open, and its end has the loudest it had."""
    history = History(POLICY)
    history.see(assess(1, finding(**MOST)))
    history.see(assess(2, finding(**HALF)))
    history.see(assess(3, good=[history.only.id]))
    assert {t.incident.severity for t in history.transitions} == {Severity.CRITICAL}


@pytest.mark.parametrize(
    ("kind", "observed", "severity"),
    [
        (Kind.MOVED, 0.0, Severity.CRITICAL),
        (Kind.RENAMED, 0.0, Severity.WARNING),
        (Kind.SPIKE, 2_500_000.0, Severity.CRITICAL),
        (Kind.SPIKE, 1_500_000.0, Severity.WARNING),
    ],
)
def test_which_change_counts(kind, observed, severity):
    """What moved is gone from where it was; what was renamed is there; a spike is held against `spike`."""
    history = History(POLICY)
    history.see(assess(1, finding(kind=kind, observed=observed, to=cause(device="iOS"))))
    assert history.only.severity is severity


def test_an_incident_that_takes_over_a_louder_one_is_as_loud():
    """Whoever was paged for the narrower one is not left with a quieter successor."""
    half = finding(cause(device="ios", country="SE"), **HALF)
    gone = finding(cause(device="ios", country="NO"), expected=90_000.0)
    history = History(POLICY)
    history.see(assess(1, half))
    history.see(assess(2, half, gone))
    assert {i.severity for i in history.open} == {Severity.WARNING, Severity.CRITICAL}
    made = history.see(assess(3, finding(until=tick(3), **HALF)))
    assert [(t.change, t.incident.severity) for t in made] == [
        (Change.WIDENED, Severity.WARNING),
        (Change.ABSORBED, Severity.CRITICAL),
        (Change.ESCALATED, Severity.CRITICAL),
    ]


def test_the_receivers_of_the_new_severity_are_told_too():
    """Those who know it get the news in their thread, those of the new severity get it for the first time."""
    routes = Routes(((Severity.WARNING, ("team",)), (Severity.CRITICAL, ("oncall", "team"))))
    history = History(POLICY)
    history.see(assess(1, finding(**HALF)))
    made = plan(history.see(assess(2, finding(**MOST))), routes, tick(2), told={history.only.id: ["team"]})
    assert [(d.receiver, d.reason) for d in made if d.send] == [("team", Reason.CHANGED), ("oncall", Reason.CHANGED)]


@given(st.lists(moves(), max_size=6))
def test_no_history_makes_an_incident_quieter(script):
    """Whatever is found, in whatever order: from its opening on each incident only gets louder."""
    history = History(replace(POLICY, escalate=(*AT_90, Escalation(Severity.CRITICAL, drop=0.1))))
    for hour, move in enumerate(script, start=1):
        history.see(said(history, hour, move))
    for name in history.incidents:
        steps = [t.incident.severity.loudness for t in history.transitions if t.incident.id == name]
        assert steps == sorted(steps)
