"""How loud an incident is: what its rule says, what a change that large makes of it, what it took over. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.model import Evidence, Finding, Incident, Kind
from alerts.wording import percent
from rules.model import Escalation, Severity

RENAME_MATCH = 0.95
"""Share of a renamed slice's loss that its new name must carry to make the incident one degree quieter."""
QUIETER = {
    Severity.CRITICAL: Severity.WARNING,
    Severity.WARNING: Severity.INFO,
    Severity.INFO: Severity.INFO,
}


def first_severity(finding: Finding, severity: Severity) -> Severity:
    """A rename that carries nearly all of the loss is a degree quieter; nothing else is."""
    if finding.kind is not Kind.RENAMED or finding.evidence is None:
        return severity
    return QUIETER[severity] if _carried(finding, finding.evidence) else severity


def _carried(finding: Finding, evidence: Evidence) -> bool:
    lost = finding.expected - finding.observed
    gained = sum(g.observed - g.expected for g in evidence.grew if g.slice == finding.to)
    return lost > 0 and gained >= RENAME_MATCH * lost


def loudest(severities: Iterable[Severity]) -> Severity:
    """The loudest of at least one."""
    return max(severities, key=lambda severity: severity.loudness)


def escalation_of(incident: Incident, escalations: Iterable[Escalation]) -> tuple[Severity, str] | None:
    """The severity that the incident's change asks for, where that is louder than it is, and why; else None.

    What was renamed is there under its new name: no share of it is lost.
    """
    asked = [(item.severity, why) for item in escalations if (why := _reached(incident, item))]
    severity, why = max(asked, key=lambda pair: pair[0].loudness, default=(incident.severity, ""))
    return (severity, why) if severity.loudness > incident.severity.loudness else None


def _reached(incident: Incident, item: Escalation) -> str:
    """What has reached an escalation, in words; "" where nothing has."""
    lost, whole = incident.expected - incident.observed, incident.expected
    if whole <= 0:
        return ""
    if incident.kind in {Kind.DROP, Kind.MOVED} and item.drop is not None and lost >= item.drop * whole:
        return f"{percent(lost, whole)} of what is expected is lost, and the rule says {item.severity} from {percent(item.drop, 1)} on"
    if incident.kind is Kind.SPIKE and item.spike is not None and -lost >= item.spike * whole:
        return f"{percent(-lost, whole)} more than expected, and the rule says {item.severity} from {percent(item.spike, 1)} on"
    return ""
