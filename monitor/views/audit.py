"""The log of what people did."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.views.audit import AuditPage, AuditRow
from monitor import store

A_PAGE = 100


@dataclass(frozen=True)
class AuditsOfStore:
    """`dashboards.views.audit.Audits` of a store."""

    state: store.Store

    def audit(self, who: str | None, page: int) -> AuditPage:
        """What somebody did, or everybody."""
        with self.state.read() as tx:
            found = store.newest_actions(tx, who=who, limit=A_PAGE + 1, offset=page * A_PAGE)
        rows = tuple(
            AuditRow(item.at, item.action, item.subject, item.by.kind, item.by.name, item.by.id, item.detail)
            for item in found[:A_PAGE]
        )
        return AuditPage(rows, page, more=len(found) > A_PAGE)
