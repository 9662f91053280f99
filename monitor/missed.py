"""The digests of what began and ended while nothing was judged, sent once all is in them."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from alerts.absences import Waiting, is_due
from alerts.message import parts_of
from alerts.missed_message import compose_missed
from alerts.model import Message
from alerts.operations import Operations
from monitor import store

log = logging.getLogger("slicewatch")

LOOK_BACK = timedelta(days=7)
"""What could not be told for so long is in the store, and no message any more."""


def tell_missed(
    state: store.Store, operations: Operations, now: datetime, *, caught_up: bool = False
) -> list[tuple[str, Message]]:
    """Queue what is due of these digests; (receiver, message). `caught_up` says that nothing more will come."""
    with state.read() as tx:
        waiting = store.waiting_missed(tx, now - LOOK_BACK)
    made = ((item.receiver, _tell(state, item, operations, now, caught_up=caught_up)) for item in waiting)
    return [(receiver, message) for receiver, message in made if message is not None]


def _tell(
    state: store.Store, waiting: Waiting, operations: Operations, now: datetime, *, caught_up: bool
) -> Message | None:
    policy = next((item for item in operations.receivers if item.name == waiting.receiver), None)
    try:
        with state.write() as tx:
            untold = store.untold_missed(tx, waiting.key)
            fresh = [incident for incident in store.digested(tx, waiting.key) if incident.id in untold]
            hours = None if policy is None else policy.hours
            if not fresh or not is_due(waiting, fresh, hours, now, caught_up=caught_up):
                return None
            return put_missed(tx, waiting.key, waiting.receiver, now)
    except store.ConflictError as error:
        log.info("%s", error)
        return None


def put_missed(tx: store.Tx, key: str, receiver: str, now: datetime) -> Message:
    """Queue the next message of such a digest: of all in it, and what of that is new. Raises `ConflictError`."""
    incidents, untold = store.digested(tx, key), store.untold_missed(tx, key)
    newest, _ = store.digest_thread(tx, key)
    message = compose_missed(key, newest + 1, incidents, untold, len(incidents) - len(untold))
    if not store.enqueue(tx, message, receiver, parts_of(message), now):
        raise store.ConflictError(f"{key}: another process told it meanwhile")
    store.told_missed(tx, key, now)
    return message
