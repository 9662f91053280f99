"""What a daemon counts of its own work, added up in the store every few seconds: all daemons together, since ever.

Nothing is told or judged by it. What was counted in the seconds before a process is killed is lost, and so counts never run
backwards, but may miss a little.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor import store
from monitor.effort import Spent
from monitor.tick import Outcome

EVALUATIONS = "evaluations"
"""By rule, and what they came to."""
OK, BLIND, LATE, REPEATED, FAILED = "ok", "blind", "late", "repeated", "failed"
DELAYED = "delayed"
"""Evaluations that were made much later than they were scheduled, by rule."""
SECONDS, QUERY_SECONDS, QUERY_ROWS = "evaluation-seconds", "query-seconds", "query-rows"
"""What evaluations took, by rule."""
BUCKETS = "buckets"
"""Buckets judged, by rule."""
SLICES = "slices"
"""Of the newest evaluation, by rule, and what became of them: a state, and no count."""
DELIVERIES = "deliveries"
"""By receiver, and what became of them."""
STORE_ERRORS = "store-errors"
HEARTBEATS = "heartbeats"
"""By what became of them."""
RELOADS = "reloads"
"""By whether they went well."""

RELOADED = "reloaded"
"""Whether the last reload of a daemon went well, by daemon: a state."""
BROKEN_FILES = "broken-files"
"""Rule files with errors, as a daemon sees them: a state."""
CHORES = "chores"
"""When a daemon's threads last did their work, by daemon and thread, in epoch seconds: a state."""

GRACE = timedelta(minutes=15)
"""How long a due evaluation may take before it counts as delayed."""

Key = tuple[str, str, str]


@dataclass
class TallySheet:
    """What was counted in this process since it was last kept. Any thread may count."""

    _added: dict[Key, float] = field(default_factory=dict)
    _put: dict[Key, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, subject: str = "", result: str = "", by: float = 1.0) -> None:
        """Count something."""
        key = (name, subject, result)
        with self._lock:
            self._added[key] = self._added.get(key, 0.0) + by

    def put(self, name: str, subject: str, result: str, value: float) -> None:
        """Note a value that is now so."""
        with self._lock:
            self._put[name, subject, result] = value

    def keep(self, state: store.Store, now: datetime) -> None:
        """Add it to what the store holds; where that fails, it is added the next time."""
        with self._lock:
            added, put = self._added, self._put
            self._added, self._put = {}, {}
        if not added and not put:
            return
        try:
            with state.write() as tx:
                store.add_tallies(tx, [store.Tally(*key, value) for key, value in added.items()], now)
                for key, value in sorted(put.items()):
                    store.put_tally(tx, store.Tally(*key, value), now)
        except BaseException:
            self._take_back(added, put)
            raise

    def _take_back(self, added: dict[Key, float], put: dict[Key, float]) -> None:
        for key, value in added.items():
            self.add(*key, by=value)
        with self._lock:
            self._put = put | self._put


def count_evaluation(sheet: TallySheet, outcome: Outcome, seconds: float, spent: Spent, now: datetime) -> None:
    """What one evaluation came to, and took; `now` is when it was made."""
    rule = outcome.rule
    sheet.add(EVALUATIONS, rule, result_of(outcome))
    sheet.add(SECONDS, rule, by=seconds)
    sheet.add(QUERY_SECONDS, rule, by=spent.seconds)
    sheet.add(QUERY_ROWS, rule, by=spent.rows)
    sheet.add(BUCKETS, rule, by=len(outcome.judged))
    if now - outcome.tick > GRACE and not outcome.repeated:
        sheet.add(DELAYED, rule)
    if outcome.reach is not None:
        for what, count in vars(outcome.reach).items():
            sheet.put(SLICES, rule, what, count)


def result_of(outcome: Outcome) -> str:
    """What an evaluation came to, in a word."""
    if outcome.repeated:
        return REPEATED
    return BLIND if outcome.blind else LATE if outcome.late else OK
