"""Beginning before the store is there: a container may start before its database does."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.scheduler import log
from monitor.store import StoreAwayError

SECONDS = 2.0
"""Between two attempts."""
SAID_SECONDS = 60.0
"""Between two lines in the log of a store that is still not there."""


@dataclass
class Patience:
    """Waits for the store, until it is there or a person asks to stop."""

    stopped: threading.Event = field(default_factory=threading.Event)
    _said: float | None = None

    @property
    def ends(self) -> dict[signal.Signals, Callable[[], None]]:
        """What ends it, for `monitor.signals.handled`."""
        return dict.fromkeys((signal.SIGTERM, signal.SIGINT), self.stopped.set)

    def __call__(self, error: StoreAwayError) -> None:
        """Wait a little; raises SystemExit where it was told to stop."""
        now = time.monotonic()
        if self._said is None or now - self._said >= SAID_SECONDS:
            log.warning("waiting for the store: %s", error)
            self._said = now
        if self.stopped.wait(SECONDS):
            log.info("stopped")
            raise SystemExit(0)
