"""Rules that were not evaluated for a while: what is evaluated then, and as of when. Pure.

Every bucket is judged, in order. Ticks beyond a few are merged: one for each local day judges all buckets that became due
in it, for reading the history once for each of two thousand ticks is what a catch-up of a week would take its time for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.model import Absence
from monitor.buckets import to_datetime, to_epoch
from monitor.ticks import SECOND, due_ticks, latest_tick
from monitor.watched import Watched

LATE = timedelta(minutes=30)
"""A bucket judged so long after it was due was missed; less is the program's own slowness, and told as ever."""
MOST_TICKS = 48
"""Ticks that are evaluated one by one."""


@dataclass(frozen=True)
class CatchingUp:
    """A rule that is evaluated late. Counts are read as of `last`, the tick with which it has caught up."""

    absence: Absence
    last: datetime


def merged(watched: Watched, ticks: Sequence[datetime]) -> list[datetime]:
    """The ticks to be evaluated of those that are due, in order: all, or of many the last one of each local day."""
    if len(ticks) <= MOST_TICKS:
        return list(ticks)
    grid, schedule = watched.grid, watched.schedule
    days = {grid.midnight(schedule.newest(to_epoch(tick))): tick for tick in ticks}
    return sorted({*days.values(), ticks[-1]})


def caught_up_by(
    watched: Watched, newest_run: int | None, ticks: Sequence[datetime], now: datetime
) -> CatchingUp | None:
    """How the due `ticks` of a rule are caught up with; None where nothing of it is late."""
    if newest_run is None or not ticks:
        return None
    absence = absence_of(watched, newest_run, ticks[-1], now)
    return None if absence is None else CatchingUp(absence, ticks[-1])


def absence_of(watched: Watched, judged: int | None, last: datetime, now: datetime) -> Absence | None:
    """The stretch in which nothing was judged, where a bucket should have been long before the tick `last`.

    `judged` is the tick (epoch seconds) by which all buckets were that were due then; None where there was none.
    """
    if judged is None:
        return None
    missed = watched.schedule.newly_due(judged, missed_until(watched, last))
    if not missed or to_epoch(now) - watched.schedule.due(missed[0]) < LATE.total_seconds():
        return None
    return Absence(to_datetime(judged), now)


def missed_until(watched: Watched, last: datetime) -> int:
    """Buckets that were due by then (epoch seconds) should have been judged before the evaluation at `last`."""
    return to_epoch(latest_tick(watched, latest_tick(watched, last) - SECOND))


@dataclass
class Backlogs:
    """What each rule is catching up with: the end of it is fixed when it is noticed, for a slow rule would never tell.

    One rule is looked at by one thread at a time.
    """

    _known: dict[str, CatchingUp] = field(default_factory=dict)

    def due(self, watched: Watched, newest_run: int | None, now: datetime) -> tuple[list[datetime], CatchingUp | None]:
        """The ticks to be evaluated of a rule, in order, and how they are caught up with."""
        name, ticks = watched.rule.name, due_ticks(watched, newest_run, now)
        known = self._known.pop(name, None)
        if known is None or not ticks or ticks[0] > known.last:
            known = caught_up_by(watched, newest_run, ticks, now)
        if known is not None:
            self._known[name] = known
            ticks = [tick for tick in ticks if tick <= known.last]
        return merged(watched, ticks), known
