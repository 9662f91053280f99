"""How a process ends that was asked to: what runs may end within the grace time, and then the process is gone anyhow.

Python ends no thread that hangs, and waits for each before it exits; so whatever does not end by itself is ended with
the process. What it had not finished is finished by the next life: nothing counts as done before its transaction.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from alerts.time_limit import within

log = logging.getLogger("slicewatch")

CUT_OFF = 3
"""Exit code of a process that ended before what it was at."""
CUT_SECONDS = 2.0
"""What cutting off and saying so may take: standard error, too, may be a pipe that nobody reads."""


def _nothing() -> None:
    pass


@dataclass
class Ending:
    """`stop` asks all work to end and returns soon; `cut` ends what does not, and says what that is, a line."""

    grace: float
    stop: Callable[[], None]
    cut: Callable[[], str]
    leave: Callable[[int], None] = os._exit
    _asked: bool = False
    _again: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """End within the grace time; asked a second time, at once. Returns at once, whatever stopping waits for."""
        if self._asked:
            self._again.set()
            return
        self._asked = True
        threading.Thread(target=self.stop, name="stop", daemon=True).start()
        threading.Thread(target=self._see_to_it, name="ending", daemon=True).start()

    def over(self) -> None:
        """The work has ended: nothing of it is held on to. That the process ends in time, too, is still seen to."""
        self.stop, self.cut = _nothing, lambda: "nothing"

    def _see_to_it(self) -> None:
        why = "asked twice to end" if self._again.wait(self.grace) else f"the grace time of {self.grace:g} s is over"
        with suppress(Exception):
            within(CUT_SECONDS, lambda: self._cut_off(why))
        self.leave(CUT_OFF)

    def _cut_off(self, why: str) -> None:
        left = self.cut()
        log.warning("ended before its work, %s; left to the next start: %s", why, left)
        sys.stdout.flush()
