"""What lists of rules show of each: its total over the newest buckets, and how many slices are judged.

Kept for every rule, small as it is, while the arrays it is taken from come and go.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from dashboards.views.common import Curve
from monitor import store
from monitor.views.curves import curve_of
from monitor.views.panorama import FAR, MOST_KEPT, Panoramas
from rules.model import Rule

log = logging.getLogger("slicewatch")

TOTAL = np.zeros(1, dtype=np.int64)
"""The total is the first row of every lattice."""


@dataclass(frozen=True)
class Glance:
    """One rule, by its first metric, as of an evaluation."""

    curve: Curve
    judged: int
    """Slices that are old enough to be judged."""
    skipped: int


@dataclass
class Glances:
    """A glance at each rule; what an evaluation brought since is worked out `aside`. Without it everybody waits."""

    state: store.Store
    panoramas: Panoramas
    aside: Executor | None = None
    _kept: dict[str, tuple[Rule, int, Glance]] = field(default_factory=dict)
    _under_way: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, rule: Rule) -> Glance | None:
        """The newest one that is at hand; None where nothing was judged yet, or, of many rules, where it is being made."""
        with self.state.read() as tx:
            tick = store.newest_good(tx, rule.name, FAR)
        return self.at(rule, tick)

    def at(self, rule: Rule, tick: int | None) -> Glance | None:
        """The same, where it is known that the newest evaluation that could ask was at `tick`; None is none."""
        if tick is None:
            return None
        with self._lock:
            known = self._kept.get(rule.name)
            many = len(self._kept) >= MOST_KEPT
        if known is not None and known[:2] == (rule, tick):
            return known[2]
        if self.aside is not None and (many or (known is not None and known[0] == rule)):
            self._make_aside(rule, self.aside)
            return None if known is None or known[0] != rule else known[2]
        try:
            return self._made(rule)
        except store.StoreError:
            raise
        except Exception:
            # One rule whose counts cannot be read takes no page of all rules with it.
            log.exception("%s: what the pages show of it could not be made", rule.name)
            return None

    def warm(self, rules: Iterable[Rule]) -> None:
        """Have those of all rules made, before somebody asks."""
        for rule in rules:
            if self.aside is not None:
                self._make_aside(rule, self.aside)

    def _make_aside(self, rule: Rule, aside: Executor) -> None:
        with self._lock:
            if rule.name in self._under_way:
                return
            self._under_way.add(rule.name)
        aside.submit(self._work, rule)

    def _work(self, rule: Rule) -> None:
        try:
            with self.state.read() as tx:
                tick = store.newest_good(tx, rule.name, FAR)
            if tick is not None:
                self._made(rule)
        except store.StoreError as error:
            log.warning("%s: what the pages show of it could not be made: %s", rule.name, error)
        except Exception:
            log.exception("%s: what the pages show of it could not be made", rule.name)
        finally:
            with self._lock:
                self._under_way.discard(rule.name)

    def _made(self, rule: Rule) -> Glance | None:
        found = self.panoramas.of(rule)
        if not found:
            return None
        judged = int(found[0].fit.eligible.sum())
        made = Glance(curve_of(found[0], TOTAL), judged, len(found[0].lattice) - judged)
        with self._lock:
            # It may be of the evaluation before, and is looked for again then.
            self._kept[rule.name] = (rule, found[0].tick, made)
        return made
