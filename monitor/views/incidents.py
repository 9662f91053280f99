"""The list of incidents, from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.model import Incident
from dashboards.views.common import IncidentLine
from dashboards.views.incidents import IncidentsPage, Wanted
from monitor import store
from monitor.app import App
from monitor.reserved import OWN

A_PAGE = 100


@dataclass(frozen=True)
class IncidentListsOfStore:
    """`dashboards.views.incidents.IncidentLists` of an app."""

    app: App

    def incidents(self, now: datetime, wanted: Wanted, page: int) -> IncidentsPage:
        """Those wanted, those that began last first. Who owns a rule that is gone nobody knows."""
        known = self.app.rules.rules
        with self.app.state.read() as tx:
            found = store.incident_page(
                tx,
                rules=self._rules(wanted),
                without=OWN,
                states=wanted.states,
                severity=wanted.severity,
                since=wanted.since,
                until=wanted.until,
                offset=page * A_PAGE,
                limit=A_PAGE + 1,
            )
            shown = found[:A_PAGE]
            rows = tuple(lines(tx, shown))
            names = store.incident_rules(tx)
        return IncidentsPage(
            now=now,
            rows=rows,
            page=page,
            more=len(found) > A_PAGE,
            rules=tuple(sorted({*names, *(rule.name for rule in known)})),
            owners=tuple(sorted({rule.owner for rule in known if rule.owner})),
        )

    def _rules(self, wanted: Wanted) -> list[str] | None:
        """Names of the rules that are asked for; None is any."""
        if not wanted.owner:
            return [wanted.rule] if wanted.rule else None
        owned = [rule.name for rule in self.app.rules.rules if rule.owner == wanted.owner]
        return [name for name in owned if wanted.rule in ("", name)]


def lines(tx: store.Tx, items: Sequence[Incident]) -> list[IncidentLine]:
    """Incidents in a line each, with why news of them are held back."""
    told = {rule: store.told_at(tx, rule) for rule in {item.rule for item in items}}
    held = {name: told.held or told.waits for found in told.values() for name, told in found.items()}
    return [IncidentLine.of(item, held.get(item.id, "")) for item in items]
