"""What becomes of the incidents of one rule at one tick. Pure: no clock, no I/O.

The order of events is the body of `step`. Open incidents of one rule, metric and family never have the same
cause, and a wider one takes over the narrower ones it explains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from alerts.model import Assessment, CauseAt, Change, Finding, Incident, Kind, Recovery, State, Stretch, Transition
from alerts.reprocess import left_over, start_of
from alerts.severity import escalation_of, first_severity, loudest
from alerts.wording import lasting
from rules.model import Escalation, Rule, Severity
from rules.slices import Slice

CAME_LATE = "what was missing has arrived since: it was late, not lost"


class Family(Enum):
    """Kinds that may follow one another within one incident."""

    LOSS = "loss"
    SPIKE = "spike"
    SOURCE = "source"
    NEW = "new"


FAMILIES = {
    Kind.DROP: Family.LOSS,
    Kind.MOVED: Family.LOSS,
    Kind.RENAMED: Family.LOSS,
    Kind.SPIKE: Family.SPIKE,
    Kind.LATE: Family.SOURCE,
    Kind.BLIND: Family.SOURCE,
    Kind.NEW: Family.NEW,
}


@dataclass(frozen=True)
class StepPolicy:
    """What a rule says about the life of its incidents; counts are evaluations.

    An incident fires once more than `for_` evaluations in a row found it, and resolves after `keep_firing_for`
    (at least one) evaluations found it recovered.
    """

    for_: int = 0
    keep_firing_for: int = 2
    severity: Severity = Severity.WARNING
    escalate: tuple[Escalation, ...] = ()
    accept_after: timedelta = timedelta(days=14)
    """What was told so long ago, and is still bad, is what is normal now; fixed bounds never give way."""

    @classmethod
    def of(cls, rule: Rule) -> StepPolicy:
        """The policy of a rule."""
        bounds = [bound for _, pair in rule.detector.bounds for bound in (pair.low, pair.high) if bound is not None]
        fixed = any(not bound.of_last_week for bound in bounds)
        accept_after = timedelta.max if fixed else timedelta(days=14)
        return cls(rule.for_, rule.keep_firing_for, rule.severity, rule.escalate, accept_after)


def step(open: Sequence[Incident], assessment: Assessment, policy: StepPolicy) -> tuple[Transition, ...]:  # noqa: A002  # the design's own name
    """The transitions that one tick's assessment makes of a rule's open incidents.

    Apply them in their order; an incident may have several. Incidents already resolved are left alone. While the
    source is blind (or late) its findings and recoveries are not looked at: nothing moves but the freeze.
    """
    board = _Board(assessment, policy)
    board.place(i for i in open if i.state is not State.RESOLVED)
    trouble = _trouble(assessment)
    if trouble is not None:
        _go_blind(board, trouble)
        return tuple(board.transitions)
    _see_again(board)
    _match(board)
    _escalate(board)
    _accept(board)
    _recover(board)
    _withdraw(board)
    return tuple(board.transitions)


def amend(incident: Incident, recovery: Recovery, tick: datetime) -> Transition | None:
    """The transition of an incident already resolved some of whose events have arrived since; None where none has.

    News where it turns out to have been late, else its sums only.
    """
    if recovery.observed == incident.observed:
        return None
    healed = recovery.late and not incident.late
    because = CAME_LATE if healed else "more of it has arrived since"
    amended = replace(
        incident,
        seq=incident.seq + 1,
        tick=tick,
        observed=recovery.observed,
        expected=recovery.expected,
        late=incident.late or recovery.late,
        resolution=CAME_LATE if healed else incident.resolution,
    )
    change = Change.AMENDED if healed else Change.CONFIRMED
    return Transition(amended, change, tick, because, incident.state, gap(incident))


def incident_id(rule: str, metric: str, kind: Kind, cause: Slice, tick: datetime) -> str:
    """The id of an incident first found at `tick`: the same in every run of that tick."""
    parts = (rule, metric, FAMILIES[kind].value, repr(cause.terms), tick.isoformat())
    return "sw-" + hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:10]


def gap(incident: Incident) -> float:
    """How many events are missing, or too many: never negative."""
    return abs(incident.expected - incident.observed)


@dataclass
class _Board:
    """The incidents as they stand while one step works through its stages."""

    assessment: Assessment
    policy: StepPolicy
    incidents: dict[str, Incident] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    found: set[str] = field(default_factory=set)
    """Ids that a finding of this tick named."""
    settled: set[str] = field(default_factory=set)
    """Ids whose cause a finding of this tick has fixed: later findings may not move it."""
    inherited: dict[str, Severity] = field(default_factory=dict)
    """The loudest severity among the fired incidents that an incident took over at this tick, by its id."""

    @property
    def tick(self) -> datetime:
        return self.assessment.tick

    def place(self, incidents: Iterable[Incident]) -> None:
        ordered = sorted(incidents, key=_seniority)
        self.incidents = {incident.id: incident for incident in ordered}

    def standing(self, *families: Family) -> list[Incident]:
        """Open incidents of these families, the oldest first."""
        return [i for i in self.incidents.values() if i.state is not State.RESOLVED and FAMILIES[i.kind] in families]

    def move(self, incident: Incident, change: Change, because: str, **facts: Any) -> Incident:
        """Make the next state of an incident, and record how it came about."""
        moved = replace(incident, seq=incident.seq + 1, tick=self.tick, **facts)
        known = self.incidents.get(incident.id)
        before = known.state if known else None
        self.incidents[incident.id] = moved
        gap_before = gap(known) if known else None
        self.transitions.append(Transition(moved, change, self.tick, because, before, gap_before))
        return moved

    def close(self, incident: Incident, change: Change, because: str, **facts: Any) -> Incident:
        return self.move(
            incident, change, because, state=State.RESOLVED, resolved_at=self.tick, resolution=because, **facts
        )


def _seniority(incident: Incident) -> tuple[bool, datetime, datetime, str]:
    """Sort key: fired before pending, then the oldest."""
    fired = incident.raised_at or incident.first_seen_at
    return (incident.raised_at is None, fired, incident.first_seen_at, incident.id)


# --- a source that cannot be asked -----------------------------------------------------------------------------


def _trouble(assessment: Assessment) -> Finding | None:
    if assessment.blind is not None:
        return assessment.blind
    return next((f for f in assessment.findings if FAMILIES[f.kind] is Family.SOURCE), None)


def _go_blind(board: _Board, trouble: Finding) -> None:
    known = board.standing(Family.SOURCE)
    if known:
        _still_blind(board, known[0], trouble)
    else:
        late = trouble.kind is Kind.LATE
        _fire(board, _new(board, trouble), "the source is behind" if late else "the source could not be asked")
    for incident in board.standing(Family.LOSS, Family.SPIKE):
        if incident.state is not State.UNKNOWN:
            trouble_is = "is behind" if trouble.kind is Kind.LATE else "cannot be asked"
            because = f"the source {trouble_is}: better or worse, nobody knows"
            board.move(incident, Change.FROZEN, because, state=State.UNKNOWN, frozen_state=incident.state)


def _still_blind(board: _Board, incident: Incident, trouble: Finding) -> None:
    board.move(
        incident,
        Change.CONFIRMED,
        "the source is still behind" if trouble.kind is Kind.LATE else "the source still cannot be asked",
        kind=trouble.kind,
        since=min(incident.since, trouble.since),
        until=max(incident.until, trouble.until),
        detail=trouble.detail or incident.detail,
    )


def _see_again(board: _Board) -> None:
    for incident in board.standing(Family.SOURCE):
        again = "has caught up" if incident.kind is Kind.LATE else "answers again"
        board.close(incident, Change.RESOLVED, f"the source {again}")
    for incident in board.standing(Family.LOSS, Family.SPIKE):
        if incident.state is State.UNKNOWN:
            state = incident.frozen_state or State.FIRING
            unknown = incident.unknown_for + (board.tick - incident.tick)
            because = "the source answers again"
            board.move(incident, Change.THAWED, because, state=state, frozen_state=None, unknown_for=unknown)


# --- findings --------------------------------------------------------------------------------------------------


def _match(board: _Board) -> None:
    """Give each finding to its incidents, the widest finding first."""
    findings = sorted(board.assessment.findings, key=_breadth)
    for finding in sorted(findings, key=lambda item: not _narrows(board, item, findings)):
        standing = board.standing(FAMILIES[finding.kind])
        related = [i for i in standing if _related(board, i, finding)]
        over = [i for i in related if _explains(i, finding)]
        if over:
            _narrower(board, finding, over, related, findings)
            continue
        free = [i for i in related if i.id not in board.settled]
        if any(covers(i, finding) for i in related if i.id in board.settled):
            continue  # the same cells under the same name: a finding before said it all
        if free:
            _takes(board, finding, free)
        else:
            _raise(board, finding)


def _narrows(board: _Board, finding: Finding, findings: Sequence[Finding]) -> bool:
    """Whether a finding is what its incident turns out to be, and part of no other: what else lay in it then stands alone."""
    incident = board.incidents.get(finding.continues or "")
    if incident is None or not _explains(incident, finding):
        return False
    others = [other for other in findings if other is not finding and other.metric == finding.metric]
    return not any(other.continues == finding.continues or covers(other, finding) for other in others)


def _breadth(finding: Finding) -> tuple[int, float, str]:
    """Sort key: fewest terms first, then the largest change, then anything that makes the order total."""
    change = abs(finding.expected - finding.observed)
    return (len(finding.slice), -change, repr((finding.slice.terms, finding.kind, finding.since, finding)))


def _related(board: _Board, incident: Incident, finding: Finding) -> bool:
    """Whether a finding may be this incident seen again; the very same cells always are."""
    if incident.metric != finding.metric:
        return False
    inner, outer = covers(incident, finding), covers(finding, incident)
    if finding.continues == incident.id or (inner and outer):
        return True
    own = board.incidents.get(finding.continues or "")
    others = (*finding.apart, *(own.apart if own else ()))
    two = incident.id in others or finding.continues in incident.apart
    return (inner or outer) and not two


def _names(item: Incident | Finding) -> tuple[Slice, ...]:
    own = item.cause if isinstance(item, Incident) else item.slice
    return (own, *item.also)


def covers(wide: Incident | Finding, narrow: Incident | Finding) -> bool:
    """Whether all cells of `narrow` are cells of `wide`, under any of their names."""
    return any(w.covers(n) for w in _names(wide) for n in _names(narrow))


def _wider(finding: Finding, incident: Incident) -> bool:
    """Whether the finding covers the incident's cause: the same cells, or more."""
    return covers(finding, incident)


