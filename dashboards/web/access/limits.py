"""How often somebody may ask: a token bucket for each (Turner 1986), in memory.

Each process counts for itself: with three replicas somebody may ask three times as often.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from dashboards.web.errors import TooManyError

MOST = 10_000
"""Askers that are remembered; of more, whoever has not asked for longest is forgotten."""


@dataclass
class Limiter:
    """Each asker may ask `burst` times at once, and `rate` times a second in the long run. `ticks` is a clock in seconds."""

    rate: float
    burst: int
    ticks: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def take(self, asker: str) -> None:
        """Count one request. Raises `TooManyError` where it is one too many, which is not counted."""
        now = self.ticks()
        with self._lock:
            left, at = self._left.pop(asker, (float(self.burst), now))
            left = min(float(self.burst), left + (now - at) * self.rate)
            self._left[asker] = max(left - 1.0, left if left < 1.0 else 0.0), now
            if len(self._left) > MOST:
                self._left.popitem(last=False)
        if left < 1.0:
            raise TooManyError((1.0 - left) / self.rate)


@dataclass(frozen=True)
class Limits:
    """Those of a site. The first two are counted by address, the last by person."""

    sign_in: Limiter = field(default_factory=lambda: Limiter(rate=1.0, burst=30))
    refused: Limiter = field(default_factory=lambda: Limiter(rate=0.2, burst=20))
    """Tokens that are none: whoever tries many is made to wait, and does not fill the log."""
    api: Limiter = field(default_factory=lambda: Limiter(rate=20.0, burst=200))
