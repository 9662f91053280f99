"""What is told without anything having changed: what goes on and on, and what was held back and may be told by now.

Pure. A repeat goes to those who know the incident, into its thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.absences import absent
from alerts.actions import HUSHED, passed_snooze
from alerts.incidents import gap
from alerts.model import Change, Decision, Incident, Reason, State, Transition
from alerts.plan import NEWS, SUPPRESSED, Hold
from alerts.silences import Silence, silenced_since
from alerts.wording import lasting

HoldOf = Callable[[Transition], Hold | None]
"""Why a transition would not be sent at this moment; None where it would."""


@dataclass(frozen=True)
class Telling:
    """When news of an incident were last sent (None where none were), and why newer ones were held back, if they were."""

    sent_at: datetime | None = None
    held: str = ""
    waits: str = ""
    """Why a receiver is told later, where one is."""
    held_at: datetime | None = None
    """When the newest of them were held back; None where none were."""


def tellings(decisions: Iterable[Decision]) -> dict[str, Telling]:
    """What decisions, in the order in which they were made, came to for each incident."""
    found: dict[str, Telling] = {}
    for decision in decisions:
        if decision.send and decision.reason is Reason.ACTION:
            # What a person did is told to who knows the incident: what waits for others waits on.
            found[decision.incident] = replace(found.get(decision.incident, Telling()), sent_at=decision.at)
        elif decision.send:
            found[decision.incident] = Telling(decision.at)
        elif decision.reason in SUPPRESSED:
            known = found.get(decision.incident, Telling())
            found[decision.incident] = replace(known, held=decision.because, held_at=decision.at)
        elif decision.reason is Reason.OUT_OF_HOURS:
            # A receiver waits for its hours; what held it back before does so no more.
            known = found.get(decision.incident, Telling())
            found[decision.incident] = replace(known, held="", held_at=None, waits=decision.because)
    return found


def remind(
    incidents: Iterable[Incident],
    made: Iterable[Transition],
    known: Mapping[str, Telling],
    tick: datetime,
    every: timedelta,
    hold_of: HoldOf,
    silences: Iterable[Silence] = (),
) -> tuple[Transition, ...]:
    """Transitions that tell open incidents again at a tick that `made` others.

    Of an incident that has news of its own, is on its way back or frozen, nothing is said; `every` of 0 is never.
    `silences` are those that concern the rule, the ones that are over included.
    """
    news = {transition.incident.id for transition in made if transition.change in NEWS}
    told = {State.FIRING, *HUSHED}
    still = (i for i in incidents if i.state in told and not i.good_ticks and i.id not in news)
    ended = tuple(silences)
    due = (again for i in still for again in _due(i, known.get(i.id, Telling()), tick, every, ended))
    return tuple(transition for transition in due if hold_of(transition) is None)


def _due(
    incident: Incident, telling: Telling, tick: datetime, every: timedelta, silences: Sequence[Silence]
) -> Iterator[Transition]:
    if telling.held and (telling.held_at is None or passed_snooze(incident, telling.held_at)):
        yield _again(incident, Change.RELEASED, tick, _released(incident, telling))
    if telling.held or incident.state in HUSHED:
        return
    over = silenced_since(incident, silences, telling.sent_at, tick) if telling.sent_at is not None else None
    if over is not None:
        yield _again(incident, Change.RELEASED, tick, f"{over.label()}; that is over, and it is still bad")
    elif every and telling.sent_at is not None and tick - telling.sent_at >= every:
        yield _again(incident, Change.REPEATED, tick, f"still so, {lasting(tick - telling.sent_at)} after it was told")


def _released(incident: Incident, telling: Telling) -> str:
    missed = "" if incident.absence is None else absent(incident.absence)
    if telling.held == missed and telling.sent_at is None:
        return f"found late, for {missed}, and still bad"
    return f"held back until now ({telling.held}), and still bad"


def _again(incident: Incident, change: Change, tick: datetime, because: str) -> Transition:
    told = replace(incident, seq=incident.seq + 1, tick=tick)
    return Transition(told, change, tick, because, incident.state, gap(incident))