def _explains(incident: Incident, finding: Finding) -> bool:
    """Whether the finding's cells are some of the incident's, not all."""
    return covers(incident, finding) and not covers(finding, incident)


def _narrower(
    board: _Board, finding: Finding, over: list[Incident], related: list[Incident], findings: list[Finding]
) -> None:
    """A finding inside open causes: it confirms them, or is what one of them turns out to be."""
    if len(related) == 1 and _refines(board, finding, over[0], findings):
        _takes(board, finding, over)
        return
    for incident in over:
        _confirm(board, incident, finding, f"{finding.slice.label()} is part of it and still bad")


def _refines(board: _Board, finding: Finding, incident: Incident, findings: list[Finding]) -> bool:
    """Whether a narrower finding replaces the cause: named explicitly, or the one that is left of what has recovered."""
    if incident.id in board.settled:
        return False
    if finding.continues == incident.id and _narrows(board, finding, findings):
        return True
    recovered = any(r.incident == incident.id for r in board.assessment.recoveries)
    same = [f for f in findings if FAMILIES[f.kind] is FAMILIES[incident.kind] and _related(board, incident, f)]
    return recovered and len(same) == 1


def _takes(board: _Board, finding: Finding, incidents: list[Incident]) -> None:
    """The oldest incident takes the finding; it takes the others over."""
    heir, *others = incidents
    told_once = heir.kind is Kind.RENAMED and finding.kind is Kind.RENAMED and heir.cause == finding.slice
    if told_once and heir.raised_at is not None:
        # The rename was told at an earlier tick; `_match` must not open it again, so it closes here.
        board.settled.add(heir.id)
        board.found.add(heir.id)
        board.close(heir, Change.RESOLVED, _inherits(heir))
    else:
        heir = _update(board, heir, finding, taken=others)
    for incident in others:
        board.found.add(incident.id)
        if incident.raised_at is not None:
            board.inherited[heir.id] = loudest([incident.severity, board.inherited.get(heir.id, incident.severity)])
        because = f"part of {heir.cause.label()}, told as {heir.id}"
        board.close(incident, Change.ABSORBED, because)


