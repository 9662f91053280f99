"""A time limit on a query that blocks its thread, and a way to end it before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


class Alarm:
    """Calls `fire` once `seconds` have passed or it is cut, and again until the block ends; `expired` says whether it did.

    It repeats because an interrupt that meets an engine between two statements is lost.
    """

    def __init__(self, seconds: float, fire: Callable[[], object]) -> None:
        self.seconds = seconds
        self.expired = False
        """Whether the time was up."""
        self._cut = False
        self._fire = fire
        self._done = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="slicewatch-query-limit", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._done = True
            self._changed.notify()
        self._thread.join()

    def cut(self) -> None:
        """As if the time were up."""
        with self._changed:
            self._cut = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._done or self._cut, self.seconds)
            self.expired = not self._done and not self._cut
        while not self._done:
            self._fire()
            with self._changed:
                self._changed.wait_for(lambda: self._done, 0.05)


@dataclass
class Running:
    """The queries of one source that run, so that all of them can be ended from another thread."""

    _alarms: set[Alarm] = field(default_factory=set)
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def limited(self, seconds: float, fire: Callable[[], object]) -> _Limited:
        """A block that is ended by `fire` after `seconds`, or by `stop`."""
        return _Limited(self, Alarm(seconds, fire))

    def stop(self) -> None:
        """End whatever runs, and whatever begins after."""
        with self._lock:
            self._stopped = True
            alarms = tuple(self._alarms)
        for alarm in alarms:
            alarm.cut()

    def add(self, alarm: Alarm) -> None:
        with self._lock:
            self._alarms.add(alarm)
            if self._stopped:
                alarm.cut()

    def remove(self, alarm: Alarm) -> None:
        with self._lock:
            self._alarms.discard(alarm)


@dataclass(frozen=True)
class _Limited:
    running: Running
    alarm: Alarm

    def __enter__(self) -> Alarm:
        self.running.add(self.alarm)
        return self.alarm.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running.remove(self.alarm)
        self.alarm.__exit__(kind, error, trace)
