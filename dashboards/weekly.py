"""A week as those who answer for the data see it: what is protected, what was told, what nobody looks at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from alerts.incidents import FAMILIES, Family
from alerts.model import Incident
from alerts.silences import Silence
from dashboards.blindspots import BlindSpots
from dashboards.precision import Fired, fired_of
from rules.model import Severity
from rules.slices import Slice

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class BlindSpot:
    """A slice whose total silence is never noticed, and what it usually has in a week."""

    rule: str
    slice: Slice
    events: float


@dataclass(frozen=True)
class Coverage:
    """What of a rule's events is protected: lies in slices whose total silence is noticed."""

    share: float
    """Of the events, 0 to 1; see `BlindSpots.protected`."""
    events: float
    """Usual events a week."""
    slices: int
    protected: int
    worst: tuple[BlindSpot, ...]
    """The heaviest slices that are not."""


@dataclass(frozen=True)
class RuleWeek:
    """One rule: why it was not checked at the end ("" where it was), and what it covers (None: nothing learned yet)."""

    name: str
    owner: str | None
    unchecked: str = ""
    coverage: Coverage | None = None


@dataclass(frozen=True)
class Week:
    """What happened in [start, end), and how it stands at the end. Times are UTC."""

    start: datetime
    end: datetime
    timezone: str
    rules: tuple[RuleWeek, ...] = ()
    incidents: tuple[Incident, ...] = ()
    """Those that fired in it, of rules that are no more too."""
    resolved: tuple[Incident, ...] = ()
    """Those that ended in it, whenever they fired."""
    open: tuple[Incident, ...] = ()
    """Fired and not over at the end."""
    before: int = 0
    """How many fired in the stretch of the same length before it."""
    silences: tuple[Silence, ...] = ()
    """That hold at the end."""
    problems: int = 0
    """Mistakes in rule files: rules that do not run."""

    @property
    def unchecked(self) -> tuple[RuleWeek, ...]:
        return tuple(rule for rule in self.rules if rule.unchecked)

    @property
    def fired(self) -> Fired:
        return fired_of(self.incidents)

    @property
    def by_severity(self) -> tuple[tuple[Severity, int], ...]:
        """The loudest first; none that did not occur."""
        counts = [(s, sum(i.severity is s for i in self.incidents)) for s in Severity]
        return tuple(sorted(((s, n) for s, n in counts if n), key=lambda pair: -pair[0].loudness))

    @property
    def share(self) -> float | None:
        """Protected share of the events of all rules that have learned something; None where none has."""
        known = [rule.coverage for rule in self.rules if rule.coverage is not None]
        events = sum(coverage.events for coverage in known)
        return sum(coverage.share * coverage.events for coverage in known) / events if events > 0 else None

    @property
    def slices(self) -> tuple[int, int]:
        """(slices watched whose silence is noticed, all slices seen), of all rules."""
        known = [rule.coverage for rule in self.rules if rule.coverage is not None]
        return sum(coverage.protected for coverage in known), sum(coverage.slices for coverage in known)

    @property
    def worst(self) -> tuple[BlindSpot, ...]:
        """Slices that are not protected, of all rules, the heaviest first."""
        found = [spot for rule in self.rules if rule.coverage is not None for spot in rule.coverage.worst]
        return tuple(sorted(found, key=lambda spot: -spot.events))

    @property
    def detected_after(self) -> timedelta | None:
        """From the start of a loss to its firing, for the middle one."""
        return _middle(i.raised_at - i.since for i in _of_slices(self.incidents) if i.raised_at is not None)

    @property
    def resolved_after(self) -> timedelta | None:
        """From its firing until it was back to normal, for the middle one; what was called no problem does not count."""
        ended = (i for i in _of_slices(self.resolved) if i.feedback is None and i.accepted_at is None)
        return _middle(
            i.resolved_at - i.raised_at for i in ended if i.resolved_at is not None and i.raised_at is not None
        )

    def by_rule(self) -> tuple[tuple[str, Fired], ...]:
        """Rules that fired, the noisiest first."""
        names = dict.fromkeys(i.rule for i in self.incidents)
        found = [(name, fired_of(i for i in self.incidents if i.rule == name)) for name in names]
        return tuple(sorted((pair for pair in found if pair[1].told), key=lambda pair: (-pair[1].told, pair[0])))


def coverage_of(found: BlindSpots, bucket: timedelta, most: int) -> Coverage:
    """The cover of a rule from its blind spots; of its slices that are not protected the `most` heaviest are named."""
    per_week = WEEK / bucket
    spots = [BlindSpot(found.rule, spot.slice, spot.usual * per_week) for spot in found.unprotected[:most]]
    return Coverage(
        share=found.protected or 0.0,
        events=max((spot.usual for spot in found.spots), default=0.0) * per_week,
        slices=len(found.spots),
        protected=len(found.spots) - len(found.unprotected),
        worst=tuple(spots),
    )


def _of_slices(incidents: Iterable[Incident]) -> Iterator[Incident]:
    return (i for i in incidents if FAMILIES[i.kind] in {Family.LOSS, Family.SPIKE})


def _middle(times: Iterable[timedelta]) -> timedelta | None:
    found = sorted(times)
    return timedelta(seconds=median(time.total_seconds() for time in found)) if found else None