def _update(board: _Board, incident: Incident, finding: Finding, taken: Sequence[Incident]) -> Incident:
    """An incident found bad again, and what it takes over: its next facts, cause and state."""
    board.found.add(incident.id)
    board.settled.add(incident.id)
    same_cause = incident.cause == finding.slice or finding.slice in incident.also
    change, because = _reading(incident, finding, same_cause=same_cause)
    facts = _facts(board, incident, finding, same_cause=same_cause)
    facts["earlier"] = (*facts.get("earlier", incident.earlier), *_left_by(taken, finding))
    facts["apart"] = _apart(board, incident, finding, taken)
    if incident.state is not State.PENDING:
        return board.move(incident, change, because, **facts)
    bad_ticks = incident.bad_ticks + 1
    return _still_pending(board, replace(incident, **facts, bad_ticks=bad_ticks))


def _apart(board: _Board, incident: Incident, finding: Finding, taken: Sequence[Incident]) -> tuple[str, ...]:
    """Ids of what an incident stands apart from, and what those that it takes over did."""
    gone = {incident.id, *(item.id for item in taken)}
    own = (*incident.apart, *finding.apart, *(name for item in taken for name in item.apart))
    others = [item.id for item in board.incidents.values() if not gone.isdisjoint(item.apart)]
    return tuple(name for name in dict.fromkeys([*own, *others]) if name not in gone)


