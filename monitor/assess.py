"""One tick of one metric, judged: from arrays to findings and recoveries. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from alerts.model import Finding, Kind, State
from monitor.buckets import to_datetime
from monitor.detectors.view import View
from monitor.evidence import evidence_of
from monitor.followed import Followed, bad_stretch, follow_all, healed, over_stretch, recoveries, ripened
from monitor.lattice import ANY
from monitor.localize.causes import Cause
from monitor.localize.cube import Cube
from monitor.localize.kinds import Destination, destination
from monitor.localize.stretch import stretch_of
from monitor.localize.track import track
from monitor.localize.within import hidden
from monitor.matching import match
from monitor.question import Answer, Question
from rules.model import Direction
from rules.slices import Slice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Join = Callable[[View, list[Cause]], list[Cause]]


def assess(question: Question) -> Answer:
    """Judge the newest bucket: follow what is open, look for what is new, explain it, match the two."""
    view = _view_of(question)
    followed = follow_all(view, question, tuple(i for i in question.open if i.state is not State.RESOLVED))
    closed = follow_all(view, question, question.closed)
    view = view.judging(healed(view, followed))
    downs, ups, alarmed = _causes(view, question, [f.members for f in followed])
    hiding = _hidden(view, followed)
    join = question.detector.join
    downs, ups = (_with_open(view, found, followed, join, down=down) for found, down in ((downs, True), (ups, False)))
    destinations = [_destination(view, cause) for cause in downs]
    ups = [cause for cause in ups if not _is_gain(view, cause, downs, destinations)]
    findings = [_finding(view, question, cause, where) for cause, where in zip(downs, destinations, strict=True)]
    findings += [_finding(view, question, cause, None) for cause in [*ups, *hiding]]
    matched = match(view, question, findings, followed)
    told = [item for place, item in enumerate(zip(downs, destinations, strict=True)) if place not in matched.waiting]
    grown = [cause for place, cause in enumerate(ups, len(downs)) if place not in matched.waiting]
    flagged = _flags(view, followed, [*(cause for cause, _ in told), *grown], [where for _, where in told])
    for item in closed:
        if item.late:
            flagged[item.members, item.first : item.first + bad_stretch(view, item).stop] = False
    amendments = tuple(over_stretch(view, item) for item in closed)
    return Answer(matched.findings, tuple(recoveries(view, followed)), flagged, alarmed, amendments)


def judged_view(question: Question) -> tuple[View, Bools]:
    """What `assess` looks at, and the slices [N] that what is open keeps out of the common mode."""
    view = _view_of(question)
    followed = follow_all(view, question, tuple(i for i in question.open if i.state is not State.RESOLVED))
    left_out = np.zeros(len(view.lattice), dtype=bool)
    for item in followed:
        left_out |= view.overlapping(item.members)
    return view.judging(healed(view, followed)), left_out


def _view_of(question: Question) -> View:
    present = None
    if question.curves is not None and question.recent.lag is not None:
        present = question.curves.over(question.recent.lag)
    recent = question.recent
    return View(
        question.grid, question.lattice, question.fit, recent, recent.flagged, question.occasions, present
    ).widened()


def _causes(view: View, question: Question, known: list[Bools]) -> tuple[list[Cause], list[Cause], Bools]:
    """Drops and spikes, as far as the rule sends them, in two rounds, and the slices [N] that were alarmed.

    The second is without the first's causes in the common mode.
    """
    left_out = np.zeros(len(view.lattice), dtype=bool)
    for members in known:
        left_out |= view.overlapping(members)
    downs: list[Cause] = []
    ups: list[Cause] = []
    detector = question.detector
    sent = [down for down in (True, False) if question.direction is not (Direction.SPIKE if down else Direction.DROP)]
    for _ in range(2):
        verdicts = detector.judge(view, left_out)
        raised = {down: detector.alarms(view, verdicts, question.context, down=down) for down in sent}
        if not any(raised.values()):
            return [], [], np.zeros(len(view.lattice), dtype=bool)
        common, least = view.common_by_bucket(left_out), question.context.min_change
        found = {down: detector.explain(view, verdicts, raised[down], common, least) for down in sent}
        downs, ups = ([c for c in found.get(down, []) if _changed(view, c, least)] for down in (True, False))
        for cause in [*downs, *ups]:
            if any(code != ANY for code in cause.codes):
                left_out = left_out | view.overlapping(cause.members)
    alarmed = np.zeros(len(view.lattice), dtype=bool)
    alarmed[[alarm.row for alarms_of in raised.values() for alarm in alarms_of]] = True
    return downs, ups, alarmed


def _hidden(view: View, followed: list[Followed]) -> list[Cause]:
    """What else is wrong within each open cause that is still bad; what has an incident of its own is known."""
    if view.fit.bounds is not None:
        return []
    bad = [item for item in followed if item.bad]
    cube = cache(lambda: Cube.of(view.lattice.leaves.codes))
    found: list[Cause] = []
    for item in bad:
        known = [other.members for other in bad if other is not item and other.part.within(item.members)]
        taken = np.logical_or.reduce([np.zeros_like(item.members), *known, *(cause.members for cause in found)])
        cause = hidden(view, item.part, ~taken, cube)
        found += [] if cause is None else [cause]
    return found


def _changed(view: View, cause: Cause, least: float) -> bool:
    """Whether a cause changed at all, from its first bucket on and at the level it had before."""
    if view.fit.bounds is not None:
        return True
    observed, expected = track(view, cause.codes, cause.members, cause.first).sums(cause.first, len(view.recent.starts))
    change = expected - observed if cause.down else observed - expected
    return change >= 0.75 * least * expected


def _with_open(view: View, found: list[Cause], followed: list[Followed], join: Join, *, down: bool) -> list[Cause]:
    """New causes joined with each other and with what is open and still bad, where they are one wider cause."""
    if not found:
        return found
    standing = [
        Cause(f.codes, f.members, f.first, 0.0, down, (), plain=False)
        for f in followed
        if f.bad and f.down is down and all((f.members & ~cause.members).any() for cause in found)
    ]
    together = join(view, [*found, *standing])
    return [cause for cause in together if not any(cause is item for item in standing)]


def _destination(view: View, cause: Cause) -> Destination | None:
    if all(code == ANY for code in cause.codes):
        return None
    return destination(view.lattice.leaves, cause.codes, cause.members, stretch_of(view, cause.first))


def _is_gain(view: View, cause: Cause, downs: list[Cause], destinations: list[Destination | None]) -> bool:
    """Whether a growth is the other side of a loss: its destination, or what keeps the total stable."""
    stretch = stretch_of(view, cause.first)
    gain = np.maximum(stretch.observed - stretch.expected, 0.0)
    for where in destinations:
        if where is not None and gain[where.members & cause.members].sum() >= 0.5 * gain[cause.members].sum():
            return True
    total = abs(float((stretch.observed - stretch.expected).sum()))
    return any(total < 0.2 * float((stretch.expected - stretch.observed)[down.members].sum()) for down in downs)


def _finding(view: View, question: Question, cause: Cause, where: Destination | None) -> Finding:
    followed = track(view, cause.codes, cause.members, cause.first)
    observed, expected = followed.sums(cause.first, len(view.recent.starts))
    kind = Kind.SPIKE if not cause.down else Kind.DROP
    to = None
    if where is not None:
        kind = Kind.RENAMED if where.unseen else Kind.MOVED
        to = view.lattice.leaves.slice_of(
            [where.code if i == where.dimension else ANY for i in range(len(cause.codes))]
        )
    item = view.lattice.leaves.slice_of(cause.codes)
    return Finding(
        rule=question.rule,
        metric=question.metric,
        kind=kind,
        slice=item,
        since=to_datetime(int(view.recent.starts[cause.first])),
        until=to_datetime(view.end_of(len(view.recent.starts) - 1)),
        observed=observed,
        expected=expected,
        p=float(np.exp(-min(cause.surprise, 690.0))),
        evidence=evidence_of(view, cause, followed, question.context, question.past),
        also=other_names(view, cause),
        to=to,
    )


def other_names(view: View, cause: Cause) -> tuple[Slice, ...]:
    """Slices of as few dimensions that hold the same cells, up to half a percent of what is expected."""
    weight = view.leaf_usual(cause.first)
    inside = view.lattice.rollup(np.where(cause.members, weight, 0.0))
    whole = view.lattice.rollup(weight)
    mine = float(weight[cause.members].sum())
    if mine <= 0:
        return ()
    same = (inside >= 0.995 * mine) & (inside >= 0.995 * whole) & (view.lattice.size > 0)
    named = sum(code != ANY for code in cause.codes)
    names: list[Slice] = []
    for row in np.flatnonzero(same & (view.lattice.size <= max(named, 1))):
        names += [view.lattice.slice_of(int(row)), *view.lattice.names_of(int(row))]
    own = view.lattice.leaves.slice_of(cause.codes)
    return tuple(name for name in dict.fromkeys(names) if name != own and len(name) <= max(named, 1))


def _flags(view: View, followed: list[Followed], causes: list[Cause], destinations: list[Destination | None]) -> Bools:
    """Cells that are no part of what is normal, old and new: those of causes that are told.

    What merely grew is not flagged: the seasonal mean and the level are robust against it, and a version that
    takes over from another would leave their parent short.
    """
    flagged = view.recent.flagged.copy()
    for item in sorted(followed, key=lambda one: one.bad):
        flagged[item.members, item.first : item.buckets if item.bad else item.standing.bad_until] = True
        if item.late and view.recent.lag is not None:
            flagged[np.ix_(item.members, ripened(view, item))] = False
    for cause in causes:
        flagged[cause.members, cause.first :] = True
    for cause, where in zip(causes, destinations, strict=False):
        if where is not None and not where.unseen:
            flagged[where.members, cause.first :] = True
    return flagged
