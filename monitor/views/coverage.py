"""What share of a rule's events is protected: worked out aside, since it takes seconds where there are many slices."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dashboards.blindspots import BlindSpots
from monitor import store
from monitor.blindspots_report import Outlook
from monitor.learned import newest
from monitor.views.panorama import FAR
from rules.model import Rule

log = logging.getLogger("slicewatch")


@dataclass
class Coverages:
    """What each rule would not notice, by what it has learned: made once for each day's learning, by one worker.

    A page shows what is known by now, and never waits.
    """

    state: store.Store
    waits: bool = False
    """Whether whoever asks waits for what is not known yet."""
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "coverage"))
    _known: dict[str, tuple[tuple[Rule, int], tuple[BlindSpots, ...]]] = field(default_factory=dict)
    _asked: set[tuple[str, int]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def protected(self, rule: Rule, as_of: int | None) -> float | None:
        """Share of the events, from 0 to 1, in slices whose silence is noticed within a day; None if not known yet.

        `as_of` is when the rule learned last.
        """
        found = self.now(rule) if self.waits else self.at(rule, as_of)
        return None if not found else found[0].protected

    def of(self, rule: Rule) -> tuple[BlindSpots, ...] | None:
        """What the rule would not notice, one for each metric; None where that is not worked out yet."""
        with self.state.read() as tx:
            as_of = store.newest_fit_time(tx, rule.name)
        return self.at(rule, as_of)

    def at(self, rule: Rule, as_of: int | None) -> tuple[BlindSpots, ...] | None:
        """The same, where it is known that the rule learned last at `as_of`; None is never."""
        if as_of is None:
            return ()
        with self._lock:
            known = self._known.get(rule.name)
            if known is not None and known[0] == (rule, as_of):
                return known[1]
            if (rule.name, as_of) not in self._asked:
                self._asked.add((rule.name, as_of))
                self.worker.submit(self._work, rule, as_of)
        # Of a rule that has been changed what was known says nothing: it may have other metrics by now.
        return None if known is None or known[0][0] != rule else known[1]

    def now(self, rule: Rule) -> tuple[BlindSpots, ...]:
        """The same, worked out here and now where it is not known."""
        found = self.of(rule)
        if found is not None:
            return found
        self.worker.submit(_nothing).result()
        return self.of(rule) or ()

    def _work(self, rule: Rule, as_of: int) -> None:
        try:
            found = reports(self.state, rule)
            with self._lock:
                self._known[rule.name] = ((rule, as_of), found)
        except store.StoreError as error:
            log.warning("%s: what it would not notice could not be worked out: %s", rule.name, error)
        except Exception:
            log.exception("%s: what it would not notice could not be worked out", rule.name)
        finally:
            with self._lock:
                self._asked.discard((rule.name, as_of))

    def close(self) -> None:
        """End the worker; what it is at is left."""
        self.worker.shutdown(wait=True, cancel_futures=True)


def reports(state: store.Store, rule: Rule) -> tuple[BlindSpots, ...]:
    """What a rule would not notice, one for each metric; none where nothing was learned."""
    knowledge = newest(state, rule, FAR)
    if knowledge is None:
        return ()
    parts = zip(rule.metrics, knowledge.learned, knowledge.recent, strict=True)
    return tuple(
        Outlook(rule, metric.name, knowledge.lattice, learned, recent).report() for metric, learned, recent in parts
    )


def _nothing() -> None:
    pass
