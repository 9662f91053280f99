"""Why somebody is told, or is not: `STAGES` is the whole policy, in its order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import wraps

from alerts.absences import absent, is_last, is_past
from alerts.actions import name_of, rate
from alerts.dismissals import dismissal
from alerts.hours import Hours
from alerts.incidents import FAMILIES, Family, gap
from alerts.inhibition import inhibitor
from alerts.model import Change, Decision, Hush, Incident, Reason, State, Transition
from alerts.mutes import muted_until
from alerts.operations import Maintenance, Operations, ReceiverPolicy, Route, maintained_until
from alerts.silences import Silence, silencing
from alerts.wording import instant
from rules.model import Direction, Mode, Mute, Rule, Severity

Told = Mapping[str, Sequence[str]]
"""Incident id to the receivers that any text about it was queued for, those it was rerouted to included."""


@dataclass(frozen=True)
class Around:
    """What else stands at a moment and may hold news of a rule back."""

    inhibitors: tuple[Incident, ...] = ()
    """Open incidents of the rules of its `inhibited_by`."""
    dismissed: tuple[Incident, ...] = ()
    """Incidents of the rule that a person called no problem."""
    silences: tuple[Silence, ...] = ()
    """Those of people, the recently ended ones included."""


@dataclass(frozen=True)
class Routes:
    """Where a rule's news go, and what holds them back.

    Receivers are by severity, with the operators' routes and their fallback where a severity has none.
    """

    notify: tuple[tuple[Severity, tuple[str, ...]], ...] = ()
    mode: Mode = Mode.LIVE
    direction: Direction = Direction.DROP
    fallback: str | None = None
    mutes: tuple[Mute, ...] = ()
    timezone: str = "UTC"
    """Of the mutes."""
    maintenance: tuple[Maintenance, ...] = ()
    """Of those of the operators, the ones that concern the rule."""
    around: Around = field(default_factory=Around)
    routes: tuple[Route, ...] = ()
    """Of those of the operators, the ones that concern the rule."""
    policies: tuple[ReceiverPolicy, ...] = ()
    """What the operators say of receivers."""

    @classmethod
    def of(cls, rule: Rule, operations: Operations, around: Around | None = None) -> Routes:
        """The routes of a rule by its own word and the operators'."""
        around = around or Around()
        silences = tuple(item for item in around.silences if item.scope.concerns(rule))
        return cls(
            notify=rule.notify,
            mode=rule.mode,
            direction=rule.direction,
            fallback=operations.fallback,
            mutes=rule.mute,
            timezone=rule.timezone,
            maintenance=tuple(window for window in operations.maintenance if window.concerns(rule)),
            around=replace(around, silences=silences),
            routes=tuple(route for route in operations.routes if route.concerns(rule)),
            policies=operations.receivers,
        )

    def receivers(self, severity: Severity) -> tuple[str, ...]:
        """Receivers of this severity, each once: the rule's, else those of the first route, else the fallback."""
        named = dict(self.notify).get(severity, ())
        routed = (route.notify for route in self.routes if route.severity in {None, severity})
        return tuple(dict.fromkeys(named or next(routed, ()))) or ((self.fallback,) if self.fallback else ())

    def policy(self, receiver: str) -> ReceiverPolicy | None:
        """What the operators say of a receiver; None where nothing is said."""
        return next((policy for policy in self.policies if policy.name == receiver), None)


@dataclass(frozen=True)
class Hold:
    """Nobody is told, and why."""

    reason: Reason
    because: str


@dataclass(frozen=True)
class _Case:
    """One transition in front of the stages."""

    transition: Transition
    routes: Routes
    now: datetime
    told: tuple[str, ...] | None
    """Receivers that know the incident; None where the caller cannot say."""
    told_at: datetime
    """When it is told: later than `now` where an evaluation is made late."""
    behind: str = ""
    """Why it is too early to tell, where what came after `now` is still to be judged."""

    @property
    def incident(self) -> Incident:
        return self.transition.incident

    @property
    def ends(self) -> bool:
        """Whether it is the end of the incident, or a word about an end that was told."""
        amends_an_end = self.transition.change is Change.AMENDED and self.incident.state is State.RESOLVED
        return self.transition.change in ENDS or amends_an_end

    @property
    def answers_what_was_told(self) -> bool:
        """Whether it is the end of what somebody was told of, or what a person did about that: it wakes nobody."""
        return (self.ends or self.transition.change in ACTIONS) and bool(self.told)


