"""What people do about an incident. Pure: who and when are arguments.

    acknowledge(incident, by, at, lasting)   somebody works on it: no repeats until that expires; what changes is told
    snooze(incident, by, at, until)          not now: only its end, a higher severity and more than twice the loss are told
    reopen(incident, by, at)                 takes either back
    dismiss(incident, by, at, feedback)      it is no problem: closed

Each gives the transition to store and to tell; None where the incident stands so already, so that an action that
arrives twice does nothing the second time. One that makes no sense any more raises `RefusedError` with a sentence for
whoever tried. `expired` gives back to the night what nobody has settled when its time is up.

An action never touches `Incident.tick`: that is the judge's word, and a person's is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alerts.incidents import FAMILIES, Family, gap
from alerts.model import Act, Actor, Change, Feedback, Hush, Incident, State, Transition
from alerts.wording import clean, instant

HOUR = timedelta(hours=1)
HUSHED = frozenset({State.ACKNOWLEDGED, State.SNOOZED})
MEANING = {
    Feedback.LEAVE_OUT: "no problem; nothing is learned from it, and it is not told again while it lasts",
    Feedback.NEW_NORMAL: "as it should be; what it has now is what is expected from here on",
}


class RefusedError(Exception):
    """An action that makes no sense for the incident as it stands; the text says why, in a sentence."""


def acknowledge(incident: Incident, by: Actor, at: datetime, lasting: timedelta) -> Transition | None:
    """Somebody works on it. Who has acknowledged it already changes nothing by doing so again, somebody else takes over."""
    _refuse_closed(incident)
    hush = incident.hush
    if standing(incident) is State.ACKNOWLEDGED and hush is not None and hush.by == by:
        return None
    because = f"acknowledged by {name_of(by)} until {instant(at + lasting)}"
    return _hushed(
        incident, Change.ACKNOWLEDGED, State.ACKNOWLEDGED, Hush(by, at, at + lasting, rate(incident)), because
    )


def snooze(incident: Incident, by: Actor, at: datetime, until: datetime | None) -> Transition | None:
    """Nobody wants to hear of it until then; None is until it is over."""
    _refuse_closed(incident)
    if until is not None and until <= at:
        raise RefusedError(f"{instant(until)} is over: a snooze ends later than it begins")
    hush = incident.hush
    if standing(incident) is State.SNOOZED and hush is not None and (hush.by, hush.until) == (by, until):
        return None
    how_long = "until it is over" if until is None else f"until {instant(until)}"
    because = f"snoozed by {name_of(by)} {how_long}"
    return _hushed(incident, Change.SNOOZED, State.SNOOZED, Hush(by, at, until, rate(incident)), because)


def reopen(incident: Incident, by: Actor, at: datetime) -> Transition | None:
    """Take an acknowledgement or a snooze back: it is told as ever from then on."""
    _refuse_closed(incident)
    if standing(incident) not in HUSHED:
        return None
    before = "acknowledgement" if standing(incident) is State.ACKNOWLEDGED else "snooze"
    return _moved(incident, Change.REOPENED, at, f"{before} taken back by {name_of(by)}", **_firing(incident))


def dismiss(incident: Incident, by: Actor, at: datetime, feedback: Feedback) -> Transition | None:
    """Somebody says that it is no problem. What became normal by that is so from the last evaluation on."""
    if incident.feedback is feedback:
        return None
    _refuse_closed(incident)
    if FAMILIES[incident.kind] is Family.SOURCE:
        raise RefusedError("a source that cannot be judged is a problem as long as it lasts: acknowledge or snooze it")
    because = f"{name_of(by)} says it is {MEANING[feedback]}"
    normal_from = incident.tick if feedback is Feedback.NEW_NORMAL else None
    return _moved(
        incident,
        Change.DISMISSED,
        at,
        because,
        state=State.RESOLVED,
        frozen_state=None,
        hush=None,
        feedback=feedback,
        resolved_at=at,
        accepted_at=normal_from,
        resolution=because,
    )


def expired(incidents: Iterable[Incident], now: datetime) -> tuple[Transition, ...]:
    """What was acknowledged or snoozed until now and is still bad; what is frozen or on its way back waits."""
    return tuple(_expired(incidents, now))


def _expired(incidents: Iterable[Incident], now: datetime) -> Iterator[Transition]:
    for incident in incidents:
        hush = incident.hush
        if hush is None or incident.state not in HUSHED or incident.good_ticks:
            continue
        if hush.until is not None and hush.until <= now:
            what = "acknowledged" if incident.state is State.ACKNOWLEDGED else "snoozed"
            because = f"{what} by {name_of(hush.by)} until {instant(hush.until)}, and still bad"
            yield _moved(incident, Change.EXPIRED, now, because, **_firing(incident))


def passed_snooze(incident: Incident, at: datetime) -> bool:
    """Whether what was decided to be told at `at` is to be told though it is snoozed: what was held since, by something else."""
    return incident.state is not State.SNOOZED or incident.hush is None or at >= incident.hush.at


def acts_on(incident: Incident) -> tuple[Act, ...]:
    """What makes sense for an incident as it stands."""
    state = standing(incident)
    if state in {State.RESOLVED, State.PENDING}:
        return ()
    first = Act.REOPEN if state in HUSHED else Act.ACKNOWLEDGE
    last = () if FAMILIES[incident.kind] is Family.SOURCE else (Act.NOT_A_PROBLEM,)
    return (first, Act.SNOOZE, *last)


def rate(incident: Incident) -> float:
    """Events an hour that are missing, or too many."""
    return gap(incident) / max((incident.until - incident.since) / HOUR, 1e-9)


def standing(incident: Incident) -> State:
    """Its state, or the one to which a frozen incident returns."""
    return incident.frozen_state or incident.state if incident.state is State.UNKNOWN else incident.state


def name_of(actor: Actor) -> str:
    """An actor as shown to people."""
    return clean(actor.name or actor.id)


def _refuse_closed(incident: Incident) -> None:
    if incident.state is State.RESOLVED:
        when = f" since {instant(incident.resolved_at)}" if incident.resolved_at is not None else ""
        raise RefusedError(f"{incident.id} is closed{when}: {incident.resolution}. There is nothing to do about it.")
    if incident.state is State.PENDING:
        raise RefusedError(f"{incident.id} has not fired yet: nobody was told of it, and it may go away by itself.")


def _hushed(incident: Incident, change: Change, state: State, hush: Hush, because: str) -> Transition:
    if incident.state is State.UNKNOWN:
        return _moved(incident, change, hush.at, because, frozen_state=state, hush=hush)
    return _moved(incident, change, hush.at, because, state=state, hush=hush)


def _firing(incident: Incident) -> dict[str, Any]:
    if incident.state is State.UNKNOWN:
        return {"frozen_state": State.FIRING, "hush": None}
    return {"state": State.FIRING, "hush": None}


def _moved(incident: Incident, change: Change, at: datetime, because: str, **facts: Any) -> Transition:
    moved = replace(incident, seq=incident.seq + 1, **facts)
    return Transition(moved, change, at, because, incident.state, gap(incident))
