"""Who is told what, and why not."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.incidents import StepPolicy, amend
from alerts.model import Change, Kind, Reason, Recovery, State, Transition
from alerts.plan import NEWS, QUIET, STAGES, Routes, plan
from rules.cron import Cron
from rules.model import Direction, Mode, Mute, Severity
from tests.alerts.make import History, assess, blind, finding, tick

LIVE = Routes(((Severity.WARNING, ("team",)), (Severity.CRITICAL, ("oncall", "pager", "oncall"))), fallback="ops")


def opened(policy: StepPolicy | None = None, **fields) -> Transition:
    (transition,) = History(policy).see(assess(1, finding(**fields)))
    return transition


def resolved() -> Transition:
    history = History(StepPolicy(keep_firing_for=1))
    history.see(assess(1, finding()))
    return history.see(assess(2, good=[history.only.id]))[0]


def test_the_policy_can_be_recited():
    """The stages, in their order, are the policy."""
    names = [stage.__name__ for stage in STAGES]
    assert names == [
        "not_news",
        "in_shadow",
        "in_other_direction",
        "never_told",
        "snoozed",
        "no_problem",
        "muted",
        "in_maintenance",
        "silenced",
        "inhibited",
        "nobody_to_tell",
        "catching_up",
    ]


def test_an_opening_is_sent_to_the_receivers_of_its_severity():
    """Each receiver once, in the rule's order, with the reason and a sentence."""
    transition = opened(StepPolicy(severity=Severity.CRITICAL))
    made = plan([transition], LIVE, tick(1))
    assert [(d.receiver, d.send, d.reason) for d in made] == [
        ("oncall", True, Reason.NEW),
        ("pager", True, Reason.NEW),
    ]
    assert {d.because for d in made} == {"found"}
    assert {(d.incident, d.seq, d.at) for d in made} == {(transition.incident.id, 1, tick(1))}


def test_a_severity_without_receivers_goes_to_the_fallback():
    """The operators hear what a rule routes to nobody."""
    (decision,) = plan([opened(StepPolicy(severity=Severity.INFO))], LIVE, tick(1))
    assert (decision.receiver, decision.send) == ("ops", True)


def test_nobody_to_tell_is_held_with_its_reason():
    """Without receivers and fallback the decision says so."""
    (decision,) = plan([opened()], Routes(), tick(1))
    assert (decision.send, decision.reason, decision.receiver) == (False, Reason.NO_RECEIVER, "")


@pytest.mark.parametrize("change", sorted(set(Change) - NEWS))
def test_what_is_no_news_is_held(change):
    """Each quiet change is held, and says why."""
    (decision,) = plan([replace(opened(), change=change)], LIVE, tick(1))
    assert (decision.send, decision.reason, decision.because) == (False, Reason.NOT_NEWS, QUIET[change])


@pytest.mark.parametrize("change", sorted(NEWS))
def test_news_are_sent(change):
    """Openings, changes of the cause and ends are news; they are sent with the step's own sentence."""
    (decision,) = plan([replace(opened(), change=change)], LIVE, tick(1))
    assert (decision.send, decision.because) == (True, "found")


def test_a_pending_incident_is_not_told_whatever_happens_to_it():
    """A change of cause, or an absorption, before it fired reaches nobody."""
    pending = opened(StepPolicy(for_=2))
    for change in (Change.WIDENED, Change.ABSORBED):
        (decision,) = plan([replace(pending, change=change)], LIVE, tick(1))
        assert decision.reason is Reason.NOT_NEWS


def test_shadow_rules_tell_nothing():
    """Judged and shown, never sent."""
    (decision,) = plan([opened()], replace(LIVE, mode=Mode.SHADOW), tick(1))
    assert (decision.send, decision.reason) == (False, Reason.SHADOW)