ENDS = frozenset({Change.RESOLVED, Change.ACCEPTED, Change.ABSORBED, Change.REMOVED, Change.DISMISSED})
ACTIONS = frozenset({Change.ACKNOWLEDGED, Change.SNOOZED, Change.REOPENED})
NEWS = frozenset(
    {
        *ENDS,
        *ACTIONS,
        Change.OPENED,
        Change.WIDENED,
        Change.NARROWED,
        Change.RECLASSIFIED,
        Change.AMENDED,
        Change.LOCATED,
        Change.ESCALATED,
        Change.REPEATED,
        Change.RELEASED,
        Change.EXPIRED,
        Change.HANDED_ON,
    }
)
QUIET = {
    Change.PENDING: "it has not fired yet",
    Change.CONFIRMED: "nothing about it has changed but its numbers",
    Change.FROZEN: "the source's own incident tells it",
    Change.THAWED: "it stands where it stood before the source fell silent",
    Change.WITHDRAWN: "it never fired",
    Change.REPORT: "it is about no incident",
}
RESPECTIVE = {
    Change.OPENED: Reason.NEW,
    Change.REPEATED: Reason.REPEATED,
    Change.RELEASED: Reason.RELEASED,
    Change.RESOLVED: Reason.RESOLVED,
    Change.ACCEPTED: Reason.ACCEPTED,
    Change.ABSORBED: Reason.RESOLVED,
    Change.REMOVED: Reason.REMOVED,
    Change.DISMISSED: Reason.RESOLVED,
    Change.ACKNOWLEDGED: Reason.ACTION,
    Change.SNOOZED: Reason.ACTION,
    Change.REOPENED: Reason.ACTION,
    Change.EXPIRED: Reason.EXPIRED,
    Change.HANDED_ON: Reason.HANDED_ON,
}


LOUD = frozenset({Change.ESCALATED, Change.EXPIRED, Change.RELEASED})
"""What ends a snooze's silence by itself; what is released within one had passed it, and was held by something else."""

SUPPRESSED = frozenset({Reason.MUTED, Reason.MAINTENANCE, Reason.SILENCED, Reason.INHIBITED, Reason.CATCHING_UP})
"""Reasons that hold news back for a time: what is still bad after it is told then."""

Stage = Callable[[_Case], Hold | None]


def fails_open(stage: Stage) -> Stage:
    """A suppression that cannot be worked out suppresses nothing: too much is told, never too little."""

    @wraps(stage)
    def safe(case: _Case) -> Hold | None:
        try:
            return stage(case)
        except Exception:  # noqa: BLE001  # whatever is wrong with it, it is no reason for silence
            return None

    return safe


def not_news(case: _Case) -> Hold | None:
    """Only an opening, a change of the cause, and an end are news."""
    if case.transition.change not in NEWS:
        return Hold(Reason.NOT_NEWS, QUIET[case.transition.change])
    if case.incident.raised_at is None:
        return Hold(Reason.NOT_NEWS, "it has not fired yet")
    return None


def in_shadow(case: _Case) -> Hold | None:
    """A rule in shadow mode tells nothing, except the end of what was told while it was live."""
    if case.routes.mode is Mode.SHADOW and not case.answers_what_was_told:
        return Hold(Reason.SHADOW, "the rule runs in shadow mode")
    return None


def in_other_direction(case: _Case) -> Hold | None:
    """A rule for drops tells no spikes, and the other way round; sources and new values always are."""
    family, wanted = FAMILIES[case.incident.kind], case.routes.direction
    if family in {Family.SOURCE, Family.NEW} or wanted is Direction.BOTH or case.answers_what_was_told:
        return None
    if (family is Family.SPIKE) == (wanted is Direction.SPIKE):
        return None
    other = "spike" if family is Family.SPIKE else "drop"
    return Hold(Reason.DIRECTION, f"it is a {other}, and the rule tells {wanted.value}s only")


def never_told(case: _Case) -> Hold | None:
    """Nobody hears the end of what nobody heard of, nor what a person did about it."""
    if (case.ends or case.transition.change in ACTIONS) and case.told is not None and not case.told:
        return Hold(Reason.NEVER_SENT, "nobody was told of it")
    return None


@fails_open
def snoozed(case: _Case) -> Hold | None:
    """While it is snoozed only its end is told, a higher severity, and more than twice the loss."""
    incident, hush = case.incident, case.incident.hush
    if (
        incident.state is not State.SNOOZED
        or hush is None
        or case.transition.change in LOUD
        or case.answers_what_was_told
    ):
        return None
    if case.transition.change is Change.WIDENED and _doubled(case.transition, hush):
        return None
    until = "until it is over" if hush.until is None else f"until {instant(hush.until)}"
    return Hold(Reason.SNOOZED, f"snoozed by {name_of(hush.by)} {until}")


def _doubled(transition: Transition, hush: Hush) -> bool:
    """Whether a step, or all since the snooze, has more than doubled the loss."""
    before = transition.gap_before
    return (before is not None and gap(transition.incident) > 2 * before) or rate(transition.incident) > 2 * hush.rate


