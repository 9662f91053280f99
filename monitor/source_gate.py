"""The way to a source: how many ask it at once, and when it is left alone.

One gate for each source of a process, shared by all threads. A source that fails again and again is not asked by each
of its rules: its breaker opens, and one rule's question tries it after a rest. A rule whose own question takes too long
again and again waits by itself. What nobody could ask is unknown, as where the source failed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from alerts.breaker import Breaker, Patience
from monitor.query import (
    AskingStoppedError,
    Column,
    Cost,
    CountQuery,
    QueryRefusedError,
    QueryTimeoutError,
    Source,
    SourceError,
    Stoppable,
)
from monitor.setting_values import SettingsError
from rules.model import Interval, SourceRef, Timestamp

if TYPE_CHECKING:
    import pandas as pd

Answer = TypeVar("Answer")

OF_A_SOURCE = Patience(5, timedelta(seconds=30), timedelta(minutes=5))
OF_A_RULE = Patience(3, timedelta(minutes=5), timedelta(hours=1))
"""A rule that times out three times in a row has held a place of its source three times as long as any may."""
_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)


class SourceRestsError(SourceError):
    """The source, or the rule, is left alone for a while: nothing was asked."""


@dataclass
class Gate:
    """The way to the source `name`. `opened` opens it at the first question; `stopwatch` gives seconds that never run back.

    Failing to open counts as failing: what is wrong with a source is known to its rules as a source that cannot be asked.
    """

    name: str
    opened: Callable[[], Source]
    concurrency: int
    stopwatch: Callable[[], float]
    clean: Callable[[str], str] = str
    """Takes its secrets out of a text."""
    _breaker: Breaker = field(default_factory=lambda: Breaker(OF_A_SOURCE))
    _rules: dict[str, Breaker] = field(default_factory=dict)
    _last: str = ""
    """The last failure, in a line."""
    _probing: str = ""
    """The rule whose question tries whether the source is back."""
    _source: Source | None = None
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._places = threading.BoundedSemaphore(self.concurrency)

    def of(self, rule: str) -> GatedSource:
        """The source as one rule asks it, which is not held back by what the rule was before."""
        with self._lock:
            self._rules.pop(rule, None)
        return GatedSource(self, rule)

    def ask(self, rule: str, question: Callable[[Source], Answer]) -> Answer:
        """The answer. Raises `SourceRestsError` without asking, what the source raises, and `AskingStoppedError`."""
        with self._places:
            probe = self._admit(rule)
            try:
                answer = question(self._open())
            except QueryRefusedError:
                # It may not even have been asked: nobody knows more of the source than before.
                self._settled(rule, probe=probe)
                raise
            except SourceError as error:
                if self._stopped:
                    raise AskingStoppedError(f"{self.name} is not asked any more: the program is ending") from error
                self._failed(rule, error, probe=probe)
                raise
            except BaseException:
                self._settled(rule, probe=probe)
                raise
            self._answered(rule)
            return answer

    def stop(self) -> None:
        """Ask no more, and end at the engine what runs. Whoever waits for an answer gets an `AskingStoppedError`."""
        with self._lock:
            self._stopped = True
        # Not while it is being opened: then nothing runs there, and nothing will.
        if isinstance(self._source, Stoppable):
            self._source.stop()

    def _open(self) -> Source:
        with self._opening:
            if self._source is None:
                try:
                    self._source = self.opened()
                except SettingsError as error:
                    raise SourceError("; ".join(problem.message for problem in error.problems)) from error
            if self._stopped:
                raise AskingStoppedError(f"{self.name} is not asked any more: the program is ending")
            return self._source

    # --- who may ask -----------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        return _ORIGIN + timedelta(seconds=self.stopwatch())

    def _admit(self, rule: str) -> bool:
        """Whether it is the probe that decides whether the source is back. Raises where it may not ask at all."""
        with self._lock:
            if self._stopped:
                raise AskingStoppedError(f"{self.name} is not asked any more: the program is ending")
            now, own = self._now(), self._rules.get(rule)
            if self._breaker.until is not None:
                self._refuse_resting(self._breaker.until - now)
                self._probing = rule
                return True
            if own is not None and own.until is not None and now < own.until:
                raise SourceRestsError(
                    f"{self.name} is not asked by this rule for another {_seconds(own.until - now)}: its last "
                    f"{own.failures} queries took too long"
                )
            return False

    def _refuse_resting(self, left: timedelta) -> None:
        failed = f"it failed {self._breaker.failures} times in a row, the last time with: {self._last}"
        if left > timedelta(0):
            raise SourceRestsError(f"{self.name} is not asked for another {_seconds(left)}: {failed}")
        if self._probing:
            raise SourceRestsError(f"{self.name} is not asked until {self._probing} has an answer of it: {failed}")

    def _settled(self, rule: str, *, probe: bool) -> None:
        with self._lock:
            if probe and self._probing == rule:
                self._probing = ""

    def _failed(self, rule: str, error: SourceError, *, probe: bool) -> None:
        self._settled(rule, probe=probe)
        with self._lock:
            now = self._now()
            if probe or not self._breaker.is_open:
                # What was asked before the rest began says nothing that is not known.
                self._breaker.failed(now)
                self._last = self.clean(str(error))
            if isinstance(error, QueryTimeoutError):
                self._rules.setdefault(rule, Breaker(OF_A_RULE)).failed(now)

    def _answered(self, rule: str) -> None:
        with self._lock:
            if self._breaker.is_open:
                # Whoever waited too long did so because of the source.
                self._rules.clear()
            self._probing = ""
            self._breaker.answered()
            self._rules.pop(rule, None)


@dataclass(frozen=True)
class GatedSource:
    """A source as one rule asks it, through its gate."""

    gate: Gate
    rule: str

    def count(self, query: CountQuery) -> pd.DataFrame:
        """As of the source."""
        return self.gate.ask(self.rule, lambda source: source.count(query))

    def watermark(self, query: CountQuery) -> datetime | None:
        """As of the source."""
        return self.gate.ask(self.rule, lambda source: source.watermark(query))

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        """As of the source."""
        return self.gate.ask(self.rule, lambda source: source.columns(ref))

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        """As of the source."""
        return self.gate.ask(self.rule, lambda source: source.span(ref, timestamp, where))

    def cost(self, query: CountQuery) -> Cost:
        """As of the source."""
        return self.gate.ask(self.rule, lambda source: source.cost(query))

    def close(self) -> None:
        """Other rules ask it too."""


def _seconds(left: timedelta) -> str:
    return f"{max(1, ceil(left.total_seconds()))} s"
