"""A rule as it stood before an evaluation, on a copy of the store: to see what would have been told."""

from __future__ import annotations

from datetime import datetime

from monitor import store
from monitor.buckets import to_epoch
from monitor.watched import Watched


def rewind(state: store.Store, watched: Watched, tick: datetime) -> None:
    """Forget this tick of a rule and all later ones, with what they told. The counts are those known today."""
    name, epoch = watched.rule.name, to_epoch(tick)
    with state.write() as tx:
        earlier = [run for run in store.runs(tx, name, limit=EARLIER) if run.tick < epoch]
        good = next((run.tick for run in earlier if run.outcome == store.OK), None)
        due = watched.schedule.newly_due(good, epoch)
        begin = due[0] if due else watched.grid.shift(watched.schedule.newest(epoch), 1)
        store.rewind(tx, name, earlier[0].tick if earlier else None, begin)


EARLIER = 100_000
"""Evaluations looked back at: a year of five minutes."""
