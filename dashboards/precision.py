"""How much of what fired was a problem, by what people said of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from alerts.incidents import FAMILIES, Family
from alerts.model import Feedback, Incident
from alerts.wording import counted

LOOKBACK = timedelta(days=90)
"""How far back a rule's own precision looks."""


@dataclass(frozen=True)
class Fired:
    """Incidents of slices that fired, and those of them that were no problem, by what people said."""

    told: int = 0
    false: int = 0

    @property
    def precision(self) -> float | None:
        """Share that was a problem, as far as anybody said otherwise; None where nothing fired."""
        return (self.told - self.false) / self.told if self.told else None


def fired_text(fired: Fired) -> str:
    """`7 incidents, 1 of them no problem: precision 86 %`. Where nobody said anything, no number is praise."""
    told = counted(fired.told, "incident")
    if not fired.false or fired.precision is None:
        return told
    return f"{told}, {fired.false} of them no problem: precision {100 * fired.precision:.0f} %"


def is_false(incident: Incident) -> bool:
    """Whether somebody called it no problem: an exception. A new normal is a change that was rightly told."""
    return incident.feedback is Feedback.LEAVE_OUT


def fired_of(incidents: Iterable[Incident]) -> Fired:
    """Of those that fired: a source that was silent and a value that is new are no judgement of the rule's."""
    found = [i for i in incidents if i.raised_at is not None and FAMILIES[i.kind] in {Family.LOSS, Family.SPIKE}]
    return Fired(len(found), sum(map(is_false, found)))
