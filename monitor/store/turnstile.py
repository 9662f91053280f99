"""Who is within a transaction, and an end to new ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from monitor.store.errors import StoreError


@dataclass
class Turnstile:
    """Counts those within; once shut it lets nobody in. Thread-safe."""

    _within: int = 0
    _shut: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Within, until the end of the block; raises StoreError once it is shut."""
        with self._changed:
            if self._shut:
                raise StoreError("slicewatch is ending: nothing more is read or written")
            self._within += 1
        try:
            yield
        finally:
            with self._changed:
                self._within -= 1
                self._changed.notify_all()

    def shut(self, seconds: float) -> bool:
        """Let nobody in any more; whether all who are within are out within `seconds`."""
        with self._changed:
            self._shut = True
            return self._changed.wait_for(lambda: self._within == 0, seconds)
