"""What nobody is told of, and what is said to have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboards.views.common import MarkLine, SilenceLine, Table


@dataclass(frozen=True)
class SilencesPage:
    """Silences, the first to end first, and marks, newest first."""

    now: datetime
    silences: tuple[SilenceLine, ...]
    marks: tuple[MarkLine, ...]
    over: bool
    """Whether silences that are over are among them."""


def table(page: SilencesPage) -> Table:
    """One row a silence."""
    columns = ("id", "rules", "slice", "owner", "labels", "starts", "ends", "by", "reason")
    rows = [
        (s.id, s.rules, s.slice, s.owner, [f"{k}={v}" for k, v in s.labels.items()], s.starts, s.ends, s.by, s.reason)
        for s in page.silences
    ]
    return Table(columns, rows)
