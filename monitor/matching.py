"""Which open incident each finding continues, which it is a remainder of, and which stand alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alerts.model import Finding, Kind
from monitor.buckets import to_datetime, to_epoch
from monitor.detectors.model import Context
from monitor.detectors.view import View
from monitor.evidence import evidence_of
from monitor.followed import Followed, ratio_of
from monitor.localize.causes import Cause
from monitor.localize.kinds import Stretch
from monitor.localize.stretch import stretch_of
from monitor.localize.track import track
from monitor.question import Question

Bools = NDArray[np.bool_]


def match(view: View, question: Question, findings: list[Finding], followed: list[Followed]) -> list[Finding]:
    """Name the open incident each finding continues; what is open and still bad stays a finding of its own."""
    out: list[Finding] = []
    spoken: set[str] = set()
    for finding in findings:
        mate = _mate(view, finding, followed)
        if mate is None:
            out.append(finding)
            continue
        over = _wider_and_over(view, finding, followed)
        if mate.incident.id in over:
            if not _worse_than_rest(view, question, finding, [item for item in followed if item.incident.id in over]):
                continue
            if _began_after(view, finding, mate):
                out.append(replace(finding, apart=over))
                continue
        if mate.incident.id in spoken:
            # Of what is on its way back several parts may be left: each is told.
            out += [] if mate.bad else [finding]
            continue
        spoken.add(mate.incident.id)
        if finding.slice == mate.incident.cause or not _replaces(view, question, finding, mate):
            out.append(_still(view, question, mate, finding))
        else:
            out.append(replace(finding, continues=mate.incident.id))
    out += [_still(view, question, item, None) for item in followed if item.bad and item.incident.id not in spoken]
    return [_kept_apart(view, finding, followed) if finding.continues else finding for finding in out]


def _kept_apart(view: View, finding: Finding, followed: list[Followed]) -> Finding:
    """What has an incident of its own is no part of a wider one on its way back."""
    others = [item for item in followed if item.incident.id != finding.continues]
    return replace(finding, apart=_wider_and_over(view, finding, others))


def _wider_and_over(view: View, finding: Finding, followed: list[Followed]) -> tuple[str, ...]:
    inside, down = view.lattice.leaves.members(finding.slice), finding.kind is not Kind.SPIKE
    over = [item for item in followed if item.down is down and not item.bad]
    return tuple(
        item.incident.id for item in over if not (inside & ~item.members).any() and (item.members & ~inside).any()
    )


def _mate(view: View, finding: Finding, followed: list[Followed]) -> Followed | None:
    """The open incident that shares at least half of the smaller one's loss: one that is bad before one on its way back, the oldest first."""
    members = view.lattice.leaves.members(finding.slice)
    down = finding.kind is not Kind.SPIKE
    first = int(np.searchsorted(view.recent.starts, to_epoch(finding.since)))
    stretch = stretch_of(view, min(first, len(view.recent.starts) - 1))
    change = (
        np.maximum(stretch.expected - stretch.observed, 0.0)
        if down
        else np.maximum(stretch.observed - stretch.expected, 0.0)
    )
    for item in sorted(followed, key=lambda f: (not f.bad, f.incident.first_seen_at)):
        if item.down is not down:
            continue
        shared = float(change[members & item.members].sum())
        smaller = min(float(change[members].sum()), float(change[item.members].sum()))
        if shared > 0 and shared >= 0.5 * smaller:
            return item
    return None


def _began_after(view: View, finding: Finding, mate: Followed) -> bool:
    """Whether a finding began only after what is on its way back had ended: it is no remainder of it."""
    return int(np.searchsorted(view.recent.starts, to_epoch(finding.since))) > mate.standing.bad_until


def _worse_than_rest(view: View, question: Question, finding: Finding, over: list[Followed]) -> bool:
    """Whether a finding is clearly worse than what else is on its way back, at the same time.

    Else it is that which has not come back altogether: should it last, it is found again once the wider one is over.
    """
    inside = view.lattice.leaves.members(finding.slice)
    stretch = stretch_of(view, int(np.searchsorted(view.recent.starts, to_epoch(finding.since))))
    own = _ratio_within(stretch, inside)
    rests = [_ratio_within(stretch, item.members & ~inside) for item in over]
    if finding.kind is Kind.SPIKE:
        return all(own >= max(rest, 1.0) * (1.0 + question.context.min_change) for rest in rests)
    return all(own <= min(rest, 1.0) * (1.0 - question.context.min_change) for rest in rests)


def _ratio_within(stretch: Stretch, leaves: Bools) -> float:
    return float(stretch.observed[leaves].sum()) / max(float(stretch.expected[leaves].sum()), 1e-9)


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
        since=incident.since if fresh is None else min(incident.since, fresh.since),
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
