"""Whether an incident is what a person has called no problem, going on. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.incidents import FAMILIES, covers
from alerts.model import Feedback, Incident


def dismissal(incident: Incident, dismissed: Iterable[Incident]) -> Incident | None:
    """The dismissed incident that this one goes on from: its cells, bad without a break since before; or None.

    What comes after it was well again is a new problem, and so is what is wider.
    """
    return next((other for other in dismissed if _goes_on(incident, other)), None)


def _goes_on(incident: Incident, other: Incident) -> bool:
    if other.feedback is not Feedback.LEAVE_OUT or other.id == incident.id:
        return False
    same = incident.metric == other.metric and FAMILIES[incident.kind] is FAMILIES[other.kind]
    return same and incident.since <= other.until and covers(other, incident)
