"""Beginning before the store is there: a container may start before its database does."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Self

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

    @classmethod
    def till_told(cls) -> Self:
        """One that SIGTERM and SIGINT end, from now on and until something else takes these."""
        made = cls()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not in the handler: it interrupts the main thread, which may be waiting for the very event.
            signal.signal(number, lambda *_: threading.Thread(target=made.stopped.set, name="stop").start())
        return made

    def __call__(self, error: StoreAwayError) -> None:
        """Wait a little; raises SystemExit where it was told to stop."""
        now = time.monotonic()
        if self._said is None or now - self._said >= SAID_SECONDS:
            log.warning("waiting for the store: %s", error)
            self._said = now
        if self.stopped.wait(SECONDS):
            log.info("stopped")
            raise SystemExit(0)