def _reading(incident: Incident, finding: Finding, *, same_cause: bool) -> tuple[Change, str]:
    old, new = incident.cause.label(), finding.slice.label()
    if same_cause and incident.kind is not finding.kind:
        return Change.RECLASSIFIED, f"{incident.kind.value} before, {finding.kind.value} on a closer look"
    if same_cause and finding.late and not incident.late:
        return Change.AMENDED, CAME_LATE
    if same_cause:
        return Change.CONFIRMED, "still bad"
    sideways = not _wider(finding, incident) and not _explains(incident, finding)
    if _wider(finding, incident) or (sideways and finding.expected >= incident.expected):
        return Change.WIDENED, f"{new} explains more than {old}"
    return Change.NARROWED, f"it is {new}, not all of {old}"


def _facts(board: _Board, incident: Incident, finding: Finding, *, same_cause: bool) -> dict[str, Any]:
    """What the finding changes; sums stay those of the longer window."""
    facts: dict[str, Any] = {
        "kind": finding.kind,
        "since": min(incident.since, finding.since),
        "until": max(incident.until, finding.until),
        "p": finding.p,
        "to": finding.to,
        "evidence": finding.evidence or incident.evidence,
        "detail": finding.detail,
        "late": finding.late,
        "good_ticks": 0,
    }
    if not same_cause:
        earlier = CauseAt(incident.cause, incident.cause_at or incident.first_seen_at)
        facts |= {"cause": finding.slice, "also": finding.also, "causes": (*incident.causes, earlier)}
        facts["cause_at"] = board.tick
        left, narrower = _left(incident, finding), _explains(incident, finding)
        facts["earlier"] = (*incident.earlier, *([left] if left is not None else []))
        facts["cause_since"] = start_of(incident, finding, left, narrower=narrower)
    elif incident.cause_since is not None and finding.since < incident.since:
        facts["cause_since"] = finding.since
    if not same_cause or finding.since <= incident.since or finding.expected >= incident.expected:
        facts |= {"observed": finding.observed, "expected": finding.expected}
    return facts


def _left(incident: Incident, finding: Finding) -> Stretch | None:
    return left_over(incident, finding, wider=_wider(finding, incident), narrower=_explains(incident, finding))


def _left_by(taken: Sequence[Incident], finding: Finding) -> Iterator[Stretch]:
    """What incidents that a finding takes over were short of before it began."""
    for incident in taken:
        left = _left(incident, finding)
        yield from (*incident.earlier, *([left] if left is not None else []))


def _confirm(board: _Board, incident: Incident, finding: Finding, because: str) -> None:
    """A narrower finding: the incident is still bad, its cause and sums stay."""
    if incident.id in board.found:
        return
    board.found.add(incident.id)
    board.settled.add(incident.id)
    facts: dict[str, Any] = {"until": max(incident.until, finding.until), "good_ticks": 0}
    if incident.state is not State.PENDING:
        board.move(incident, Change.CONFIRMED, because, **facts)
        return
    bad_ticks = incident.bad_ticks + 1
    _still_pending(board, replace(incident, **facts, bad_ticks=bad_ticks))


def _raise(board: _Board, finding: Finding) -> None:
    incident = _new(board, finding)
    board.found.add(incident.id)
    board.settled.add(incident.id)
    _still_pending(board, incident)


def _still_pending(board: _Board, incident: Incident) -> Incident:
    """Fire where it was bad for longer than the rule's `for`, else wait."""
    beside = [board.incidents[one].cause.label() for one in incident.apart if one in board.incidents]
    found = f"found beside {' and '.join(beside)}" if beside else "found"
    found = found if incident.bad_ticks == 1 else f"bad for {incident.bad_ticks} evaluations in a row"
    if incident.bad_ticks > board.policy.for_:
        return _fire(board, incident, found)
    left = board.policy.for_ + 1 - incident.bad_ticks
    return board.move(incident, Change.PENDING, f"{found}; fires if bad for {left} more")


