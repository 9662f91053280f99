"""One tick of one metric, judged: from arrays to findings and recoveries. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from alerts.model import Finding, Incident, Kind, Recovery, State
from monitor.buckets import Grid, to_datetime, to_epoch
from monitor.completeness import Curves
from monitor.detectors.default import Default
from monitor.detectors.fit import Fit
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.occasions import Occasions
from monitor.detectors.protocol import Detector
from monitor.detectors.view import View
from monitor.evidence import evidence_of
from monitor.lattice import ANY, Lattice
from monitor.localize.causes import Cause
from monitor.localize.cells import dispersion_by_volume
from monitor.localize.kinds import Destination, Stretch, destination
from monitor.localize.track import Track, track
from monitor.statistics.onset import Standing
from rules.model import Direction
from rules.slices import Slice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Join = Callable[[View, list[Cause]], list[Cause]]


@dataclass(frozen=True)
class Question:
    """What is judged: the newest bucket of `recent`, given the fit and the incidents that are open."""

    rule: str
    metric: str
    direction: Direction
    grid: Grid
    lattice: Lattice
    fit: Fit
    recent: LeafSeries
    open: tuple[Incident, ...]
    context: Context
    detector: Detector = field(default_factory=Default)
    occasions: Occasions = field(default_factory=Occasions)
    curves: Curves | None = None
    """How late events come; None where never."""
    closed: tuple[Incident, ...] = ()
    """Losses that resolved and some of whose buckets are still ripening."""
    past: LeafSeries | None = None
    """Days before `recent`, for the curves of a rule of days; nothing is judged by them."""


@dataclass(frozen=True)
class Answer:
    """Findings and recoveries, the leaf cells [S, T] of `recent` that are no part of what is normal, alarmed slices [N]."""

    findings: tuple[Finding, ...]
    recoveries: tuple[Recovery, ...]
    flagged: Bools
    alarmed: Bools
    amendments: tuple[Recovery, ...] = ()
    """Of closed incidents: their sums as they are by now."""


@dataclass(frozen=True)
class Followed:
    """An open incident's cause at this tick."""

    incident: Incident
    codes: tuple[int, ...]
    members: Bools
    first: int
    track: Track
    standing: Standing
    buckets: int
    late: bool = False
    """Most of what was missing has arrived since: it was late, not lost."""

    @property
    def down(self) -> bool:
        return self.incident.kind is not Kind.SPIKE

    @property
    def bad(self) -> bool:
        return self.standing.still_bad(self.buckets)


def assess(question: Question) -> Answer:
    """Judge the newest bucket: follow what is open, look for what is new, explain it, match the two."""
    view = _view_of(question)
    followed = _follow_all(view, question, tuple(i for i in question.open if i.state is not State.RESOLVED))
    closed = _follow_all(view, question, question.closed)
    view = view.judging(_healed(view, followed))
    downs, ups, alarmed = _causes(view, question, [f.members for f in followed])
    join = question.detector.join
    downs, ups = (_with_open(view, found, followed, join, down=down) for found, down in ((downs, True), (ups, False)))
    destinations = [_destination(view, cause) for cause in downs]
    ups = [cause for cause in ups if not _is_gain(view, cause, downs, destinations)]
    findings = [_finding(view, question, cause, where) for cause, where in zip(downs, destinations, strict=True)]
    findings += [_finding(view, question, cause, None) for cause in ups]
    flagged = _flags(view, followed, [*downs, *ups], destinations)
    matched = _match(view, question, findings, followed)
    for item in closed:
        if item.late:
            flagged[item.members, item.first : item.first + _stretch(view, item).stop] = False
    amendments = tuple(_over_stretch(view, item) for item in closed)
    return Answer(tuple(matched), tuple(_recoveries(view, followed)), flagged, alarmed, amendments)


def judged_view(question: Question) -> tuple[View, Bools]:
    """What `assess` looks at, and the slices [N] that what is open keeps out of the common mode."""
    view = _view_of(question)
    followed = _follow_all(view, question, tuple(i for i in question.open if i.state is not State.RESOLVED))
    left_out = np.zeros(len(view.lattice), dtype=bool)
    for item in followed:
        left_out |= view.overlapping(item.members)
    return view.judging(_healed(view, followed)), left_out


