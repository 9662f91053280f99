"""What is known of one tick: what the store knew before it, what judging came to, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.incidents import FAMILIES, Family
from alerts.marks import Mark
from alerts.model import Absence, Decision, Incident, Kind, Message, State, Transition
from alerts.plan import Around
from alerts.reminders import Telling
from monitor import store
from monitor.accepted import Accepted, accepted_of
from monitor.buckets import DAY, to_epoch
from monitor.counts import Terms
from monitor.detectors.model import LeafSeries
from monitor.history import Rename
from monitor.ripeness import LAG_SECONDS

MAY_BE_LATE = timedelta(seconds=LAG_SECONDS[-1] + DAY)
"""After its last bad bucket nothing of a loss ripens any more."""
UNKNOWN = {Kind.BLIND: store.BLIND, Kind.LATE: store.LATE}
"""Kinds of trouble with the source, and how the run is recorded."""


@dataclass(frozen=True)
class Reach:
    """How many slices the newest bucket of a tick was judged by, by the rule's first metric, and why others were not."""

    judged: int
    unlearned: int
    """Too young to be judged, or silent for the whole lookback."""
    ignored: int
    """The rule says so."""
    folded: int
    """Combinations that a full cube does not keep apart."""


@dataclass(frozen=True)
class Outcome:
    """What a tick came to; nothing of it was sent yet."""

    rule: str
    tick: datetime
    judged: tuple[datetime, ...] = ()
    """Starts of the buckets judged."""
    transitions: tuple[Transition, ...] = ()
    decisions: tuple[Decision, ...] = ()
    messages: tuple[tuple[str, Message], ...] = ()
    """(receiver, message) pairs."""
    blind: str = ""
    """The source's error where it could not be asked."""
    late: str = ""
    """Since when nothing arrived, where the source is behind."""
    repeated: bool = False
    """The tick had been evaluated before."""
    notices: tuple[str, ...] = ()
    """What a person should know once and nobody is woken for: lines of text."""
    reach: Reach | None = None
    """None where no bucket was judged."""


@dataclass(frozen=True)
class ToldRename:
    """A rename, and when it was told (epoch seconds): from then on the new name has the old one's history."""

    rename: Rename
    told: int


@dataclass(frozen=True)
class Remembered:
    """What the store knew when a tick began."""

    tick: int
    now: datetime
    """When it is told: later than the tick where an evaluation is made late."""
    done: bool
    to_judge: tuple[int, ...]
    to_read: Mapping[int, int]
    """Bucket to lag class."""
    terms: tuple[Terms, ...]
    open: tuple[Incident, ...]
    closed: tuple[Incident, ...]
    """Resolved ones whose buckets are still ripening."""
    renames: tuple[ToldRename, ...]
    accepted: tuple[Accepted, ...]
    told: Mapping[str, tuple[str, ...]]
    told_at: Mapping[str, Telling]
    around: Around
    membership: store.Membership
    marks: tuple[Mark, ...]
    dropped: int
    """How many leaves were ever dropped: once it is another number, `terms` have other places in the store."""
    read_at: int
    """As of when the source is read (epoch seconds): later than the tick where that is caught up with."""
    absence: Absence | None = None
    """The stretch in which nothing was judged, where some of the buckets should have been judged in it."""
    missed_until: int = 0
    """Buckets due by then (epoch seconds) should have been."""
    behind: str = ""
    """Why it is too early to tell what is found; "" where the tick is the newest one."""


@dataclass(frozen=True)
class Judged:
    """What judging came to so far within a tick."""

    open: tuple[Incident, ...]
    transitions: tuple[Transition, ...] = ()
    flags: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    fits: Mapping[int, bytes] = field(default_factory=dict)
    reach: Reach | None = None

    def after(
        self, made: Sequence[Transition], flags: Mapping[int, NDArray[np.bool_]], fits: Mapping[int, bytes]
    ) -> Judged:
        """With one more bucket's transitions, flags and fits."""
        latest = {incident.id: incident for incident in self.open}
        latest |= {transition.incident.id: transition.incident for transition in made}
        still = tuple(i for i in latest.values() if i.state is not State.RESOLVED)
        return Judged(still, (*self.transitions, *made), {**self.flags, **flags}, {**self.fits, **fits}, self.reach)

    @property
    def closed(self) -> Mapping[str, Incident]:
        """Resolved incidents that this tick's transitions changed, as they are now."""
        return {t.incident.id: t.incident for t in self.transitions if t.incident.state is State.RESOLVED}

    def flagged_over(self, series: LeafSeries) -> NDArray[np.bool_]:
        """The series' flags with those of buckets judged within this tick laid over."""
        if not self.flags:
            return series.flagged
        flagged = series.flagged.copy()
        for bucket, inside in self.flags.items():
            flagged[:, series.starts == bucket] = inside[:, None]
        return flagged


def is_told_rename(incident: Incident, tick: datetime) -> bool:
    told = incident.kind is Kind.RENAMED and incident.to is not None and incident.raised_at is not None
    return told and incident.resolved_at is not None and incident.resolved_at <= tick


def told_renames(transitions: Sequence[Transition]) -> list[ToldRename]:
    """Renames that were told and closed within a tick that judges several buckets."""
    return [rename_of(t.incident) for t in transitions if is_told_rename(t.incident, t.at)]


def may_be_late(incident: Incident, tick: datetime) -> bool:
    """Whether a resolved loss may still turn out to have been late, or less than it seemed: its buckets ripen."""
    if incident.resolved_at is None or incident.raised_at is None:
        return False
    loss = FAMILIES[incident.kind] is Family.LOSS and incident.resolved_at <= tick
    return loss and tick - incident.until <= MAY_BE_LATE


def blind_until(tick: datetime, transition: Transition) -> Transition:
    """The source answers at the tick, whatever bucket is judged first then."""
    incident = transition.incident
    if incident.kind not in UNKNOWN or incident.state is not State.RESOLVED:
        return transition
    return replace(transition, incident=replace(incident, resolved_at=tick, tick=tick), at=tick)


def rename_of(incident: Incident) -> ToldRename:
    assert incident.to is not None
    assert incident.resolved_at is not None
    return ToldRename(Rename(incident.cause, incident.to, to_epoch(incident.since)), to_epoch(incident.resolved_at))


def with_news(before: Remembered, made: Sequence[Transition]) -> Remembered:
    """With the renames and accepted changes that were told within the tick so far."""
    return replace(
        before,
        renames=(*before.renames, *told_renames(made)),
        accepted=(*before.accepted, *accepted_of((t.incident for t in made), before.tick)),
    )
