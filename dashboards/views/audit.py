"""Who did what, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dashboards.views.common import Table


@dataclass(frozen=True)
class AuditRow:
    """One action of a person or a program."""

    at: datetime
    action: str
    subject: str
    """An incident's id, a silence's, or what else it was done to."""
    where: str
    """Where they did it: `slack`, `cli`, `web`, `api`."""
    who: str
    who_id: str
    detail: str


@dataclass(frozen=True)
class AuditPage:
    """A page of the log, newest first."""

    rows: tuple[AuditRow, ...]
    page: int
    more: bool


class Audits(Protocol):
    """Where the log comes from."""

    def audit(self, who: str | None, page: int) -> AuditPage:
        """What somebody did, by a part of their name or id, or everybody; pages count from 0."""
        ...


def table(page: AuditPage) -> Table:
    """One row an action."""
    columns = ("at", "action", "subject", "where", "who", "who_id", "detail")
    return Table(columns, [(r.at, r.action, r.subject, r.where, r.who, r.who_id, r.detail) for r in page.rows])
