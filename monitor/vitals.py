"""Whether the loops of a process go round: each says so in every turn, and one that has not for too long is stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST_TURN = 300.0
"""Seconds that a turn of a loop may take: a store that fails is waited for, several times over where many wait for it."""


@dataclass
class Vitals:
    """The parts of a process that must go on. `clock` gives seconds that never run backwards; all is thread-safe."""

    clock: Callable[[], float] = time.monotonic
    _turns: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By name: the longest turn, and when the last one began."""
    _alive: dict[str, Callable[[], bool]] = field(default_factory=dict)
    _over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def loop(self, name: str, longest: float = LONGEST_TURN) -> Callable[[], None]:
        """What a loop calls in each turn; from now on it has to, at least every `longest` seconds."""

        def turn() -> None:
            with self._lock:
                self._turns[name] = (longest, self.clock())

        turn()
        return turn

    def thread(self, name: str, alive: Callable[[], bool]) -> None:
        """A part that must be alive from now on."""
        with self._lock:
            if not self._over:
                self._alive[name] = alive

    def end(self) -> None:
        """The parts are meant to end: nothing is amiss from now on, and none is held on to."""
        with self._lock:
            self._over = True
            self._alive.clear()

    def amiss(self) -> tuple[str, ...]:
        """What does not go on, a sentence each; nothing where all is well."""
        if self._over:
            return ()
        with self._lock:
            now, turns, alive = self.clock(), sorted(self._turns.items()), sorted(self._alive.items())
        stuck = [f"{name} has been at one turn for {now - at:.0f} s" for name, (most, at) in turns if now - at > most]
        return (*(f"{name} has ended" for name, check in alive if not check()), *stuck)
