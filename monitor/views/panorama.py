"""All slices of a rule over its newest buckets, beside what is expected of them: what the detector saw, from the store."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor import store
from monitor.assess import judged_view
from monitor.buckets import Times
from monitor.detectors.bounds import limits
from monitor.detectors.fit import Fit
from monitor.detectors.model import Verdicts
from monitor.detectors.view import View
from monitor.lattice import Lattice
from monitor.question import Question
from monitor.statistics.negbin import quantile_band
from rules.model import Rule

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = slice | NDArray[np.int64]

BUCKETS = 72
"""Newest buckets that are shown, as far as the detector read them."""
MOST_KEPT = 24
"""Rules whose panoramas are kept, the least used of which goes first; each holds leaves x days of counts."""

REST, LONGEST_REST = 30, 10.0
"""A panorama is not made anew before so many times what making it took, nor later than so many seconds: however often a
daemon evaluates, its machine is the daemon's, and pages take what they need beside it."""

Ask = Callable[[Rule, int], list[Question]]
"""What the newest bucket of a tick is judged by, one for each metric, from the store alone."""


@dataclass(frozen=True)
class Panorama:
    """One metric of a rule: N slices over T buckets, the last of which is the newest one judged.

    Expected is the seasonal mean at the level that the slice has today: what the newest bucket is held against, but for
    what moves all slices alike.
    """

    rule: Rule
    tick: int
    """The evaluation whose newest bucket it shows, epoch seconds."""
    question: Question

    @property
    def metric(self) -> str:
        return self.question.metric

    @property
    def lattice(self) -> Lattice:
        return self.question.lattice

    @property
    def fit(self) -> Fit:
        return self.view.fit

    @property
    def starts(self) -> Times:
        """[T], epoch seconds."""
        return self.question.recent.starts[-BUCKETS:]

    @cached_property
    def _judged(self) -> tuple[View, Bools]:
        return judged_view(self.question)

    @property
    def view(self) -> View:
        """What the detector looked at."""
        return self._judged[0]

    @cached_property
    def verdicts(self) -> Verdicts:
        """Its verdicts on the newest bucket."""
        return self.question.detector.judge(*self._judged)

    @cached_property
    def observed(self) -> Floats:
        """[N, T]: what came; NaN where unknown."""
        return self.observed_of(slice(None))

    def observed_of(self, rows: Rows) -> Floats:
        """[n, T]: what came to some slices."""
        return self.lattice.rollup(self.question.recent.values[:, -BUCKETS:], rows)

    @cached_property
    def expected(self) -> Floats:
        """Expected events [N, T]."""
        return self.expected_of(slice(None))

    def expected_of(self, rows: Rows) -> Floats:
        """Expected events of some slices [n, T]."""
        return np.asarray(self.view.seasonal_of(rows)[..., -BUCKETS:] * self.view.levels[rows, :1])

    def band_of(self, rows: Rows) -> tuple[Floats, Floats]:
        """(low, high) [n, T]: what a single bucket may hold by chance, at the threshold's probability on each side."""
        mu = self.expected_of(rows)
        if self.fit.bounds is not None:
            low, high = limits(self.fit.bounds, mu)
            return low, np.where(np.isinf(high), mu, high)
        alpha = np.broadcast_to(self.fit.alpha[rows, :1], mu.shape)
        low, high = quantile_band(mu.ravel(), alpha.ravel(), float(np.exp(-self.fit.threshold)))
        return low.reshape(mu.shape), high.reshape(mu.shape)


@dataclass(frozen=True)
class _Kept:
    """What is known of a rule as of a tick, and the moment (of the stopwatch) before which it is not made anew."""

    rule: Rule
    tick: int
    found: tuple[Panorama, ...]
    rests_until: float


@dataclass
class Panoramas:
    """Panoramas of the rules of one store: each made when it is first asked for, and again after an evaluation.

    Any number of threads may ask: the same one is made once. `stopwatch` gives seconds that never run backwards.
    """

    state: store.Store
    ask: Ask
    stopwatch: Callable[[], float] = time.monotonic
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: dict[str, threading.Lock] = field(default_factory=dict)

    def of(self, rule: Rule) -> tuple[Panorama, ...]:
        """One for each metric; none where no evaluation could ask the source yet.

        While a newer one is being made, or is not to be made yet, people get the one before it.
        """
        with self._lock:
            making = self._making.setdefault(rule.name, threading.Lock())
            before = self._kept.get(rule.name)
            before = before if before is not None and before.rule == rule else None
            if before is not None:
                self._kept.move_to_end(rule.name)
        if before is not None and self.stopwatch() < before.rests_until:
            return before.found
        if not making.acquire(blocking=before is None):
            assert before is not None
            return before.found
        try:
            return self._newest(rule)
        finally:
            making.release()

    def _newest(self, rule: Rule) -> tuple[Panorama, ...]:
        with self.state.read() as tx:
            tick = store.newest_good(tx, rule.name, FAR)
        if tick is None:
            return ()
        with self._lock:
            known = self._kept.get(rule.name)
        if known is not None and (known.rule, known.tick) == (rule, tick):
            return known.found
        begun = self.stopwatch()
        found = tuple(Panorama(rule, tick, question) for question in self.ask(rule, tick))
        ended = self.stopwatch()
        self._keep(_Kept(rule, tick, found, ended + min(REST * (ended - begun), LONGEST_REST)))
        return found

    def _keep(self, item: _Kept) -> None:
        with self._lock:
            self._kept[item.rule.name] = item
            self._kept.move_to_end(item.rule.name)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


FAR = 1 << 60
"""After every tick."""
