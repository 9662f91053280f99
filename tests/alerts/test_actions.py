"""What people do about incidents, and who hears of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.actions import RefusedError, acknowledge, dismiss, expired, reopen, snooze
from alerts.dismissals import dismissal
from alerts.incidents import StepPolicy
from alerts.model import Actor, Change, Decision, Feedback, Incident, Reason, State, Transition
from alerts.plan import Around, Routes, plan
from alerts.reminders import Telling, remind
from alerts.snoozes import next_working_morning, snooze_end
from rules.model import Severity
from tests.alerts.make import History, assess, blind, cause, finding, tick

KARI, OLA = Actor("slack", "U1", "Kari"), Actor("cli", "ola", "")
HOURS = timedelta(hours=1)
ROUTES = Routes(tuple((severity, ("team",)) for severity in Severity))


def opened(**fields) -> Incident:
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding(**fields)))
    return history.only


def sent(transition: Transition | None, routes: Routes = ROUTES, told: tuple[str, ...] = ("team",)) -> Decision:
    assert transition is not None
    (decision,) = plan([transition], routes, transition.at, {transition.incident.id: told})
    return decision


def acked(incident: Incident, hour: float = 2) -> Incident:
    made = acknowledge(incident, KARI, tick(hour), 8 * HOURS)
    assert made is not None
    return made.incident


def asleep(incident: Incident, until: float | None = 5) -> Incident:
    made = snooze(incident, KARI, tick(2), None if until is None else tick(until))
    assert made is not None
    return made.incident


def test_an_acknowledgement_is_told_to_those_who_know_and_stops_the_repeats():
    """Its next number, its state, until when; a day later nothing is repeated."""
    made = acknowledge(opened(), KARI, tick(2), 8 * HOURS)
    assert made is not None
    assert (made.change, made.incident.seq, made.incident.state) == (Change.ACKNOWLEDGED, 2, State.ACKNOWLEDGED)
    assert made.because == "acknowledged by Kari until 24 Nov 00:00 UTC"
    assert (sent(made).send, sent(made).reason) == (True, Reason.ACTION)
    again = remind([made.incident], (), {made.incident.id: Telling(tick(1))}, tick(40), 24 * HOURS, lambda _: None)
    assert again == ()


def test_what_nobody_heard_of_is_acknowledged_in_silence():
    """An action is an answer: it tells nobody of an incident that nobody was told of."""
    assert sent(acknowledge(opened(), KARI, tick(2), HOURS), told=()).reason is Reason.NEVER_SENT


def test_the_same_action_again_does_nothing():
    """A click that arrives twice; somebody else takes over."""
    assert acknowledge(acked(opened()), KARI, tick(3), 8 * HOURS) is None
    assert snooze(asleep(opened()), KARI, tick(2), tick(5)) is None
    assert reopen(opened(), KARI, tick(2)) is None
    taken = acknowledge(acked(opened()), OLA, tick(3), 8 * HOURS)
    assert taken is not None
    assert taken.because.startswith("acknowledged by ola until")


def test_what_is_closed_or_never_fired_is_refused_in_a_sentence():
    """Whoever was too late reads when and why it closed."""
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding()))
    history.see(assess(2, good=[history.only.id]))
    with pytest.raises(RefusedError, match=r"is closed since 23 Nov 16:00 UTC: back to normal .* nothing to do"):
        acknowledge(history.only, KARI, tick(3), HOURS)
    pending = History(StepPolicy(for_=2))
    pending.see(assess(1, finding()))
    with pytest.raises(RefusedError, match="has not fired yet"):
        snooze(pending.only, KARI, tick(2), None)


def test_a_snooze_holds_everything_but_louder_twice_and_over():
    """A change of the cause waits; a higher severity, more than twice the loss and the end do not."""
    quiet = asleep(opened())
    step = Transition(quiet, Change.NARROWED, tick(3), "narrower", State.SNOOZED, 812_000.0)
    held = sent(step)
    assert (held.send, held.reason, held.because) == (False, Reason.SNOOZED, "snoozed by Kari until 23 Nov 19:00 UTC")
    assert not sent(replace(step, change=Change.WIDENED)).send
    worse = replace(quiet, expected=3 * quiet.expected)
    assert sent(replace(step, incident=worse, change=Change.WIDENED)).send
    assert sent(replace(step, change=Change.ESCALATED)).send
    assert sent(replace(step, incident=replace(quiet, state=State.RESOLVED), change=Change.RESOLVED)).send


def test_small_widenings_that_come_to_twice_the_loss_are_told():
    """Each of them by less than twice, together by more: counted from the snooze on."""
    quiet = asleep(opened(expected=100.0))
    grown = replace(quiet, expected=1000.0, until=tick(4))
    assert sent(Transition(grown, Change.WIDENED, tick(4), "wider", State.SNOOZED, 900.0)).send
    steady = replace(quiet, expected=400.0, until=tick(4))
    assert not sent(Transition(steady, Change.WIDENED, tick(4), "wider", State.SNOOZED, 390.0)).send


def test_when_the_time_is_up_what_is_still_bad_is_told_once():
    """Not before; then it fires as it did, and says who had silenced it."""
    quiet = asleep(opened())
    assert expired([quiet], tick(4.9)) == ()
    (over,) = expired([quiet], tick(5))
    assert (over.change, over.incident.state, over.incident.hush) == (Change.EXPIRED, State.FIRING, None)
    assert over.because == "snoozed by Kari until 23 Nov 19:00 UTC, and still bad"
    assert (sent(over).send, sent(over).reason) == (True, Reason.EXPIRED)
    assert expired([over.incident], tick(6)) == ()
    assert expired([asleep(opened(), None)], tick(900)) == ()
    assert expired([replace(quiet, good_ticks=1), replace(quiet, state=State.UNKNOWN)], tick(6)) == ()


def test_taken_back_it_is_told_as_ever():
    """It fires again, and those who know it read who took what back."""
    made = reopen(acked(opened()), OLA, tick(3))
    assert made is not None
    assert (made.incident.state, made.incident.hush) == (State.FIRING, None)
    assert made.because == "acknowledgement taken back by ola"
    assert sent(made).send


def test_a_frozen_incident_keeps_what_was_done_to_it():
    """Acknowledged while the source is blind: it thaws as acknowledged, and the dark counted from when it fell."""
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding()))
    history.see(assess(2, unseen=blind(2)))
    (frozen,) = (i for i in history.open if i.state is State.UNKNOWN)
    history.incidents[frozen.id] = acked(frozen, 3)
    history.see(assess(5, finding()))
    thawed = history.incidents[frozen.id]
    assert (thawed.state, thawed.unknown_for) == (State.ACKNOWLEDGED, 3 * HOURS)


def test_no_problem_closes_it_and_is_told_to_those_who_know():
    """By its own change; as new normal from the last evaluation on, as an exception never."""
    incident = opened()
    left_out = dismiss(incident, KARI, tick(2.5), Feedback.LEAVE_OUT)
    normal = dismiss(incident, KARI, tick(2.5), Feedback.NEW_NORMAL)
    assert left_out is not None
    assert normal is not None
    assert (left_out.change, left_out.incident.state, left_out.incident.accepted_at) == (
        Change.DISMISSED,
        State.RESOLVED,
        None,
    )
    assert (normal.incident.accepted_at, normal.incident.resolved_at) == (tick(1), tick(2.5))
    assert sent(left_out).reason is Reason.RESOLVED
    assert dismiss(left_out.incident, OLA, tick(3), Feedback.LEAVE_OUT) is None
    with pytest.raises(RefusedError, match="is closed"):
        dismiss(left_out.incident, OLA, tick(3), Feedback.NEW_NORMAL)


def test_what_goes_on_from_what_was_no_problem_is_not_told_anew():
    """The same cells, bad since before; a wider cause, a later one and another metric are new problems."""
    made = dismiss(opened(), KARI, tick(1.5), Feedback.LEAVE_OUT)
    assert made is not None
    routes = replace(ROUTES, around=Around(dismissed=(made.incident,)))
    history = History()
    (again,) = history.see(assess(2, finding(until=tick(2))))
    held = sent(again, routes, told=())
    assert (held.send, held.reason) == (False, Reason.NO_PROBLEM)
    assert held.because.startswith(f"it goes on from {made.incident.id}: Kari says it is no problem")
    for fields in ({"since": tick(3)}, {"metric": "sum(visits)"}):
        assert dismissal(replace(again.incident, **fields), [made.incident]) is None
    assert dismissal(replace(again.incident, cause=cause()), [made.incident]) is None


def test_a_blind_source_is_never_no_problem():
    """What cannot be judged cannot be waved through."""
    history = History()
    history.see(assess(2, unseen=blind(2)))
    with pytest.raises(RefusedError, match="acknowledge or snooze"):
        dismiss(history.only, KARI, tick(3), Feedback.LEAVE_OUT)


FRIDAY = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("30m", FRIDAY + timedelta(minutes=30)),
        ("morning", datetime(2026, 11, 30, 8, tzinfo=UTC)),
        ("2026-11-28T12:00", datetime(2026, 11, 28, 11, tzinfo=UTC)),
        ("2026-11-28T12:00Z", datetime(2026, 11, 28, 12, tzinfo=UTC)),
        ("resolved", None),
    ],
)
def test_until_when_a_snooze_holds(text, end):
    """Durations, the next working morning and instants, by the rule's time zone."""
    assert snooze_end(text, FRIDAY, "Europe/Oslo") == end


@pytest.mark.parametrize("text", ["", "0", "soon", "2026-11-27T12:00Z", "400d", "-2h"])
def test_what_is_no_end_is_refused(text):
    """The past, for ever, and what is no time: the sentence says what is accepted."""
    with pytest.raises(ValueError, match="write 30m or 2h"):
        snooze_end(text, FRIDAY, "Europe/Oslo")


def test_a_morning_is_the_same_days_where_it_is_still_to_come():
    """At three at night the next working morning is six hours away, also over a change of the clocks."""
    assert next_working_morning(datetime(2026, 11, 24, 2, tzinfo=UTC), "Europe/Oslo") == datetime(
        2026, 11, 24, 8, tzinfo=UTC
    )
    assert next_working_morning(datetime(2026, 3, 28, 12, tzinfo=UTC), "Europe/Oslo") == datetime(
        2026, 3, 30, 7, tzinfo=UTC
    )
