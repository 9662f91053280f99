"""What a daemon does again and again beside evaluating: each chore in a thread of its own, so that none stops another.

Where several daemons share a store, one that need be done by one of them says `alone=True`:
`Chore("digest", 60.0, week, "the digest of the week waits", alone=True)`. A daemon that finds another one at it leaves
it, and looks again after `every` seconds. That saves work and is no promise: a chore is right when two do it at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
    alone: bool = False
    """Whether one daemon at a time is enough."""


def always(name: str) -> AbstractContextManager[bool]:  # noqa: ARG001  # in place of `store.Store.alone`
    """For a daemon that shares its store with no other."""
    return nullcontext(True)


@dataclass(frozen=True)
class Round:
    """One chore, again and again until stopped; whatever fails is in the log and is tried at the next time."""

    chore: Chore
    now: Callable[[], datetime]
    stopped: threading.Event
    tell: Callable[[], None]
    """Called where there is something to deliver."""
    turn: Callable[[str], AbstractContextManager[bool]] = always
    """Holds the turn of a chore by its name, and says whether this daemon has it: `store.Store.alone`."""
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
            if self._work():
                self.tell()
        except store.StoreError as error:
            said = sparingly(self.chore.name)
            log.log(self.chore.level, "%s, the store failed: %s", self.chore.put_off, error, extra=said)
        except Exception:
            log.exception("%s, it failed", self.chore.put_off)

    def _work(self) -> object:
        if not self.chore.alone:
            return self.chore.work(self.now())
        with self.turn(self.chore.name) as ours:
            return self.chore.work(self.now()) if ours else None
