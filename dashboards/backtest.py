"""A backtest as plain data: what a rule would have told over a stretch of history, and how well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from alerts.incidents import FAMILIES
from alerts.model import Incident, Kind
from rules.model import Interval, KnownIncident, Rule
from rules.slices import Slice

WEEK = timedelta(days=7)
NOISIEST = 10
"""Slices listed."""


@dataclass(frozen=True)
class Work:
    """What was evaluated: ticks, those of them that learned nothing (source blind or late), slices by buckets, CPU."""

    evaluations: int
    unknown: int
    slices: int
    buckets: int
    cpu_seconds: float

    @property
    def speed(self) -> float:
        """Slices x buckets a CPU second."""
        return self.slices * self.buckets / max(self.cpu_seconds, 1e-9)


@dataclass(frozen=True)
class Noise:
    """False incidents the budget allows in the stretch, and those that fired: in all, and of them unlabelled."""

    budget_per_week: float
    nominal: float
    fired: int
    unlabelled: int


@dataclass(frozen=True)
class Noisy:
    """A cause and how often it was told; `buckets` is how long its incidents were bad, all told."""

    slice: Slice
    incidents: int
    buckets: int
    missing: float
    """Expected minus observed events, in all."""


@dataclass(frozen=True)
class Delay:
    """From the start of the first bad bucket to the evaluation that told it."""

    median: timedelta
    longest: timedelta


@dataclass(frozen=True)
class Label:
    """A labelled incident of the past, and the incident that told it: None where it was missed."""

    known: KnownIncident
    found: Incident | None

    @property
    def delay(self) -> timedelta | None:
        """From its beginning to when it was told."""
        if self.found is None or self.found.raised_at is None:
            return None
        return self.found.raised_at - self.known.during.start


@dataclass(frozen=True)
class Later:
    """An incident that both rules tell; `by` is how much later the rule of now does, negative where sooner."""

    incident: Incident
    by: timedelta


@dataclass(frozen=True)
class Difference:
    """What a rule tells beside what it told at a revision."""

    revision: str
    added: tuple[Incident, ...]
    removed: tuple[Incident, ...]
    kept: tuple[Later, ...]
    note: str = ""
    """Where the rule is new, unchanged, or gone."""


@dataclass(frozen=True)
class Report:
    """All that a backtest of one rule says."""

    rule: str
    place: str
    stretch: Interval
    bucket: timedelta
    work: Work
    incidents: tuple[Incident, ...]
    """Those that fired, by the time they were raised."""
    noise: Noise
    noisiest: tuple[Noisy, ...]
    delay: Delay | None
    labels: tuple[Label, ...]
    """Known incidents within the stretch."""
    difference: Difference | None = None

    @property
    def recall(self) -> float | None:
        """Share of the known incidents that were told; None where none is known."""
        return sum(label.found is not None for label in self.labels) / len(self.labels) if self.labels else None

    @property
    def precision(self) -> float | None:
        """Share of what was told that is known; None where nothing was told or nothing is known."""
        if not self.labels or not self.incidents:
            return None
        return 1.0 - self.noise.unlabelled / len(self.incidents)


def report_of(rule: Rule, stretch: Interval, work: Work, incidents: Sequence[Incident]) -> Report:
    """The report of a rule that raised these incidents (all of them fired) over a stretch."""
    inside = [known for known in rule.known if overlap(known.during, stretch)]
    labels = tuple(Label(known, next((i for i in incidents if tells(i, known)), None)) for known in inside)
    unlabelled = sum(not any(tells(i, known) for known in inside) for i in incidents)
    weeks = (stretch.end - stretch.start) / WEEK
    budget = rule.false_incidents_per_week
    return Report(
        rule=rule.name,
        place=str(rule.place),
        stretch=stretch,
        bucket=rule.time_bucket,
        work=work,
        incidents=tuple(incidents),
        noise=Noise(budget, budget * weeks, len(incidents), unlabelled),
        noisiest=noisiest(incidents, rule.time_bucket),
        delay=delay_of(incidents),
        labels=labels,
    )


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two stretches share any time."""
    return one.start < other.end and other.start < one.end


def tells(incident: Incident, known: KnownIncident) -> bool:
    """Whether an incident is about a known one: at its time, of its kind where it has one, and of its slice.

    A wider or narrower cause is about it as well: that much was told.
    """
    if not overlap(_bad(incident), known.during):
        return False
    if known.kind is not None and FAMILIES[incident.kind] is not FAMILIES[Kind(known.kind)]:
        return False
    return any(related(name, known.slice) for name in names_of(incident))


def names_of(incident: Incident) -> tuple[Slice, ...]:
    """The cause, other names of its cells, and causes it had before."""
    return (incident.cause, *incident.also, *(earlier.slice for earlier in incident.causes))


def related(one: Slice, other: Slice) -> bool:
    """Whether one slice covers the other."""
    return one.covers(other) or other.covers(one)


def _bad(incident: Incident) -> Interval:
    return Interval(incident.since, max(incident.until, incident.since))


def noisiest(incidents: Iterable[Incident], bucket: timedelta) -> tuple[Noisy, ...]:
    """Causes by how often they were told, then by how long they were bad."""
    found = list(incidents)
    times = Counter(i.cause for i in found)
    rows = []
    for cause, count in times.items():
        own = [i for i in found if i.cause == cause]
        buckets = sum(round((i.until - i.since) / bucket) for i in own)
        rows.append(Noisy(cause, count, buckets, sum(i.expected - i.observed for i in own)))
    rows.sort(key=lambda row: (-row.incidents, -row.buckets, row.slice.label()))
    return tuple(rows[:NOISIEST])


def delay_of(incidents: Iterable[Incident]) -> Delay | None:
    """How long it took to tell; None where nothing was told."""
    found = [(i.raised_at - i.since).total_seconds() for i in incidents if i.raised_at is not None]
    return Delay(timedelta(seconds=median(found)), timedelta(seconds=max(found))) if found else None


def compare(revision: str, now: Sequence[Incident], then: Sequence[Incident], note: str = "") -> Difference:
    """What the rule of now adds to and removes from what it told at a revision. Each incident is matched once."""
    left = list(then)
    added, kept = [], []
    for incident in now:
        match = next((old for old in left if _same(incident, old)), None)
        if match is None:
            added.append(incident)
            continue
        left.remove(match)
        assert incident.raised_at is not None
        assert match.raised_at is not None
        kept.append(Later(incident, incident.raised_at - match.raised_at))
    return Difference(revision, tuple(added), tuple(left), tuple(kept), note)


def _same(one: Incident, other: Incident) -> bool:
    """Whether two incidents of two rules are about the same: metric, family of kinds, cause, and time."""
    alike = one.metric == other.metric and FAMILIES[one.kind] is FAMILIES[other.kind]
    named = any(related(a, b) for a in names_of(one) for b in names_of(other))
    return alike and named and overlap(_bad(one), _bad(other))
