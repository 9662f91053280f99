"""A value never seen before, told once: an incident that is over as soon as it was told. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from alerts.incidents import incident_id
from alerts.model import Absence, Change, Finding, Incident, State, Transition
from rules.model import Severity

LEARNS = "told once; it is learned from here on"


def told_once(
    findings: Iterable[Finding], severity: Severity, tick: datetime, absence: Absence | None = None
) -> tuple[Transition, ...]:
    """One opening of each finding of a new value; nothing of it stays open.

    `absence` is set where the tick lies in a stretch in which nothing was judged.
    """
    made = (_incident(finding, severity, tick, absence) for finding in findings)
    return tuple(Transition(incident, Change.OPENED, tick, "never seen before") for incident in made)


def _incident(finding: Finding, severity: Severity, tick: datetime, absence: Absence | None) -> Incident:
    return Incident(
        id=incident_id(finding.rule, finding.metric, finding.kind, finding.slice, tick),
        rule=finding.rule,
        metric=finding.metric,
        kind=finding.kind,
        cause=finding.slice,
        state=State.RESOLVED,
        severity=severity,
        since=finding.since,
        until=finding.until,
        first_seen_at=tick,
        tick=tick,
        observed=finding.observed,
        expected=finding.expected,
        p=finding.p,
        raised_at=tick,
        resolved_at=tick,
        seq=1,
        resolution=LEARNS,
        absence=absence,
    )
