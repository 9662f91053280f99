"""What is told again though nothing has changed."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from alerts.actions import acknowledge, snooze
from alerts.incidents import StepPolicy
from alerts.model import Actor, Change, Decision, Reason, State
from alerts.plan import Routes, hold_of, plan
from alerts.reminders import Telling, remind, tellings
from rules.model import Mode, Severity
from tests.alerts.make import History, assess, blind, finding, tick
from tests.alerts.test_incidents_properties import moves, said

ROUTES = Routes(tuple((severity, ("team",)) for severity in Severity))
DAY = timedelta(days=1)
KARI = Actor("cli", "kari", "Kari")


def opened() -> History:
    history = History(StepPolicy(keep_firing_for=2))
    history.see(assess(1, finding()))
    return history


def again(history: History, hours: float, every: timedelta = DAY, routes: Routes = ROUTES, made=()):
    known = {history.only.id: Telling(tick(1))}
    return remind(history.open, made, known, tick(hours), every, lambda t: hold_of(t, routes, tick(hours), ("team",)))


def test_it_is_told_again_once_the_interval_is_over():
    """Not before; then by one transition that goes to those who know it, with the reason."""
    history = opened()
    assert again(history, 24.9) == ()
    (repeat,) = again(history, 25)
    assert (repeat.change, repeat.incident.seq, repeat.incident.state) == (Change.REPEATED, 2, State.FIRING)
    (decision,) = plan([repeat], ROUTES, tick(25), told={history.only.id: ["old-team"]})
    assert (decision.send, decision.receiver, decision.reason) == (True, "old-team", Reason.REPEATED)
    assert decision.because == "still so, 24 hours after it was told"


def test_never_is_never():
    """An interval of 0 repeats nothing, however long it lasts."""
    assert again(opened(), 1_000, timedelta(0)) == ()


def test_what_has_news_of_its_own_is_not_told_twice():
    """At the tick at which the incident widens, resolves or escalates, that is what is told."""
    history = opened()
    made = history.see(assess(30, finding(observed=1.0), finding(continues=history.only.id, also=())))
    assert again(history, 30, made=[replace(made[0], change=Change.WIDENED)]) == ()


def test_what_is_on_its_way_back_or_frozen_is_not_repeated():
    """A first good evaluation, and a source that cannot be asked: neither says that it is still bad."""
    history = opened()
    history.see(assess(30, good=[history.only.id]))
    assert again(history, 30) == ()
    history = opened()
    history.see(assess(30, unseen=blind(30)))
    frozen = next(i for i in history.open if i.state is State.UNKNOWN)
    assert remind([frozen], (), {frozen.id: Telling(tick(1))}, tick(30), DAY, lambda _: None) == ()


def test_what_a_silence_held_while_somebody_had_it_in_hand_is_told_once_that_is_over():
    """Acknowledged or snoozed until it is over, then critical under a silence: its new receivers hear of it all the same."""
    (incident,) = opened().open
    routes = Routes(((Severity.WARNING, ("team",)), (Severity.CRITICAL, ("oncall",))))
    held = Telling(tick(1), "silenced", held_at=tick(5))
    for action in (acknowledge(incident, KARI, tick(3), DAY), snooze(incident, KARI, tick(3), None)):
        assert action is not None
        loud = replace(action.incident, severity=Severity.CRITICAL)
        (told,) = remind([loud], (), {loud.id: held}, tick(6), DAY, lambda t: hold_of(t, routes, tick(6), ("team",)))
        sent = plan([told], routes, tick(6), {loud.id: ("team",)})
        assert [(d.receiver, d.send, d.reason) for d in sent] == [
            ("team", True, Reason.RELEASED),
            ("oncall", True, Reason.RELEASED),
        ]


def test_what_was_held_before_a_snooze_is_not_told_within_it():
    """Who snoozed it knew what stood there; an acknowledgement keeps nothing from others, but repeats nothing."""
    (incident,) = opened().open
    snoozed = snooze(incident, KARI, tick(3), None)
    mine = acknowledge(incident, KARI, tick(3), DAY)
    assert snoozed is not None
    assert mine is not None
    before = {incident.id: Telling(None, "muted", held_at=tick(2))}
    assert remind([snoozed.incident], (), before, tick(6), DAY, lambda _: None) == ()
    assert len(remind([mine.incident], (), before, tick(6), DAY, lambda _: None)) == 1
    assert remind([mine.incident], (), {incident.id: Telling(tick(1))}, tick(99), DAY, lambda _: None) == ()


def test_who_was_never_told_is_not_reminded():
    """An incident of a shadow rule, or one put into shadow since, makes no repeats."""
    history = opened()
    assert remind(history.open, (), {}, tick(30), DAY, lambda _: None) == ()
    assert again(history, 30, routes=replace(ROUTES, mode=Mode.SHADOW)) == ()


def test_the_newest_message_counts():
    """What was held is no telling; of several messages the last one starts the clock."""
    sent = Decision("sw-1", 1, "team", send=True, reason=Reason.NEW, because="found", at=tick(1))
    held = replace(sent, seq=3, receiver="", send=False, reason=Reason.NOT_NEWS, at=tick(9))
    known = tellings([sent, replace(sent, seq=2, at=tick(5)), held])
    assert known == {"sw-1": Telling(tick(5))}


def test_what_a_person_does_meanwhile_leaves_what_was_held_to_be_told():
    """An acknowledgement goes to who knows the incident: the others wait for the end of the silence still."""
    held = Decision("sw-1", 2, "", send=False, reason=Reason.SILENCED, because="moving", at=tick(5))
    mine = replace(held, seq=3, receiver="team", send=True, reason=Reason.ACTION, at=tick(6))
    assert tellings([held, mine]) == {"sw-1": Telling(tick(6), "moving", held_at=tick(5))}


@given(st.lists(moves(), max_size=8), st.integers(1, 4))
def test_repeats_keep_the_numbers_of_steps_and_the_interval(script, hours):
    """Over any history: a step more each, never sooner than the interval after what was sent before."""
    history, decided, every = History(), [], timedelta(hours=hours)
    for hour, move in enumerate(script, start=1):
        made = history.see(said(history, hour, move))
        more = remind(
            history.open, made, tellings(decided), tick(hour), every, partial(hold_of, routes=ROUTES, now=tick(hour))
        )
        for transition in more:
            sent = [d.at for d in decided if d.send and d.incident == transition.incident.id]
            assert tick(hour) - max(sent) >= every
            assert transition.incident.seq == history.incidents[transition.incident.id].seq + 1
            history.incidents[transition.incident.id] = transition.incident
        decided += plan([*made, *more], ROUTES, tick(hour))
    keys = [(d.incident, d.seq, d.receiver) for d in decided]
    assert len(keys) == len(set(keys))
