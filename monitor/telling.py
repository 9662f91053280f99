"""Who is told what of one tick: reminders, decisions and messages, from what judging came to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.actions import expired
from alerts.marks import Mark
from alerts.message import RuleFacts, compose
from alerts.model import Change, Decision, Message, Reason, Transition
from alerts.plan import Hold, Routes, hold_of, plan
from alerts.reminders import remind
from monitor.paste import query_to_paste
from monitor.tick import Judged, Remembered
from monitor.watched import Watched
from rules.model import Rule


def decide(watched: Watched, before: Remembered, judged: Judged, tick: datetime) -> tuple[Judged, tuple[Decision, ...]]:
    """What judging came to with what expired and the reminders that are due, and who is told of each transition."""
    routes = Routes.of(watched.rule, watched.operations, before.around)
    judged = judged.after(expired(judged.open, tick), {}, {})

    def held(transition: Transition) -> Hold | None:
        told = before.told.get(transition.incident.id, ())
        return hold_of(transition, routes, tick, told, told_at=before.now, behind=before.behind)

    every = watched.rule.repeat_interval
    again = remind(judged.open, judged.transitions, before.told_at, tick, every, held, routes.around.silences)
    whole = judged.after(again, {}, {})
    return whole, plan(whole.transitions, routes, tick, before.told, told_at=before.now, behind=before.behind)


def as_of_now(transition: Transition, transitions: Sequence[Transition]) -> Transition:
    """A step with the facts of the last one, where only its numbers changed after it."""
    later = [
        t for t in transitions if t.incident.id == transition.incident.id and t.incident.seq > transition.incident.seq
    ]
    if transition.incident.absence is None or not later or any(t.change is not Change.CONFIRMED for t in later):
        return transition
    return replace(transition, incident=replace(later[-1].incident, seq=transition.incident.seq))


def messages(
    rule: Rule, transitions: Sequence[Transition], decisions: Sequence[Decision], marks: Sequence[Mark]
) -> tuple[tuple[str, Message], ...]:
    """(receiver, message) of each decision to send."""
    return composed(transitions, decisions, lambda told: RuleFacts.of(rule, query_to_paste(rule, told.incident), marks))


def composed(
    transitions: Sequence[Transition], decisions: Sequence[Decision], facts: Callable[[Transition], RuleFacts]
) -> tuple[tuple[str, Message], ...]:
    """(receiver, message) of each decision to send, with what `facts` says of the rule; none of what a digest tells.

    Of what is judged late, an incident is told as it is by now: what has become of it since is no message of its own.
    """
    made = {(t.incident.id, t.incident.seq): as_of_now(t, transitions) for t in transitions}
    alone = (decision for decision in decisions if decision.send and decision.reason is not Reason.DIGESTED)
    sent = [(decision.receiver, made[decision.incident, decision.seq]) for decision in alone]
    return tuple((receiver, compose(transition, facts(transition))) for receiver, transition in sent)