@fails_open
def no_problem(case: _Case) -> Hold | None:
    """What goes on from before a person called it no problem is not told anew."""
    other = None if case.answers_what_was_told else dismissal(case.incident, case.routes.around.dismissed)
    if other is None:
        return None
    return Hold(Reason.NO_PROBLEM, f"it goes on from {other.id}: {other.resolution}")


@fails_open
def muted(case: _Case) -> Hold | None:
    """In a window of the rule's `mute` nobody is told, except of the end of what was told before."""
    window = None if case.answers_what_was_told else muted_until(case.routes.mutes, case.routes.timezone, case.now)
    if window is None:
        return None
    until, reason = window
    return Hold(Reason.MUTED, f"muted until {until:%-d %b %H:%M} UTC: {reason}")


@fails_open
def in_maintenance(case: _Case) -> Hold | None:
    """In a maintenance window of the operators nobody is told, except of the end of what was told before."""
    window = None if case.answers_what_was_told else maintained_until(case.routes.maintenance, case.now)
    if window is None:
        return None
    until, reason = window
    return Hold(Reason.MAINTENANCE, f"maintenance until {instant(until)}: {reason}")


@fails_open
def silenced(case: _Case) -> Hold | None:
    """While a person has silenced the rule or the slice nobody is told, except of the end of what was told before."""
    over = None if case.answers_what_was_told else silencing(case.incident, case.routes.around.silences, case.told_at)
    return None if over is None else Hold(Reason.SILENCED, f"{over.label()} ({over.id})")


@fails_open
def inhibited(case: _Case) -> Hold | None:
    """While another rule's incident explains it nobody is told, except of the end of what was told before."""
    other = None if case.answers_what_was_told else inhibitor(case.incident, case.routes.around.inhibitors)
    if other is None:
        return None
    return Hold(Reason.INHIBITED, f"{other.rule} tells of {other.cause.label()} meanwhile ({other.id})")


def nobody_to_tell(case: _Case) -> Hold | None:
    """Without a receiver for the severity, and without a fallback, there is nobody."""
    if not _receivers(case):
        return Hold(Reason.NO_RECEIVER, f"no receiver for {case.incident.severity.value}, and no fallback")
    return None


def catching_up(case: _Case) -> Hold | None:
    """What is judged late is told once it is known how it stands now; the end of what was told before is told at once."""
    if not case.behind or case.answers_what_was_told:
        return None
    return Hold(Reason.CATCHING_UP, case.behind)


STAGES: tuple[Stage, ...] = (
    not_news,
    in_shadow,
    in_other_direction,
    never_told,
    snoozed,
    no_problem,
    muted,
    in_maintenance,
    silenced,
    inhibited,
    nobody_to_tell,
    catching_up,
)


def plan(
    transitions: Iterable[Transition],
    routes: Routes,
    now: datetime,
    told: Told | None = None,
    *,
    told_at: datetime | None = None,
    behind: str = "",
) -> tuple[Decision, ...]:
    """What is sent to whom, in the order of the transitions, and why; what is held is decided too.

    `told` says who knows which incident. Later news go to those who know it, so that an end reaches everyone who
    heard the beginning. Without it the rule's receivers stand in for them.

    `told_at` is when people hear of it, `now` where it is not given. What keeps people from being disturbed, their hours
    and silences, holds by that moment; what says that something is expected, mutes and maintenance, by `now`.

    `behind` says why it is too early to tell, where what came after `now` is still to be judged. What began and ended while
    nothing was judged is decided at its end: it is told with the reason `digested`, or held as its beginning would have been.
    """
    transitions = tuple(transitions)
    over = {transition.incident.id for transition in transitions if transition.incident.state is State.RESOLVED}
    decisions: list[Decision] = []
    known = None if told is None else {incident: tuple(names) for incident, names in told.items()}
    for transition in transitions:
        knowing = None if known is None else known.get(transition.incident.id, ())
        case = _Case(transition, routes, now, knowing, told_at or now, behind)
        past = transition.incident.id in over and is_past(transition.incident, knowing)
        made = _decide_past(case) if past else _decide(case)
        decisions += made
        if known is not None:
            before = known.get(transition.incident.id, ())
            known[transition.incident.id] = tuple(dict.fromkeys((*before, *(d.receiver for d in made if d.send))))
    return tuple(decisions)


def hold_of(
    transition: Transition,
    routes: Routes,
    now: datetime,
    told: Sequence[str] | None = None,
    *,
    told_at: datetime | None = None,
    behind: str = "",
) -> Hold | None:
    """Why a transition is sent to nobody; None where it is sent. `told` are those who know its incident.

    A repeat that all its receivers would have to wait for is held: nothing waits for a repeat.
    """
    case = _Case(transition, routes, now, None if told is None else tuple(told), told_at or now, behind)
    hold = _hold(case)
    if hold is not None or transition.change is not Change.REPEATED:
        return hold
    late = [_out_of_hours(case, name) for name in _in_hours(case)]
    return None if None in late else late[0]


