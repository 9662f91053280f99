"""Findings, assessments and evidence for tests of alerts, with the fields a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.incidents import StepPolicy, step
from alerts.model import (
    Assessment,
    Evidence,
    Finding,
    Incident,
    Kind,
    Recovery,
    SliceFact,
    State,
    TotalState,
    Transition,
)
from rules.slices import Slice

START = datetime(2026, 11, 23, 14, tzinfo=UTC)
RULE = "playback_volume"


def tick(hours: float) -> datetime:
    """An evaluation time, hours after the first bad bucket starts."""
    return START + timedelta(hours=hours)


def cause(**terms: str | None) -> Slice:
    """`cause(device="ios")`; no terms make the total."""
    return Slice.of(terms)


def fact(observed: float, expected: float, **terms: str | None) -> SliceFact:
    """One slice's numbers."""
    return SliceFact(cause(**terms), observed, expected)


def finding(at: Slice | None = None, **fields: Any) -> Finding:
    """A loss of all of 812k events of device=ios since 14:00, unless told otherwise."""
    base: dict[str, Any] = {
        "rule": RULE,
        "metric": "count",
        "kind": Kind.DROP,
        "slice": cause(device="ios") if at is None else at,
        "since": START,
        "until": tick(1),
        "observed": 0.0,
        "expected": 812_000.0,
        "p": 1e-9,
    }
    return Finding(**(base | fields))


def blind(hours: float, **fields: Any) -> Finding:
    """The source could not be asked at the tick that many hours in."""
    base: dict[str, Any] = {
        "kind": Kind.BLIND,
        "observed": 0.0,
        "expected": 0.0,
        "p": 0.0,
        "since": tick(hours - 1),
        "until": tick(hours),
        "detail": "connection refused",
    }
    return finding(Slice(), **(base | fields))


def assess(hours: float, *findings: Finding, good: Sequence[str] = (), unseen: Finding | None = None) -> Assessment:
    """The assessment of one tick; `good` are ids of incidents found recovered."""
    back = tuple(Recovery(id_, tick(hours - 1), 5_000.0, 900_000.0) for id_ in good)
    return Assessment(RULE, tick(hours), findings, back, unseen)


def evidence(**fields: Any) -> Evidence:
    """A stable total that hides the loss because android and web grew."""
    base: dict[str, Any] = {
        "total": fact(4_010_000, 4_000_000),
        "total_state": TotalState.STABLE,
        "low": 790_000.0,
        "high": 834_000.0,
        "grew": (fact(2_020_000, 1_600_000, device="android"), fact(1_310_000, 950_000, device="web")),
        "fine": (fact(640_000, 638_000, device="tv"),),
        "last_seen": tick(-1),
    }
    return Evidence(**(base | fields))


class History:
    """The open incidents of a rule, moved on tick by tick as a store would."""

    def __init__(self, policy: StepPolicy | None = None) -> None:
        self.policy = policy or StepPolicy()
        self.incidents: dict[str, Incident] = {}
        self.transitions: list[Transition] = []

    @property
    def open(self) -> tuple[Incident, ...]:
        """Incidents that are not resolved."""
        return tuple(i for i in self.incidents.values() if i.state is not State.RESOLVED)

    @property
    def only(self) -> Incident:
        """The one incident there is, open or not."""
        (incident,) = self.incidents.values()
        return incident

    def see(self, assessment: Assessment) -> tuple[Transition, ...]:
        """Apply one assessment; the transitions it made."""
        made = step(self.open, assessment, self.policy)
        for transition in made:
            self.incidents[transition.incident.id] = transition.incident
        self.transitions += made
        return made
