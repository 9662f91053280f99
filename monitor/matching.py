"""Which open incident each finding continues, which it is a remainder of, and which stand alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.model import Finding, Kind
from monitor.buckets import to_datetime, to_epoch
from monitor.detectors.model import Context
from monitor.detectors.view import View
from monitor.evidence import evidence_of
from monitor.followed import Followed, ratio_of
from monitor.localize.causes import Cause
from monitor.localize.stretch import stretch_of
from monitor.localize.track import track
from monitor.localize.within import Part, beyond, chance
from monitor.question import Question

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Matched:
    """What is told of a bucket, and which of its findings wait: told by nobody yet, they are to be found again."""

    findings: tuple[Finding, ...]
    waiting: frozenset[int]
    """Positions among what was found."""


def match(view: View, question: Question, findings: list[Finding], followed: list[Followed]) -> Matched:
    """Name the open incident each finding continues; what is open and still bad stays a finding of its own."""
    out: list[Finding] = []
    spoken: set[str] = set()
    waiting: set[int] = set()
    for place, finding in sorted(enumerate(findings), key=lambda item: len(item[1].slice)):
        part = _part(view, finding)
        apart = tuple(item.incident.id for item in followed if _are_two(view, part, item))
        others = [item for item in followed if item.incident.id not in apart]
        mate = _mate(view, finding, others)
        lone = replace(finding, apart=apart)
        if mate is None:
            out.append(lone)
        elif not _is_named(finding, mate) and any(_comes_back(view, question, part, item) for item in others):
            # Should it last, it is told once the wider one is over.
            waiting.add(place)
        elif mate.incident.id in spoken:
            # Of what is on its way back several parts may be left: each is told.
            out += [] if mate.bad else [lone]
        else:
            spoken.add(mate.incident.id)
            if finding.slice == mate.incident.cause or not _replaces(view, question, finding, mate):
                out.append(_still(view, question, mate, finding))
            else:
                out.append(replace(lone, continues=mate.incident.id))
    out += [_still(view, question, item, None) for item in followed if item.bad and item.incident.id not in spoken]
    return Matched(tuple(out), frozenset(waiting))


# --- one cause or two ----------------------------------------------------------------------------


def _part(view: View, finding: Finding) -> Part:
    leaves = view.lattice.leaves
    first = min(int(np.searchsorted(view.recent.starts, to_epoch(finding.since))), len(view.recent.starts) - 1)
    return Part(leaves.codes_of(finding.slice), leaves.members(finding.slice), first, finding.kind is not Kind.SPIKE)


def _are_two(view: View, part: Part, item: Followed) -> bool:
    """Whether what was found, and an open incident within it or around it, are two causes and not one."""
    inner = part.within(item.members)
    if item.down is not part.down or not (item.bad or (inner and _began_after(part, item))):
        return False
    narrow, wide = (part, item.part) if inner else (item.part, part)
    return bool(chance(view, narrow, wide) <= np.exp(-view.fit.threshold))


def _began_after(part: Part, item: Followed) -> bool:
    """Whether a finding began only after what is on its way back had ended: it is no remainder of that."""
    return part.first > item.standing.bad_until


def _comes_back(view: View, question: Question, part: Part, item: Followed) -> bool:
    """Whether a finding is a part of what is on its way back and has not come back altogether.

    A part that stayed away, and is clearly worse than the rest, is something else: what the incident is now.
    """
    if item.bad or item.down is not part.down or not part.within(item.members):
        return False
    least = question.context.min_change
    worse = beyond(view, part, item.members, 1.0 - least if part.down else 1.0 + least)
    return _began_after(part, item) or not worse


def _is_named(finding: Finding, item: Followed) -> bool:
    return finding.slice in (item.incident.cause, *item.incident.also)


# --- which incident it is ------------------------------------------------------------------------


def _mate(view: View, finding: Finding, followed: list[Followed]) -> Followed | None:
    """The open incident that shares at least half of the smaller one's loss.

    That of the very slice before others, one that is bad before one on its way back, the oldest first.
    """
    part = _part(view, finding)
    stretch = stretch_of(view, part.first)
    change = np.maximum((stretch.expected - stretch.observed) * (1.0 if part.down else -1.0), 0.0)

    def order(item: Followed) -> tuple[bool, bool, datetime]:
        return (not _is_named(finding, item), not item.bad, item.incident.first_seen_at)

    for item in sorted(followed, key=order):
        shared = float(change[part.members & item.members].sum())
        smaller = min(float(change[part.members].sum()), float(change[item.members].sum()))
        if item.down is part.down and shared > 0 and shared >= 0.5 * smaller:
            return item
    return None


def _replaces(view: View, question: Question, finding: Finding, mate: Followed) -> bool:
    """Whether a finding's cause is the better name: a wider one, or a narrower one that leaves nothing bad.

    What was widened once is not narrowed again while it is bad: parts recover one after the other. What is on its way
    back is what is still found of it.
    """
    incident = mate.incident
    inside = view.lattice.leaves.members(finding.slice)
    if not (mate.members & ~inside).any() or not mate.bad:
        return True
    if (inside & ~mate.members).any() or any(incident.cause.covers(earlier.slice) for earlier in incident.causes):
        return False
    rest = mate.members & ~inside
    return _never_bad(view, rest, mate.first, question.context) or _is_back(view, question, rest, mate)


def _never_bad(view: View, leaves: Bools, first: int, context: Context) -> bool:
    """Whether leaves held what was expected over the whole stretch from column `first` on."""
    raw = view.recent.values[leaves][:, first:]
    expected = np.where(np.isnan(raw), 0.0, view.leaf_expected_of(leaves, first)[:, first:])
    seen, normal = float(np.nansum(raw)), float(expected.sum())
    return normal > 0 and abs(seen / normal - 1.0) < context.min_change / 2.0


def _is_back(view: View, question: Question, leaves: Bools, mate: Followed) -> bool:
    """Whether leaves that were lost with an incident have been back for more than the newest bucket."""
    nameless = tuple(len(known) for known in view.lattice.leaves.values)
    found = track(view, nameless, leaves, mate.first)
    least = question.context.min_change
    standing = question.detector.stands(view, found, mate.first, None, ratio_of(mate.incident), least)
    return standing.cleared and not standing.still_bad(mate.buckets - 1)


def _still(view: View, question: Question, item: Followed, fresh: Finding | None) -> Finding:
    """An open incident that is still bad, with its sums up to now."""
    incident = item.incident
    observed, expected = item.track.sums(item.first, item.buckets)
    cause = Cause(item.codes, item.members, item.first, 0.0, item.down, (), plain=not len(incident.cause))
    evidence = (
        fresh.evidence if fresh is not None else evidence_of(view, cause, item.track, question.context, question.past)
    )
    return Finding(
        rule=question.rule,
        metric=question.metric,
        kind=incident.kind,
        slice=incident.cause,
        # Beside a wider cause it began when it fell below the rest of that, which is later than below what is expected.
        since=incident.since if fresh is None or item.beside else min(incident.since, fresh.since),
        until=to_datetime(view.end_of(item.buckets - 1)),
        observed=observed,
        expected=expected,
        p=incident.p if fresh is None else min(incident.p, fresh.p),
        evidence=evidence,
        also=incident.also,
        to=incident.to,
        continues=incident.id,
        late=item.late,
    )
