"""Causes without statistics: the broadest slices that are bad, each with what lies within it."""

from __future__ import annotations

from monitor.detectors.judge import Alarm
from monitor.detectors.view import View
from monitor.localize.causes import Cause


def broadest(view: View, alarms: list[Alarm]) -> list[Cause]:
    """One cause for each alarm, in their order, that lies in none before it; all begin with the newest bucket."""
    newest = view.observed.shape[1] - 1
    causes: list[Cause] = []
    for alarm in alarms:
        members = view.lattice.incidence[[alarm.row]].toarray()[0] > 0
        over = next((i for i, cause in enumerate(causes) if not (members & ~cause.members).any()), None)
        if over is None:
            codes = tuple(int(code) for code in view.lattice.codes[alarm.row])
            causes.append(Cause(codes, members, newest, alarm.surprise, alarm.down, (alarm.row,), plain=True))
        else:
            causes[over] = _with(causes[over], alarm.row)
    return causes


def _with(cause: Cause, row: int) -> Cause:
    return Cause(
        cause.codes, cause.members, cause.first, cause.surprise, cause.down, (*cause.explained, row), cause.plain
    )
