"""Which incident of another rule holds back one of this rule. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.incidents import covers
from alerts.model import Incident


def inhibitor(incident: Incident, others: Iterable[Incident]) -> Incident | None:
    """The first of other rules' open incidents whose cause covers this one's cells, under any of their names; or None.

    A cause that names a dimension which this rule does not have covers none of its slices; a total covers them all.
    """
    return next((other for other in others if covers(other, incident)), None)
