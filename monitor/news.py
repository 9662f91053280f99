"""What is told of some steps, written down: incidents, steps, decisions and messages; a storm as digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.absences import PREFIX
from alerts.digest_message import compose_digest
from alerts.digests import Digest, sort_out
from alerts.message import parts_of
from alerts.model import Decision, Message, Reason, Transition
from monitor import store
from monitor.missed import put_missed


@dataclass(frozen=True)
class News:
    """Decisions as they were stored, and the (receiver, message) pairs that were queued."""

    decisions: tuple[Decision, ...]
    messages: tuple[tuple[str, Message], ...]


def record_news(
    tx: store.Tx,
    transitions: Sequence[Transition],
    decisions: Sequence[Decision],
    messages: Sequence[tuple[str, Message]],
    now: datetime,
) -> News:
    """Keep incidents as they are now, how they came to be so, who is told of it, and what.

    `messages` are those of the decisions to send, each as told alone. How much a receiver was told lately is seen
    here, within the transaction: rules that are evaluated side by side make one storm. `now` is when it is told.
    What began and ended while nothing was judged waits for the digest of that stretch, to which every rule adds its own.
    """
    for transition in transitions:
        store.save_incident(tx, transition.incident)
        store.add_transition(tx, transition)
    missed = [decision for decision in decisions if decision.send and decision.reason is Reason.DIGESTED]
    decisions = [decision for decision in decisions if decision not in missed]
    sent = [decision for decision in decisions if decision.send]
    about = {decision.incident for decision in sent}
    lately = {name: store.lately(tx, name, about, now) for name in {decision.receiver for decision in sent}}
    found = sort_out(transitions, decisions, lately, now)
    kept = (*found.decisions, *_missed(tx, missed, now))
    for decision in kept:
        store.add_decision(tx, decision)
    alone = [(name, item) for name, item in messages if (name, item.key, item.seq) not in found.together]
    for receiver, message in alone:
        store.enqueue(tx, message, receiver, parts_of(message), now)
    together = [pair for digest in found.digests for pair in _tell(tx, digest, now)]
    return News(kept, (*alone, *together))


def _missed(tx: store.Tx, decisions: Sequence[Decision], now: datetime) -> list[Decision]:
    """The decisions with the digest that each is told in."""
    by_receiver: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_receiver.setdefault(decision.receiver, []).append(decision)
    found = []
    for receiver, mine in by_receiver.items():
        key = store.join_missed(tx, receiver, [decision.incident for decision in mine], now)
        found += [replace(decision, because=f"told in {key}: {decision.because}") for decision in mine]
    return found


def _tell(tx: store.Tx, digest: Digest, now: datetime) -> list[tuple[str, Message]]:
    """Queue the next message of a digest, for all who know it."""
    if digest.key.startswith(PREFIX):
        return [(digest.receiver, put_missed(tx, digest.key, digest.receiver, now))]
    store.join_digest(tx, digest.key, digest.receiver, digest.joined, now)
    newest, known = store.digest_thread(tx, digest.key)
    message = compose_digest(digest.key, newest + 1, store.digested(tx, digest.key), digest.told, digest.joined)
    receivers = tuple(dict.fromkeys((digest.receiver, *known)))
    for receiver in receivers:
        if not store.enqueue(tx, message, receiver, parts_of(message), now):
            raise store.ConflictError(f"{digest.key}: another process told it meanwhile; run the tick again")
    return [(receiver, message) for receiver in receivers]
