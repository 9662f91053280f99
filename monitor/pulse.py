"""Signs of life of a daemon's threads: each beats when it has done its work, and who is silent too long has stopped."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

TIMES = 3
"""How many of its rounds a thread may miss."""


@dataclass(frozen=True)
class Silent:
    """A thread that did not do its work for too long, and since when."""

    name: str
    since: datetime


@dataclass
class Pulse:
    """When each thread last did its work, as the daemon's clock has it. Any thread may ask."""

    _every: dict[str, timedelta] = field(default_factory=dict)
    _last: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, name: str, every: float, now: datetime) -> None:
        """From now on a thread is to do its work every so many seconds."""
        with self._lock:
            self._every[name] = timedelta(seconds=every)
            self._last[name] = now

    def beat(self, name: str, now: datetime) -> None:
        """It has."""
        with self._lock:
            self._last[name] = now

    def silent(self, now: datetime, slack: timedelta) -> tuple[Silent, ...]:
        """Who has missed some rounds, and `slack` more, by name.

        Where the clock was put back, silence counts from then.
        """
        with self._lock:
            self._last = {name: min(at, now) for name, at in self._last.items()}
            late = {name: at for name, at in self._last.items() if now - at > TIMES * self._every[name] + slack}
        return tuple(Silent(name, at) for name, at in sorted(late.items()))

    def last(self) -> dict[str, datetime]:
        """When each last did its work."""
        with self._lock:
            return dict(self._last)
