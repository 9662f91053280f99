"""What time it is for a daemon: the store's time where daemons share one, so that none acts by a clock that is off.

Between two looks at the store's clock the time is what it said, and what has passed since by a clock that only ever
goes on: a step of the machine's own clock changes nothing. A daemon that has its store to itself goes by the machine's
clock, and notices steps in the same way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

log = logging.getLogger("slicewatch")

OFF = timedelta(seconds=5)
"""A clock that is further off than this is worth a person's look: what it writes into logs cannot be compared."""
STEP = timedelta(seconds=2)
"""No clock is off by so much from one look to the next, unless somebody has set it."""
LOOK_SECONDS = 10.0
LOOKS = 3
"""Times the store is asked while its answer takes long: an answer is as exact as it is quick."""
QUICK_SECONDS = 0.05


def wall() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds that pass also while the machine sleeps, and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Timed(Protocol):
    """What may have a clock of its own: a `monitor.store.Store`."""

    def clock(self) -> datetime | None:
        """What time it is there; None where it goes by the machine's."""
        ...


@dataclass(frozen=True)
class Look:
    """It was `at` when `steady` was so."""

    at: datetime
    steady: float

    def after(self, steady: float) -> datetime:
        """What time it is once `steady` is so."""
        return self.at + timedelta(seconds=steady - self.steady)


@dataclass
class Clock:
    """The time by the store, or by the machine where the store has no clock of its own. One thread looks, any asks."""

    state: Timed
    wall: Callable[[], datetime] = wall
    steady: Callable[[], float] = steady
    _store: Look | None = None
    _wall: Look | None = None
    _warned: timedelta = timedelta(0)

    def now(self) -> datetime:
        """What time it is."""
        known = self._store
        return self.wall() if known is None else known.after(self.steady())

    @property
    def ahead(self) -> timedelta:
        """How far the machine's clock is ahead of the time."""
        known = self._store
        return timedelta(0) if known is None else self.wall() - known.after(self.steady())

    def look(self) -> timedelta:
        """Compare the clocks; by how far the machine's was set since the last look, or the store's: 0 where none was.

        Raises `StoreError`; the time goes on meanwhile as it did.
        """
        machine = self._step(self._wall, self._wall_now())
        found = self._ask()
        moved = timedelta(0) if found is None else self._step(self._store, found)
        self._store, self._wall = found, self._wall_now()
        if found is None and machine:
            log.warning("the machine's clock was set by %+.0f s: it is %s", machine.total_seconds(), self.now())
        if moved:
            log.warning("the store's clock was set by %+.0f s: it is %s", moved.total_seconds(), self.now())
        self._warn()
        return moved or machine

    def _wall_now(self) -> Look:
        return Look(self.wall(), self.steady())

    @staticmethod
    def _step(before: Look | None, found: Look) -> timedelta:
        by = timedelta(0) if before is None else found.at - before.after(found.steady)
        return by if abs(by) > STEP else timedelta(0)

    def _ask(self) -> Look | None:
        """What the store says: of several answers the quickest, as of the middle of its way there and back."""
        best: tuple[float, Look] | None = None
        for _ in range(LOOKS):
            begun = self.steady()
            at = self.state.clock()
            if at is None:
                return None
            took = self.steady() - begun
            if best is None or took < best[0]:
                best = took, Look(at, begun + took / 2)
            if took < QUICK_SECONDS:
                break
        assert best is not None
        return best[1]

    def _warn(self) -> None:
        """Once for each change of a person's picture: it is off, it is off by much more or less, it is right."""
        ahead = self.ahead
        if abs(ahead - self._warned) <= OFF:
            return
        self._warned = ahead
        if abs(ahead) > OFF:
            text = "this machine's clock is %s s %s the store's, by which all daemons go: set it (is NTP running?)"
            log.warning(text, round(abs(ahead).total_seconds()), "ahead of" if ahead > timedelta(0) else "behind")
        else:
            log.info("this machine's clock agrees with the store's")
