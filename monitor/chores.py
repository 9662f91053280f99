"""What a daemon does again and again beside evaluating: each chore in a thread of its own, so that none stops another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from monitor import store
from monitor.logs import sparingly

log = logging.getLogger("slicewatch")


@dataclass(frozen=True)
class Chore:
    """`work(now)` is done every `every` seconds and says whether there is something to deliver."""

    name: str
    """As its thread is called."""
    every: float
    work: Callable[[datetime], object]
    put_off: str
    """What a person reads where the store fails, and it is done at the next time: "the digest of the week waits"."""
    level: int = logging.ERROR
    """How grave that is."""
    at_once: bool = True
    """Whether the first time is now, and not after the first `every` seconds."""


@dataclass(frozen=True)
class Round:
    """One chore, again and again until stopped; whatever fails is in the log and is tried at the next time."""

    chore: Chore
    now: Callable[[], datetime]
    stopped: threading.Event
    tell: Callable[[], None]
    """Called where there is something to deliver."""
    turn_begins: Callable[[], None] = lambda: None
    """Called before each time, so that others see that it goes round."""

    def start(self) -> threading.Thread:
        """Begin, in a thread that ends soon after `stopped`."""
        thread = threading.Thread(target=self.run, name=self.chore.name)
        thread.start()
        return thread

    def run(self) -> None:
        """Until stopped."""
        if self.chore.at_once and not self.stopped.is_set():
            self.once()
        while not self.stopped.wait(self.chore.every):
            self.once()

    def once(self) -> None:
        """Do it now."""
        self.turn_begins()
        try:
            if self.chore.work(self.now()):
                self.tell()
        except store.StoreError as error:
            said = sparingly(self.chore.name)
            log.log(self.chore.level, "%s, the store failed: %s", self.chore.put_off, error, extra=said)
        except Exception:
            log.exception("%s, it failed", self.chore.put_off)
