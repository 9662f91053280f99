"""What time alone makes of open incidents, between two evaluations. Pure.

A snooze or an acknowledgement is over; a receiver's hours begin; nobody has acknowledged a critical one in time. Whether
it is still bad is the word of the last evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.actions import HUSHED, expired, passed_snooze
from alerts.incidents import gap
from alerts.model import Change, Decision, Incident, Reason, State, Transition
from alerts.operations import Operations, ReceiverPolicy
from alerts.wording import lasting
from rules.model import Severity

ANEW = frozenset({Change.EXPIRED, Change.REOPENED, Change.RELEASED})
"""What begins the wait for an acknowledgement anew, where it is for everybody."""


@dataclass(frozen=True)
class Followed:
    """An open incident, and all decisions on it in their order."""

    incident: Incident
    unanswered_since: datetime | None
    """Since when it is critical and nobody has it in hand (None where it is not): see `unanswered_since`."""
    decisions: tuple[Decision, ...]
    heard: Mapping[str, datetime] = field(default_factory=dict)
    """When it was first delivered to a receiver; of those to which it was not yet, since when it waits to be."""


def follow(incidents: Iterable[Followed], operations: Operations, now: datetime) -> tuple[Transition, ...]:
    """The steps that are due, at most one of each incident; those that are due as well come at the next look."""
    due = (next(_due(item, operations, now), None) for item in incidents)
    return tuple(step for step in due if step is not None)


def _due(item: Followed, operations: Operations, now: datetime) -> Iterator[Transition]:
    yield from expired([item.incident], now)
    if item.incident.state not in {State.FIRING, *HUSHED} or item.incident.good_ticks:
        return
    waiting = [d for d in item.decisions if passed_snooze(item.incident, d.at)]
    for receiver in operations.receivers:
        if receiver.waits(waiting) and receiver.may_be_told(now):
            because = f"it came outside the hours of {receiver.name}, and is still bad"
            yield _step(item.incident, Change.RELEASED, now, because, receiver.name)
    yield from _unanswered(item, operations, now)


def _unanswered(item: Followed, operations: Operations, now: datetime) -> Iterator[Transition]:
    """A critical incident that a receiver was told of, and nobody has acknowledged, goes to the next one."""
    loud = item.incident.state is State.FIRING and item.incident.severity is Severity.CRITICAL
    if item.unanswered_since is None or not loud:
        return
    told = {decision.receiver for decision in item.decisions if decision.send}
    for receiver in operations.receivers:
        if receiver.escalate_to is None or not told.isdisjoint(_reached(receiver.escalate_to, operations, now)):
            continue
        told_for, since = _waited_since(receiver, item)
        if since is not None and now - since >= receiver.escalate_after:
            because = f"nobody has acknowledged it at {told_for} within {lasting(receiver.escalate_after)}"
            yield _step(item.incident, Change.HANDED_ON, now, because, receiver.escalate_to)


def _reached(name: str, operations: Operations, now: datetime) -> set[str]:
    """A receiver, and who would be told for it at the moment: once either knows, it is not handed on there again."""
    policy = operations.receiver(name)
    return {name} if policy is None else {name, policy.critical_to(now)}


def _waited_since(receiver: ReceiverPolicy, item: Followed) -> tuple[str, datetime | None]:
    """Who knows, the receiver or who stands in for it, and since when it is critical there and in nobody's hand.

    None where neither knows.
    """
    sent = {(d.seq, d.receiver) for d in item.decisions if d.send}
    for decision in item.decisions:
        itself = decision.receiver == receiver.name
        stood_in = itself and decision.reason is Reason.OUT_OF_HOURS and (decision.seq, receiver.outside) in sent
        if item.unanswered_since is not None and itself and (decision.send or stood_in):
            who = receiver.name if decision.send else receiver.outside or receiver.name
            # What is evaluated late, after a stop, is decided as of its time: nobody can have answered before it came.
            return who, max(decision.at, item.unanswered_since, item.heard.get(who, decision.at))
    return receiver.name, None


def _step(incident: Incident, change: Change, now: datetime, because: str, receiver: str) -> Transition:
    moved = replace(incident, seq=incident.seq + 1)
    return Transition(moved, change, now, because, incident.state, gap(incident), (receiver,))


def unanswered_since(transitions: Sequence[Transition]) -> datetime | None:
    """When these steps, oldest first, made it critical, or it was told to all anew since; None where none made it so."""
    critical = next((t.at for t in transitions if t.incident.severity is Severity.CRITICAL), None)
    anew = (t.at for t in transitions if t.change in ANEW and not t.to)
    return None if critical is None else max([critical, *anew])
