"""The daemons on a store, by what they say of themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

from dashboards.read import Daemon
from monitor import store

ALIVE = timedelta(minutes=1)


def daemons_of(tx: store.Tx, now: datetime, *, shared: bool) -> tuple[Daemon, ...]:
    """Those that are there, and those that were lately; `shared` says that they claim what they evaluate."""
    held = store.claims_held(tx, now) if shared else None
    return tuple(
        Daemon(
            item.id,
            item.host,
            item.pid,
            item.version,
            item.started_at,
            item.seen_at,
            alive=abs(now - item.seen_at) <= ALIVE,
            ahead_seconds=item.ahead.total_seconds(),
            evaluating=None if held is None else held.get(item.id, 0),
        )
        for item in store.replicas(tx)
    )
