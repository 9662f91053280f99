"""The causes of open incidents at this tick: whether each is still bad, on its way back, over, or came late."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alerts.model import Incident, Kind, Recovery
from monitor.buckets import to_datetime, to_epoch
from monitor.detectors.model import Context
from monitor.detectors.protocol import Detector
from monitor.detectors.view import View
from monitor.localize.track import Track, track
from monitor.localize.within import Part
from monitor.question import Question
from monitor.statistics import constants as k
from monitor.statistics.onset import Standing

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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
    beside: bool = False
    """It lies within another open cause, and is held against the rest of that."""

    @property
    def down(self) -> bool:
        return self.incident.kind is not Kind.SPIKE

    @property
    def part(self) -> Part:
        """Its cells, from its first bad bucket on."""
        return Part(self.codes, self.members, self.first, self.down)

    @property
    def bad(self) -> bool:
        return self.standing.still_bad(self.buckets)


def follow_all(view: View, question: Question, incidents: tuple[Incident, ...]) -> list[Followed]:
    """Where the causes of incidents stand; what is wrong with the source itself is not followed."""
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
    found = [_beside(raw, question, item, found, common) for item in found]
    return [replace(item, late=_came_late(raw, item, question.context)) for item in found]


def _beside(view: View, question: Question, item: Followed, others: list[Followed], common: Floats) -> Followed:
    """A cause within others that are open: it is back once it has what their rest has."""
    wider = [other for other in others if _apart(item, other) and item.part.within(other.members)]
    if not wider:
        return item
    rests = [common[view.region_of(item.codes)], *(_rest_by_bucket(item, other) for other in wider)]
    shared = np.minimum.reduce(rests) if item.down else np.maximum.reduce(rests)
    detector, least = question.detector, question.context.min_change
    standing = detector.stands(view, item.track, item.first, shared, ratio_of(item.incident), least)
    return replace(item, standing=standing, beside=True)


def _apart(item: Followed, other: Followed) -> bool:
    """Whether two open incidents of one direction were told as two causes; whichever was later says so."""
    one, two = item.incident, other.incident
    return item.down is other.down and (two.id in one.apart or one.id in two.apart)


def _rest_by_bucket(item: Followed, other: Followed) -> Floats:
    """[T]: what a wider cause has of what is expected without the narrower one; 1 before it began."""
    seen = other.track.observed - item.track.observed
    ratio = seen / np.maximum(other.track.expected - item.track.expected, 1e-9)
    ratio[: other.first] = 1.0
    ratio[np.isnan(ratio)] = 1.0
    return np.clip(ratio, *k.COMMON_CLIP)


def _follow(
    view: View, incident: Incident, members: Bools, common: Floats, detector: Detector, least: float
) -> Followed:
    codes = view.lattice.leaves.codes_of(incident.cause)
    first = int(np.searchsorted(view.recent.starts, to_epoch(incident.since)))
    found = track(view, codes, members, first)
    shared = common[view.region_of(codes)] if len(incident.cause) else None
    standing = detector.stands(view, found, first, shared, ratio_of(incident), least)
    return Followed(incident, codes, members, first, found, standing, len(view.recent.starts))


def ratio_of(incident: Incident) -> float:
    """Observed to expected of an incident, kept on its own side of 1."""
    ratio = incident.observed / max(incident.expected, 1e-9)
    return float(np.clip(ratio, 1.05, 50.0)) if incident.kind is Kind.SPIKE else float(np.clip(ratio, 0.02, 0.9))


def bad_stretch(view: View, item: Followed) -> slice:
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
    part = bad_stretch(view, item)
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


def healed(view: View, followed: list[Followed]) -> Bools:
    """Flagged cells, except those of causes that are still bad: these are judged as they are."""
    cells = view.recent.flagged.copy()
    for item in sorted(followed, key=lambda one: one.bad):
        if item.bad:
            cells[item.members, item.first :] = False
        else:
            cells[item.members, item.first : item.standing.bad_until] = True
    return cells


def recoveries(view: View, followed: list[Followed]) -> list[Recovery]:
    """Of the incidents that are over."""
    return [_recovery(view, item) for item in followed if not item.bad and item.standing.cleared]


def over_stretch(view: View, item: Followed) -> Recovery:
    """The sums of the stretch that was bad, as they are by now."""
    sums = item.track.sums(item.first, item.first + bad_stretch(view, item).stop)
    return Recovery(item.incident.id, item.incident.until, *sums, late=item.late)


def _recovery(view: View, item: Followed) -> Recovery:
    incident = item.incident
    if item.late:
        return over_stretch(view, item)
    stop = max(item.standing.bad_until, item.first)
    observed, expected = item.track.sums(item.first, stop)
    if stop == item.first:
        observed, expected = incident.observed, incident.expected
    until = max(view.end_of(stop - 1), to_epoch(incident.since)) if stop > 0 else to_epoch(incident.until)
    return Recovery(incident.id, to_datetime(until), observed, expected)


def ripened(view: View, item: Followed) -> Bools:
    """bool[T]: buckets of a cause that was late which hold by now what was missing: they are history like any other."""
    assert view.recent.lag is not None
    inside = np.arange(item.buckets) >= item.first
    return np.asarray(inside & ((view.recent.lag > 0) | (not item.bad)))