def _new(board: _Board, finding: Finding) -> Incident:
    return Incident(
        id=incident_id(finding.rule, finding.metric, finding.kind, finding.slice, board.tick),
        rule=finding.rule,
        metric=finding.metric,
        kind=finding.kind,
        cause=finding.slice,
        state=State.PENDING,
        severity=first_severity(finding, board.policy.severity),
        since=finding.since,
        until=finding.until,
        first_seen_at=board.tick,
        tick=board.tick,
        observed=finding.observed,
        expected=finding.expected,
        p=finding.p,
        also=finding.also,
        apart=finding.apart,
        to=finding.to,
        evidence=finding.evidence,
        detail=finding.detail,
        bad_ticks=1,
    )


def _fire(board: _Board, incident: Incident, because: str) -> Incident:
    severity, why = escalation_of(incident, board.policy.escalate) or (incident.severity, "")
    because = f"{because}; {why}" if why else because
    facts: dict[str, Any] = {"raised_at": board.tick, "severity": severity, "absence": board.assessment.absence}
    return board.move(incident, Change.OPENED, because, state=State.FIRING, **facts)


# --- what becomes louder ---------------------------------------------------------------------------------------


def _escalate(board: _Board) -> None:
    """Raise the severity of what was found again and is worse by now, or took over what was louder; never lower it."""
    for incident in board.standing(Family.LOSS, Family.SPIKE):
        if incident.raised_at is None or incident.id not in board.found:
            continue
        taken = board.inherited.get(incident.id, incident.severity)
        reasons = [(taken, f"it took over an incident that was {taken}")]
        reasons += filter(None, [escalation_of(incident, board.policy.escalate)])
        severity, why = max(reasons, key=lambda reason: reason[0].loudness)
        if severity.loudness > incident.severity.loudness:
            board.move(incident, Change.ESCALATED, why, severity=severity)


# --- what lasts ------------------------------------------------------------------------------------------------


def _accept(board: _Board) -> None:
    """Close what is still bad so long after it was told: it will not come back by itself, and nobody brought it back.

    Counted from the telling and not from the onset: what was noticed late is not accepted the day after.
    """
    for incident in board.standing(Family.LOSS, Family.SPIKE):
        if incident.raised_at is None or incident.id not in board.found:
            continue
        if board.tick - incident.raised_at - incident.unknown_for >= board.policy.accept_after:
            because = f"it has lasted for {lasting(board.tick - incident.since)} and is taken as normal from now on"
            board.close(incident, Change.ACCEPTED, because, accepted_at=board.tick)


# --- what was not found ----------------------------------------------------------------------------------------


def _recover(board: _Board) -> None:
    for incident in board.standing(Family.LOSS, Family.SPIKE):
        told = incident.raised_at is not None and incident.raised_at < board.tick
        if incident.kind is Kind.RENAMED and told and incident.id not in board.found:
            board.close(incident, Change.RESOLVED, _inherits(incident))
    for recovery in sorted(board.assessment.recoveries, key=lambda r: r.incident):
        incident_or_none = board.incidents.get(recovery.incident)
        if incident_or_none is not None and _may_recover(board, incident_or_none):
            _better(board, incident_or_none, recovery)


def _may_recover(board: _Board, incident: Incident) -> bool:
    closed_or_pending = incident.state in {State.RESOLVED, State.PENDING}
    return not closed_or_pending and incident.id not in board.found


def _better(board: _Board, incident: Incident, recovery: Recovery) -> None:
    good_ticks = incident.good_ticks + 1
    needed = max(1, board.policy.keep_firing_for)
    facts: dict[str, Any] = {
        "good_ticks": good_ticks,
        "until": recovery.until,
        "observed": recovery.observed,
        "expected": recovery.expected,
        "late": recovery.late,
    }
    board.found.add(incident.id)
    if good_ticks >= needed:
        because = CAME_LATE if recovery.late else f"back to normal for {_evaluations(good_ticks)}"
        board.close(incident, Change.RESOLVED, because, **facts)
    else:
        board.move(incident, Change.CONFIRMED, f"back to normal for {good_ticks} of {needed} evaluations", **facts)


def _evaluations(count: int) -> str:
    return "1 evaluation" if count == 1 else f"{count} evaluations in a row"


def _withdraw(board: _Board) -> None:
    for incident in board.standing(Family.LOSS, Family.SPIKE):
        if incident.state is State.PENDING and incident.id not in board.found:
            board.close(incident, Change.WITHDRAWN, "gone before it fired")


def _inherits(incident: Incident) -> str:
    heir = incident.to.label() if incident.to is not None else "the new name"
    return f"told once; {heir} inherits the history of {incident.cause.label()}"