def _view_of(question: Question) -> View:
    present = None
    if question.curves is not None and question.recent.lag is not None:
        present = question.curves.over(question.recent.lag)
    recent = question.recent
    return View(
        question.grid, question.lattice, question.fit, recent, recent.flagged, question.occasions, present
    ).widened()


# --- what is open --------------------------------------------------------------------------------


def _follow_all(view: View, question: Question, incidents: tuple[Incident, ...]) -> list[Followed]:
    items = [i for i in incidents if i.kind not in (Kind.BLIND, Kind.LATE)]
    if not items:
        return []
    left_out = np.zeros(len(view.lattice), dtype=bool)
    members = [view.lattice.leaves.members(i.cause) for i in items]
    for inside in members:
        left_out |= view.overlapping(inside)
    raw = view.judging(np.zeros_like(view.healed))
    common = raw.common_by_bucket(left_out)
    detector, least = question.detector, question.context.min_change
    found = [_follow(raw, item, inside, common, detector, least) for item, inside in zip(items, members, strict=True)]
    return [replace(item, late=_came_late(raw, item, question.context)) for item in found]


def _follow(
    view: View, incident: Incident, members: Bools, common: Floats, detector: Detector, least: float
) -> Followed:
    codes = codes_of(view.lattice, incident.cause)
    first = int(np.searchsorted(view.recent.starts, to_epoch(incident.since)))
    found = track(view, codes, members, first)
    shared = common[view.region_of(codes)] if len(incident.cause) else None
    standing = detector.stands(view, found, first, shared, _ratio_of(incident), least)
    return Followed(incident, codes, members, first, found, standing, len(view.recent.starts))


def _ratio_of(incident: Incident) -> float:
    """Observed to expected of an incident, kept on its own side of 1."""
    ratio = incident.observed / max(incident.expected, 1e-9)
    return float(np.clip(ratio, 1.05, 50.0)) if incident.kind is Kind.SPIKE else float(np.clip(ratio, 0.02, 0.9))


def _stretch(view: View, item: Followed) -> slice:
    """The columns from a cause's first bad bucket to its last, counted from the first."""
    stop = int(np.searchsorted(view.recent.starts, to_epoch(item.incident.until)))
    return slice(0, max(stop - item.first, 0))


def _came_late(view: View, item: Followed, context: Context) -> bool:
    """Whether what was missing has arrived since.

    All that was bad when it was raised has been read again at a riper class, and so has half of the bad stretch at least;
    it holds what should be there by now, and so does the bucket that raised it, by half at least: a stretch that was
    thought to begin too early is no proof.
    """
    if view.present is None or view.recent.lag is None or not item.down:
        return False
    part = _stretch(view, item)
    observed, expected = item.track.observed[item.first :][part], item.track.expected[item.first :][part]
    ripened = (view.recent.lag[item.first :][part] > 0) & ~np.isnan(observed)
    last = _raised_by(view, item) - item.first
    if not 0 <= last < len(ripened) or not ripened[: last + 1].all() or observed[last] < 0.5 * expected[last]:
        return False
    should = float(expected[ripened].sum())
    came = float(observed[ripened].sum())
    return 0 < should >= 0.5 * float(expected.sum()) and came >= (1.0 - context.min_change / 2.0) * should


def _raised_by(view: View, item: Followed) -> int:
    """Column of the newest bucket when an incident was raised."""
    raised = item.incident.raised_at or item.incident.first_seen_at
    return int(np.searchsorted(view.recent.starts, to_epoch(raised))) - 1


def _healed(view: View, followed: list[Followed]) -> Bools:
    """Flagged cells, except those of causes that are still bad: these are judged as they are."""
    healed = view.recent.flagged.copy()
    for item in followed:
        if item.bad:
            healed[item.members, item.first :] = False
        else:
            healed[item.members, item.first : item.standing.bad_until] = True
    return healed


def _recoveries(view: View, followed: list[Followed]) -> list[Recovery]:
    return [_recovery(view, item) for item in followed if not item.bad and item.standing.cleared]


def _over_stretch(view: View, item: Followed) -> Recovery:
    """The sums of the stretch that was bad, as they are by now."""
    sums = item.track.sums(item.first, item.first + _stretch(view, item).stop)
    return Recovery(item.incident.id, item.incident.until, *sums, late=item.late)


