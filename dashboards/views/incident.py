"""One incident, whole: what a message says of it, how it went, who was told, what else was like it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from alerts.actions import name_of as actor_name
from alerts.incidents import FAMILIES
from alerts.marks import Mark
from alerts.message import ENDS
from alerts.model import Change, Decision, Incident, Message, Reason, Transition
from alerts.silences import Silence
from dashboards.views.common import Curve, IncidentLine, MarkLine, SilenceLine
from rules.model import Severity
from rules.slices import Slice

QUIET = frozenset({Change.CONFIRMED})
"""Steps that only bring numbers up to date."""
LISTED = 8
"""Values of a dimension that are shown; of more, how many there are."""
ALIKE = 10
"""Past incidents that are shown."""


@dataclass(frozen=True)
class Panel:
    """A curve with its name."""

    slice: Slice
    name: str
    curve: Curve


@dataclass(frozen=True)
class Share:
    """One value of a dimension over the incident's stretch."""

    value: str
    slice: Slice
    observed: float
    expected: float
    of_loss: float | None
    """Its share, from 0 to 1, of what the cause lost (or had too many); None for what lies beside the cause."""
    of_expected: float | None
    """Its share of what was expected of the cause: a loss that follows it is spread evenly."""
    is_cause: bool = False


@dataclass(frozen=True)
class Differing:
    """How the values of one dimension differ: within the cause, or, of a dimension that the cause names, beside it."""

    dimension: str
    beside: bool
    shares: tuple[Share, ...]
    more: int
    """Values that are not shown."""


@dataclass(frozen=True)
class Entry:
    """A line of the timeline."""

    at: datetime
    kind: str
    """A step's change, or `mark`, `silence`, `told`."""
    text: str


@dataclass(frozen=True)
class DeliveryLine:
    """Whether one step was told to one receiver, why, and what became of the message."""

    at: datetime
    change: str
    receiver: str
    """"" where it was for nobody."""
    send: bool
    reason: Reason
    because: str
    state: str
    """Of the message: `queued`, `done`, `merged`, `dead`; "" where there is none, or it went in a digest."""
    attempts: int
    finished_at: datetime | None
    error: str


@dataclass(frozen=True)
class Alike:
    """An incident of the same rule and kind whose cause overlaps."""

    line: IncidentLine
    how: str
    """`same cause`, `wider` or `narrower`."""
    ended: str
    """Why it closed, in a sentence; "" while it is open."""


@dataclass(frozen=True)
class Did:
    """What somebody did, in a sentence."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class IncidentPage:
    """All that is known of one incident."""

    now: datetime
    line: IncidentLine
    also: tuple[str, ...]
    """Other names of the same cells."""
    owner: str | None
    rule_known: bool
    """False where the rule is in no file any more, or its file is broken: then nothing can be worked out again."""
    severity: Severity
    message: Message
    """What a message about it would say now; of one that is over, what was told at its end."""
    panels: tuple[Panel, ...]
    """The cause, the total, and siblings; as it was last told where it cannot be worked out again."""
    differing: tuple[Differing, ...]
    marks: tuple[MarkLine, ...]
    timeline: tuple[Entry, ...]
    deliveries: tuple[DeliveryLine, ...]
    unsaid: int
    """Steps that were no news to anybody."""
    alike: tuple[Alike, ...]
    silence: SilenceLine | None
    """The one that holds news of it back now."""
    did: Did | None
    """What somebody did last."""


class IncidentPages(Protocol):
    """Where the page of an incident comes from."""

    def incident(self, name: str, now: datetime) -> IncidentPage | None:
        """All that is known of an incident; None where there is none of that id."""
        ...


def as_it_stands(incident: Incident, steps: Sequence[Transition]) -> Transition:
    """The step whose message says how the incident stands: its end, or, while it lasts, what it is by now."""
    end = next((step for step in reversed(steps) if step.change in ENDS), None)
    if incident.resolved_at is not None and end is not None:
        return replace(end, incident=incident)
    return Transition(incident, Change.OPENED, incident.tick, "")


def timeline(
    steps: Iterable[Transition], marks: Iterable[Mark], silences: Iterable[Silence], told: Iterable[DeliveryLine]
) -> tuple[Entry, ...]:
    """What happened, oldest first: steps with their reasons, who was told, silences, known changes."""
    found = [Entry(step.at, step.change.value, step.because) for step in steps if step.change not in QUIET]
    found += [Entry(mark.at, "mark", f"{mark.text}, says {actor_name(mark.by)}") for mark in marks]
    found += [Entry(item.starts, "silence", item.label()) for item in silences]
    arrived = [line for line in told if line.finished_at is not None and line.state == "done"]
    found += [
        Entry(line.finished_at, "told", f"{line.receiver}: {line.change}") for line in arrived if line.finished_at
    ]
    return tuple(sorted(found, key=lambda entry: entry.at))


@dataclass(frozen=True)
class Sent:
    """What became of the text of one step at one receiver."""

    receiver: str
    seq: int
    state: str
    attempts: int
    finished_at: datetime | None
    error: str


def deliveries(
    steps: Iterable[Transition], decided: Iterable[Decision], sent: Iterable[Sent]
) -> tuple[tuple[DeliveryLine, ...], int]:
    """(decisions with what became of them, how many steps were no news)."""
    changes = {step.incident.seq: step.change.value for step in steps}
    box = {(item.receiver, item.seq): item for item in sent}
    lines, unsaid = [], 0
    for decision in decided:
        if decision.reason is Reason.NOT_NEWS:
            unsaid += 1
            continue
        item = box.get((decision.receiver, decision.seq)) if decision.send else None
        lines.append(
            DeliveryLine(
                at=decision.at,
                change=changes.get(decision.seq, ""),
                receiver=decision.receiver,
                send=decision.send,
                reason=decision.reason,
                because=decision.because,
                state=item.state if item is not None else "",
                attempts=item.attempts if item is not None else 0,
                finished_at=item.finished_at if item is not None else None,
                error=item.error if item is not None else "",
            )
        )
    return tuple(lines), unsaid


def alike(incident: Incident, others: Iterable[Incident]) -> tuple[Alike, ...]:
    """Incidents of the same kind whose cause is the same, wider or narrower: the same ones first, then the newest."""
    found = []
    for other in others:
        how = _how(incident.cause, other.cause)
        related = other.metric == incident.metric and FAMILIES[other.kind] is FAMILIES[incident.kind]
        if other.id != incident.id and related and how:
            found.append(Alike(IncidentLine.of(other), how, other.resolution))
    order = ("same cause", "narrower", "wider")
    found.sort(key=lambda item: (order.index(item.how), -item.line.since.timestamp()))
    return tuple(found[:ALIKE])


def _how(cause: Slice, other: Slice) -> str:
    if cause == other:
        return "same cause"
    if cause.covers(other):
        return "narrower"
    return "wider" if other.covers(cause) else ""


def ranked(dimension: str, shares: Iterable[Share], *, beside: bool) -> Differing:
    """The values that changed most first, the cause's own before all."""
    order = sorted(shares, key=lambda share: (not share.is_cause, -abs(share.observed - share.expected)))
    return Differing(dimension, beside, tuple(order[:LISTED]), max(len(order) - LISTED, 0))
