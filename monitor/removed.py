"""Rules that are in no file any more: their open incidents are closed, and whoever knows of them is told."""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet
from datetime import datetime

from alerts.message import RuleFacts
from alerts.plan import Routes, plan
from alerts.removal import removed
from alerts.wording import counted
from monitor import store
from monitor.news import record_news
from monitor.reserved import OWN
from monitor.telling import composed

log = logging.getLogger("slicewatch")


def close_removed(state: store.Store, names: AbstractSet[str], now: datetime) -> None:
    """Close the open incidents of rules that are none of `names`, in one transaction a rule."""
    with state.read() as tx:
        gone = [name for name in store.rules_with_open(tx) if name not in names | OWN]
    for name in gone:
        with state.write() as tx:
            closed = _close(tx, name, now)
        log.warning("%s was removed: %s of it closed", name, counted(closed, "open incident"))


def _close(tx: store.Tx, name: str, now: datetime) -> int:
    made = removed(store.open_incidents(tx, name), now)
    decisions = plan(made, Routes(), now, store.told(tx, name))
    facts = RuleFacts(name=name, source="", place="removed")
    record_news(tx, made, decisions, composed(made, decisions, lambda _: facts), now)
    return len(made)