def _recovery(view: View, item: Followed) -> Recovery:
    incident = item.incident
    if item.late:
        return _over_stretch(view, item)
    stop = max(item.standing.bad_until, item.first)
    observed, expected = item.track.sums(item.first, stop)
    if stop == item.first:
        observed, expected = incident.observed, incident.expected
    until = max(_end(view, stop - 1), to_epoch(incident.since)) if stop > 0 else to_epoch(incident.until)
    return Recovery(incident.id, to_datetime(until), observed, expected)


# --- what is new ---------------------------------------------------------------------------------


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


def stretch_of(view: View, first: int) -> Stretch:
    """Leaves from column `first` to the newest."""
    volume = view.fit.leaf_volume
    alpha = dispersion_by_volume(np.where(view.fit.eligible, view.fit.volume, 0.0), view.fit.alpha[:, 0], volume)
    return Stretch(*view.leaf_sums(first), *view.leaf_sums(first, first + 1), volume > 0, alpha)


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
        until=to_datetime(_end(view, len(view.recent.starts) - 1)),
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


def _end(view: View, column: int) -> int:
    return view.grid.end(int(view.recent.starts[column]))


# --- matching the two ----------------------------------------------------------------------------


def _match(view: View, question: Question, findings: list[Finding], followed: list[Followed]) -> list[Finding]:
    """Name the open incident each finding continues; what is open and still bad stays a finding of its own."""
    out: list[Finding] = []
    spoken: set[str] = set()
    for finding in findings:
        mate = _mate(view, finding, followed)
        if mate is None:
            out.append(finding)
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
    return out


def _mate(view: View, finding: Finding, followed: list[Followed]) -> Followed | None:
    """The open incident that shares at least half of the smaller one's loss, the oldest first."""
    members = view.lattice.leaves.members(finding.slice)
    down = finding.kind is not Kind.SPIKE
    first = int(np.searchsorted(view.recent.starts, to_epoch(finding.since)))
    stretch = stretch_of(view, min(first, len(view.recent.starts) - 1))
    change = (
        np.maximum(stretch.expected - stretch.observed, 0.0)
        if down
        else np.maximum(stretch.observed - stretch.expected, 0.0)
    )
    for item in sorted(followed, key=lambda f: f.incident.first_seen_at):
        if item.down is not down:
            continue
        shared = float(change[members & item.members].sum())
        smaller = min(float(change[members].sum()), float(change[item.members].sum()))
        if shared > 0 and shared >= 0.5 * smaller:
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
    standing = question.detector.stands(view, found, mate.first, None, _ratio_of(mate.incident), least)
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
        until=to_datetime(_end(view, item.buckets - 1)),
        observed=observed,
        expected=expected,
        p=incident.p if fresh is None else min(incident.p, fresh.p),
        evidence=evidence,
        also=incident.also,
        to=incident.to,
        continues=incident.id,
        late=item.late,
    )


def _flags(view: View, followed: list[Followed], causes: list[Cause], destinations: list[Destination | None]) -> Bools:
    """Cells that are no part of what is normal, old and new: those of causes that are told.

    What merely grew is not flagged: the seasonal mean and the level are robust against it, and a version that
    takes over from another would leave their parent short.
    """
    flagged = view.recent.flagged.copy()
    for item in followed:
        flagged[item.members, item.first : item.buckets if item.bad else item.standing.bad_until] = True
        if item.late and view.recent.lag is not None:
            flagged[np.ix_(item.members, _ripened(view, item))] = False
    for cause in causes:
        flagged[cause.members, cause.first :] = True
    for cause, where in zip(causes, destinations, strict=False):
        if where is not None and not where.unseen:
            flagged[where.members, cause.first :] = True
    return flagged


def _ripened(view: View, item: Followed) -> Bools:
    """bool[T]: buckets of a cause that was late which hold by now what was missing: they are history like any other."""
    assert view.recent.lag is not None
    inside = np.arange(item.buckets) >= item.first
    return np.asarray(inside & ((view.recent.lag > 0) | (not item.bad)))


def codes_of(lattice: Lattice, item: Slice) -> tuple[int, ...]:
    """Codes of a slice over the lattice's dimensions; an unknown value gets a code no leaf has."""
    named = dict(item.terms)
    return tuple(
        lattice.leaves.code_of(d, named[name]) if name in named else ANY
        for d, name in enumerate(lattice.leaves.dimensions)
    )
