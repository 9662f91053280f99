"""What happened while nothing was judged: how it is found out afterwards, and told once. Pure.

An incident that was raised then and is still bad is told as any other. Those that are over are told in one message for
each receiver, the digest of that stretch: each by itself would be news of the past, and silence would lose them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.hours import Hours
from alerts.model import Absence, Change, Incident, State, Transition
from alerts.wording import stretch
from rules.model import Severity

PREFIX = "missed-"
"""How the keys of these digests begin."""
QUIET = timedelta(minutes=2)
"""A digest is sent once nothing was added to it for so long: rules are caught up one after the other."""
LONGEST_WAIT = timedelta(minutes=10)
"""What was added to a digest so long ago is told, whatever else may come."""
SAME = timedelta(hours=1)
"""What is found so long after a digest began still belongs to it."""
LAST_STEPS = frozenset({Change.RESOLVED, Change.ACCEPTED})
"""Ends by which an incident counts as one that began and ended; what a wider one took over is told as that one."""


def absent(absence: Absence) -> str:
    """`nothing was judged from 23 Nov 06:00 to 15:10 UTC`."""
    return f"nothing was judged from {stretch(absence.since, absence.until)}"


def is_past(incident: Incident, told: Collection[str] | None) -> bool:
    """Whether it was raised while nothing was judged, and nobody (`told`; None: who knows) has heard of it."""
    return incident.absence is not None and told is not None and not told


def is_last(transition: Transition) -> bool:
    """Whether it is the step with which an incident has begun and ended; a new value is over as soon as it is seen."""
    at_once = transition.change is Change.OPENED and transition.incident.state is State.RESOLVED
    return at_once or transition.change in LAST_STEPS


def digest_key(receiver: str, now: datetime) -> str:
    """The key of a digest that begins now: two processes that catch up side by side find the same, as a rule."""
    name = hashlib.blake2b(receiver.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{PREFIX}{name}-{int(now.timestamp()) // 600 * 600}"


@dataclass(frozen=True)
class Waiting:
    """A digest that has something to tell."""

    key: str
    receiver: str
    first: datetime
    last: datetime
    """When the first and the last of what is still untold was added."""


def is_due(
    waiting: Waiting, incidents: Sequence[Incident], hours: Hours | None, now: datetime, *, caught_up: bool
) -> bool:
    """Whether a digest is sent now: all is in it, and its receiver may be told.

    `caught_up` says that nothing more will come. Outside its `hours` a receiver is told of what was critical only.
    """
    critical = any(incident.severity is Severity.CRITICAL for incident in incidents)
    if hours is not None and not critical and not hours.hold(now):
        return False
    return caught_up or now - waiting.last >= QUIET or now - waiting.first >= LONGEST_WAIT
