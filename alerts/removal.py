"""What becomes of the open incidents of a rule that is no more. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from alerts.incidents import gap
from alerts.model import Change, Incident, State, Transition

REMOVED = "its rule was removed: nobody follows it any more, and whether it is over is not known"


def removed(incidents: Iterable[Incident], now: datetime) -> tuple[Transition, ...]:
    """The transition of each open incident that closes because its rule was removed; none before its newest step."""
    return tuple(_closed(i, max(now, i.tick)) for i in incidents if i.state is not State.RESOLVED)


def _closed(incident: Incident, at: datetime) -> Transition:
    closed = replace(incident, seq=incident.seq + 1, tick=at, state=State.RESOLVED, resolved_at=at, resolution=REMOVED)
    return Transition(closed, Change.REMOVED, at, REMOVED, incident.state, gap(incident))
