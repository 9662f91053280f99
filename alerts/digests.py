"""Storms: more than a few new incidents for one receiver within minutes are told together. Pure.

A source that cannot be asked takes all of its rules with it: of those the second one begins a storm.

A digest is a thread of its own. What an incident told in it comes to later is told there too; one that becomes louder
is told by itself from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts.incidents import FAMILIES, Family
from alerts.model import Change, Decision, Kind, Reason, State, Transition

MOST = 5
"""New incidents that a receiver is told one by one within `WITHIN`."""
MOST_BLIND = 1
"""Of sources that cannot be judged: the second within `WITHIN` is most likely another rule of the same source."""
WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Lately:
    """What one receiver knows, of the incidents in question, and how much was new to it within `WITHIN`."""

    fresh: int = 0
    """Incidents of which it was first told, alone or in a digest."""
    blind: int = 0
    """Of those told alone, the ones of sources."""
    digest: str = ""
    """The digest that began, "" where none did."""
    alone: frozenset[str] = frozenset()
    """Incidents that have a thread of their own there."""
    through: Mapping[str, str] = field(default_factory=dict)
    """Incidents that it knows from a digest alone, and which."""


@dataclass(frozen=True)
class Digest:
    """What one digest has to tell: the steps of its incidents, those that are new to it among them."""

    key: str
    receiver: str
    told: tuple[Transition, ...]
    joined: tuple[str, ...]
    """Incidents that are told in it from now on."""


@dataclass(frozen=True)
class Sorted:
    """Decisions, those that a digest tells with that as their reason, and the digests."""

    decisions: tuple[Decision, ...]
    digests: tuple[Digest, ...]
    together: frozenset[tuple[str, str, int]] = frozenset()
    """(receiver, incident, number) of the steps that are told in digests."""


def sort_out(
    transitions: Iterable[Transition], decisions: Sequence[Decision], lately: Mapping[str, Lately], now: datetime
) -> Sorted:
    """Which of the decisions to send are told in digests. `lately` has each receiver that something is sent to."""
    steps = {(t.incident.id, t.incident.seq): t for t in transitions}
    storms = _storms(steps, decisions, lately, now)
    digests: dict[tuple[str, str], Digest] = {}
    out, together = [], set[tuple[str, str, int]]()
    for decision in decisions:
        step, key = steps[decision.incident, decision.seq], ""
        if decision.send:
            known = lately[decision.receiver]
            key = _key_of(step, known, storms.get((decision.receiver, _of_a_source(step)), ""))
            for told in filter(None, {key, _also_in(step, known)}):
                place = (told, decision.receiver)
                digests[place] = _with(digests.get(place, Digest(*place, (), ())), step, known)
        out.append(_told_in(decision, key) if key else decision)
        together |= {(decision.receiver, decision.incident, decision.seq)} if key else set()
    return Sorted(tuple(out), tuple(digests.values()), frozenset(together))


def _storms(
    steps: Mapping[tuple[str, int], Transition],
    decisions: Sequence[Decision],
    lately: Mapping[str, Lately],
    now: datetime,
) -> dict[tuple[str, bool], str]:
    """The digest of each receiver for which too much is new, of events and of sources (True)."""
    new: dict[tuple[str, bool], set[str]] = {}
    for decision in decisions:
        step = steps[decision.incident, decision.seq]
        if decision.send and _is_new(step, lately[decision.receiver]):
            new.setdefault((decision.receiver, _of_a_source(step)), set()).add(decision.incident)
    return {
        (name, of_source): lately[name].digest or digest_key(name, now)
        for (name, of_source), incidents in new.items()
        if _too_much(lately[name], sum(len(new.get((name, kind), ())) for kind in (False, True)))
        or (of_source and _too_blind(lately[name], len(incidents)))
    }


def _too_much(known: Lately, new: int) -> bool:
    return new + known.fresh > MOST


def _too_blind(known: Lately, new: int) -> bool:
    """Whether rules of one source go blind together; a digest that has just begun has room for them."""
    return new + known.blind > MOST_BLIND or bool(known.digest)


def _of_a_source(step: Transition) -> bool:
    return FAMILIES[step.incident.kind] is Family.SOURCE


def _key_of(step: Transition, known: Lately, storm: str) -> str:
    """The digest that tells a step; "" where it is told alone."""
    name = step.incident.id
    if name in known.alone:
        return ""
    if name in known.through:
        return "" if step.change is Change.ESCALATED else known.through[name]
    return storm if _is_new(step, known) else ""


def _also_in(step: Transition, known: Lately) -> str:
    """The digest that has to hear of an end that is told alone, for it is over once all of its incidents are."""
    return known.through.get(step.incident.id, "") if step.incident.state is State.RESOLVED else ""


def _is_new(step: Transition, known: Lately) -> bool:
    """Whether the receiver never heard of it. New values are over as soon as told, and few."""
    name = step.incident.id
    return name not in known.alone and name not in known.through and step.incident.kind is not Kind.NEW


def _told_in(decision: Decision, key: str) -> Decision:
    # What a person did keeps its reason: by it one knows that nothing was released that waits.
    reason = Reason.ACTION if decision.reason is Reason.ACTION else Reason.DIGESTED
    return replace(decision, reason=reason, because=f"told in {key}: {decision.because}")


def _with(digest: Digest, step: Transition, known: Lately) -> Digest:
    joins = step.incident.id not in known.through and step.incident.id not in digest.joined
    joined = (*digest.joined, step.incident.id) if joins else digest.joined
    return replace(digest, told=(*digest.told, step), joined=joined)


def digest_key(receiver: str, now: datetime) -> str:
    """The key of a digest's messages: by its receiver and when it began."""
    name = hashlib.blake2b(receiver.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"digest-{name}-{int(now.timestamp())}"