def test_a_rule_put_into_shadow_still_ends_what_it_told():
    """Whoever heard the beginning hears the end, in the receiver that heard it."""
    end = resolved()
    routes = replace(LIVE, mode=Mode.SHADOW)
    (decision,) = plan([end], routes, tick(2), told={end.incident.id: ["old-team"]})
    assert (decision.send, decision.receiver, decision.reason) == (True, "old-team", Reason.RESOLVED)


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.MOVED, Kind.RENAMED, Kind.SPIKE])
@pytest.mark.parametrize("direction", list(Direction))
def test_only_the_wanted_direction_is_sent(kind, direction):
    """Moved and renamed count as drops."""
    (decision,) = plan([opened(kind=kind)], replace(LIVE, direction=direction), tick(1))
    spike = kind is Kind.SPIKE
    wanted = direction is Direction.BOTH or spike == (direction is Direction.SPIKE)
    assert decision.send is wanted
    assert wanted or decision.reason is Reason.DIRECTION


@pytest.mark.parametrize("direction", list(Direction))
def test_blindness_is_always_told(direction):
    """A rule that cannot see tells it, whichever direction it watches; the frozen slices stay quiet."""
    history = History()
    history.see(assess(1, finding()))
    made = plan(history.see(assess(2, unseen=blind(2))), replace(LIVE, direction=direction), tick(2))
    assert [d.send for d in made] == [True, False]
    assert made[1].because == "the source's own incident tells it"


def test_the_end_of_what_nobody_heard_is_held():
    """A resolve whose opening went nowhere goes nowhere."""
    (decision,) = plan([resolved()], LIVE, tick(2), told={})
    assert (decision.send, decision.reason) == (False, Reason.NEVER_SENT)


def late_after_its_end() -> Transition:
    """A closed incident whose events have arrived since."""
    closed = resolved().incident
    made = amend(closed, Recovery(closed.id, closed.until, 810_000.0, 812_000.0, late=True), tick(6))
    assert made is not None
    return made


def test_a_word_about_an_end_goes_to_those_who_heard_it():
    """That it was late and not lost: past mutes, to those who know the incident, and to nobody where nobody does."""
    made, muted = late_after_its_end(), Mute(Cron.parse("* * * * *"), timedelta(hours=1), "upkeep")
    routes = replace(LIVE, mutes=(muted,))
    (decision,) = plan([made], routes, tick(6), told={made.incident.id: ["pager"]})
    assert (decision.send, decision.receiver) == (True, "pager")
    (decision,) = plan([made], LIVE, tick(6), told={})
    assert (decision.send, decision.reason) == (False, Reason.NEVER_SENT)


def test_a_change_of_what_nobody_heard_is_news():
    """A rule that left shadow mode tells an open incident at its next change."""
    (decision,) = plan([replace(opened(), change=Change.WIDENED)], LIVE, tick(2), told={})
    assert (decision.send, decision.receiver) == (True, "team")


def test_what_one_plan_sends_counts_as_told_for_the_rest_of_it():
    """An opening and its end in one batch are both sent."""
    transition = opened()
    closed = replace(transition.incident, state=State.RESOLVED, seq=2)
    end = replace(transition, incident=closed, change=Change.RESOLVED)
    made = plan([transition, end], LIVE, tick(1), told={})
    assert [(d.seq, d.send) for d in made] == [(1, True), (2, True)]


def test_the_page_lists_the_stages_and_every_reason():
    """docs/alerting.md: each reason once, those of the stages in their order."""
    page = Path(__file__).parents[2].joinpath("docs", "alerting.md").read_text(encoding="utf-8")
    table = page.partition("## The whole policy")[2].partition("##")[0]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("|")][2:]
    named = [reason for row in rows for reason in re.findall(r"`([a-z-]+)`", row)]
    assert sorted(named) == sorted(Reason)
    held = [name.replace("_", "-") for name in (stage.__name__ for stage in STAGES)]
    aliases = {"in-shadow": "shadow", "in-other-direction": "direction", "never-told": "never-sent"}
    aliases |= {"in-maintenance": "maintenance", "nobody-to-tell": "no-receiver"}
    assert named[: len(held)] == [aliases.get(name, name) for name in held]