def _hold(case: _Case) -> Hold | None:
    return next((hold for stage in STAGES if (hold := stage(case)) is not None), None)


def _decide(case: _Case) -> tuple[Decision, ...]:
    now, incident, change, hold = case.now, case.incident, case.transition.change, _hold(case)
    if hold is not None:
        return (Decision(incident.id, incident.seq, "", send=False, reason=hold.reason, because=hold.because, at=now),)
    reason, because = RESPECTIVE.get(change, Reason.CHANGED), case.transition.because
    made = []
    for receiver in _in_hours(case):
        late = _out_of_hours(case, receiver)
        why = (reason, because) if late is None else (late.reason, late.because)
        made.append(Decision(incident.id, incident.seq, receiver, late is None, *why, at=now))
    for receiver, wait in _stood_in_for(case):
        made.append(
            Decision(incident.id, incident.seq, receiver, send=False, reason=wait.reason, because=wait.because, at=now)
        )
    return tuple(made)


def _decide_past(case: _Case) -> tuple[Decision, ...]:
    """Of an incident that nobody heard of, and that is over by the time it could be told: at its last step alone."""
    incident = case.incident
    assert incident.absence is not None
    assert incident.raised_at is not None
    why = absent(incident.absence)
    if not is_last(case.transition):
        hold = _hold(case) or Hold(Reason.CATCHING_UP, why)
        return (
            Decision(incident.id, incident.seq, "", send=False, reason=hold.reason, because=hold.because, at=case.now),
        )
    begun = replace(incident, state=State.FIRING)
    opening = replace(case, transition=replace(case.transition, incident=begun, change=Change.OPENED), behind="")
    held = _hold(replace(opening, now=incident.raised_at))
    if held is not None:
        return (
            Decision(incident.id, incident.seq, "", send=False, reason=held.reason, because=held.because, at=case.now),
        )
    because = f"{why}, and it began and ended then"
    return tuple(
        Decision(incident.id, incident.seq, name, send=True, reason=Reason.DIGESTED, because=because, at=case.now)
        for name in _in_hours(opening)
    )


def _receivers(case: _Case) -> tuple[str, ...]:
    """Whoever knows the incident already, and where it may be louder its severity's; for a new one the latter alone."""
    if case.transition.to:
        return case.transition.to
    known, routed = tuple(case.told or ()), case.routes.receivers(case.incident.severity)
    louder = case.transition.change in {Change.ESCALATED, Change.RELEASED, Change.EXPIRED}
    return tuple(dict.fromkeys((*known, *routed) if louder else known)) or routed


def _in_hours(case: _Case) -> tuple[str, ...]:
    """The receivers, with those who stand in for them outside their hours."""
    return tuple(dict.fromkeys(_told_for(case, name) for name in _receivers(case)))


def _told_for(case: _Case, receiver: str) -> str:
    """Who is told of it for a receiver: itself, or who stands in."""
    critical = case.incident.severity is Severity.CRITICAL and not case.answers_what_was_told
    policy = case.routes.policy(receiver)
    return policy.critical_to(case.told_at) if critical and policy is not None else receiver


def _stood_in_for(case: _Case) -> Iterator[tuple[str, Hold]]:
    """Receivers that somebody stands in for: what is still bad when their hours begin they are told then.

    Nothing waits for a repeat, and what nobody acknowledged is handed on anew.
    """
    if case.transition.change in {Change.REPEATED, Change.HANDED_ON}:
        return
    told = _in_hours(case)
    for name in _receivers(case):
        policy, other = case.routes.policy(name), _told_for(case, name)
        if name not in told and policy is not None and policy.hours is not None:
            yield name, _wait(policy, policy.hours, case.told_at, f"; {other} is told meanwhile")


def _wait(policy: ReceiverPolicy, hours: Hours, now: datetime, more: str = "") -> Hold:
    begin = instant(hours.next_start(now))
    return Hold(Reason.OUT_OF_HOURS, f"outside the hours of {policy.name} ({hours.text}), until {begin}{more}")


def _out_of_hours(case: _Case, receiver: str) -> Hold | None:
    """Outside its hours a receiver is told of what is critical, and of the end of what it was told; the rest waits."""
    policy = case.routes.policy(receiver)
    if policy is None or policy.hours is None or policy.may_be_told(case.told_at):
        return None
    if case.incident.severity is Severity.CRITICAL or case.answers_what_was_told:
        return None
    return _wait(policy, policy.hours, case.told_at)
