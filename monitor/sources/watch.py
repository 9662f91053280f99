"""A time limit on a query that blocks its thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Alarm:
    """Calls `fire` once `seconds` have passed, and again until the block ends; `expired` says whether it did.

    It repeats because an interrupt that meets an engine between two statements is lost.
    """

    def __init__(self, seconds: float, fire: Callable[[], object]) -> None:
        self.seconds = seconds
        self.expired = False
        self._fire = fire
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="slicewatch-query-limit", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        wait = self.seconds
        while not self._done.wait(wait):
            self.expired = True
            self._fire()
            wait = 0.05
