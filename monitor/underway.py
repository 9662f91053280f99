"""What a process is at, by its names: what is left of it is told when the process ends before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Underway:
    """Pieces of work that were begun and have not ended. Thread-safe."""

    _names: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """While the block runs, this is underway."""
        with self._lock:
            self._names.append(name)
        try:
            yield
        finally:
            with self._lock:
                self._names.remove(name)

    def names(self) -> tuple[str, ...]:
        """What is underway now, in the order in which it began."""
        with self._lock:
            return tuple(self._names)
