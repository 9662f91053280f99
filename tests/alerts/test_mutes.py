"""Windows in which nobody is told, and what is told at their end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Change, Reason, State
from alerts.mutes import muted_until
from alerts.plan import Routes, hold_of, plan
from alerts.reminders import remind, tellings
from rules.cron import Cron
from rules.model import Mute, Severity
from tests.alerts.make import START, History, assess, blind, finding, tick
from tests.alerts.test_incidents_properties import moves, policies, said

ALL = tuple((severity, ("team",)) for severity in Severity)
COMPACTION = Mute(Cron.parse("0 15 * * MON"), timedelta(hours=2), "weekly compaction")
"""On Monday 23 November 2026, hours 1 to 3 of these tests."""
ROUTES = Routes(ALL, mutes=(COMPACTION,))


def test_a_window_is_in_the_time_zone_of_the_rule():
    """Two at night in Oslo is one o'clock UTC in winter and midnight in summer; the end is not included."""
    nightly = (Mute(Cron.parse("0 2 * * *"), timedelta(hours=1), "x"),)
    at = lambda month, hour: datetime(2026, month, 10, hour, tzinfo=UTC)  # noqa: E731  # one line, used four times
    assert muted_until(nightly, "Europe/Oslo", at(1, 1)) == (at(1, 2), "x")
    assert muted_until(nightly, "Europe/Oslo", at(1, 2)) is None
    assert muted_until(nightly, "Europe/Oslo", at(7, 0)) == (at(7, 1), "x")


def test_of_two_windows_the_one_that_ends_last_is_told():
    """Its reason is the one that counts."""
    longer = Mute(Cron.parse("30 15 * * *"), timedelta(hours=5), "backfill")
    assert muted_until((longer, COMPACTION), "UTC", tick(2)) == (datetime(2026, 11, 23, 20, 30, tzinfo=UTC), "backfill")


def test_an_opening_in_a_window_is_held_with_the_reason():
    """It is recorded who would have been silent until when, and why."""
    (decision,) = plan(History().see(assess(1, finding())), ROUTES, tick(1))
    assert (decision.send, decision.reason) == (False, Reason.MUTED)
    assert decision.because == "muted until 23 Nov 17:00 UTC: weekly compaction"


def test_a_silent_source_is_held_too():
    """A source that is taken down for its upkeep is what windows are for."""
    (decision,) = plan(History().see(assess(1, unseen=blind(1))), ROUTES, tick(1))
    assert decision.reason is Reason.MUTED


def test_the_end_of_what_was_told_passes():
    """A resolve wakes nobody, and without it the message would say that it goes on."""
    history = History()
    history.see(assess(0, finding()))
    history.see(assess(1, good=[history.only.id]))
    end = history.see(assess(2, good=[history.only.id]))
    (decision,) = plan(end, ROUTES, tick(2), told={history.only.id: ["team"]})
    assert (decision.send, decision.reason) == (True, Reason.RESOLVED)


@pytest.mark.parametrize("broken", [replace(ROUTES, timezone="Nowhere/Land"), replace(ROUTES, mutes=(None,))])
def test_a_window_that_cannot_be_worked_out_silences_nothing(broken):
    """Suppression that fails, fails open."""
    (decision,) = plan(History().see(assess(1, finding())), broken, tick(1))
    assert decision.send


class Muted:
    """A rule with a window, its incidents, and what was decided so far."""

    def __init__(self, history: History, routes: Routes = ROUTES) -> None:
        self.history, self.routes, self.decided = history, routes, []

    def see(self, hour: float, assessment) -> list:
        """One tick: the step, the reminders, the decisions; those that were sent."""
        made = self.history.see(assessment)
        told = {d.incident: ("team",) for d in self.decided if d.send}
        held = partial(hold_of, routes=self.routes, now=tick(hour))
        again = remind(self.history.open, made, tellings(self.decided), tick(hour), timedelta(0), held)
        for transition in again:
            self.history.incidents[transition.incident.id] = transition.incident
        self.history.transitions += again
        decided = plan([*made, *again], self.routes, tick(hour), told)
        self.decided += decided
        return [(transition_of(self.history, d), d.receiver) for d in decided if d.send]


def transition_of(history: History, decision) -> Change:
    return next(
        t.change for t in history.transitions if (t.incident.id, t.incident.seq) == (decision.incident, decision.seq)
    )


def test_what_is_still_bad_at_the_end_is_told_once_and_says_so():
    """Held at 15:00, told at 17:00 with what it was held back by, and then no more."""
    muted = Muted(History())
    assert [muted.see(hour, assess(hour, finding(until=tick(hour)))) for hour in (1, 2)] == [[], []]
    assert muted.see(3, assess(3, finding(until=tick(3)))) == [(Change.RELEASED, "team")]
    assert "weekly compaction" in muted.decided[-1].because
    assert muted.decided[-1].reason is Reason.RELEASED
    assert muted.see(4, assess(4, finding(until=tick(4)))) == []


def test_what_was_over_by_the_end_is_never_told():
    """It is in the store with its reason, and nobody hears of it."""
    muted = Muted(History())
    muted.see(1, assess(1, finding()))
    for hour in (2, 2.5, 3):
        assert muted.see(hour, assess(hour, good=[i.id for i in muted.history.open])) == []
    assert muted.history.only.state is State.RESOLVED
    assert [d.reason for d in muted.decided] == [Reason.MUTED, Reason.NOT_NEWS, Reason.NEVER_SENT]


@given(policies, st.lists(moves(), max_size=8), st.integers(0, 7), st.integers(1, 6))
def test_a_window_only_delays(policy, script, begin, lasting):
    """Within it only ends are sent; whatever fires after it without having been told is told at once."""
    hour = (START + timedelta(hours=begin)).hour
    window = Mute(Cron.parse(f"0 {hour} 23 11 *"), timedelta(hours=lasting), "upkeep")
    muted = Muted(History(policy), replace(ROUTES, mutes=(window,)))
    for at, move in enumerate(script, start=1):
        sent = muted.see(at, said(muted.history, at, move))
        inside = begin <= at < begin + lasting
        ends = {Change.RESOLVED, Change.ACCEPTED, Change.ABSORBED}
        assert not inside or {change for change, _ in sent} <= ends
        told = {d.incident for d in muted.decided if d.send}
        firing = {i.id for i in muted.history.open if i.state is State.FIRING and not i.good_ticks}
        spikes = {i.id for i in muted.history.open if i.kind.value == "spike"}
        assert inside or firing - spikes <= told
