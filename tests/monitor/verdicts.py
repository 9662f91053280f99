"""All that a store holds of a rule's verdicts, to compare two ways of coming to them."""

from __future__ import annotations

import hashlib

from monitor import store
from monitor.replay import Replay

TABLES = ("slicewatch_flags", "slicewatch_fit", "slicewatch_run", "slicewatch_incident", "slicewatch_transition")


def verdicts(state: store.Store) -> dict[str, str]:
    """A digest of each table: fits, flags, runs, incidents and their transitions."""
    with state.read() as tx:
        rows = store.dump(tx)
    return {name: hashlib.sha256(repr(rows[name]).encode()).hexdigest() for name in TABLES}


def bucket_by_bucket(replay: Replay) -> list[dict[str, str]]:
    """The verdicts as they stand after each evaluation of a replay."""
    found, history = [], None
    for done, total in replay.run():
        history = total - len(replay.ticks()) if history is None else history
        if done > history:
            found.append(verdicts(replay.state))
    return found
