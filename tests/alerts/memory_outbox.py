"""An outbox in memory, for tests of delivering; held to the same contract as the one in the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts.coalesce import combined
from alerts.model import Message, Receipt
from alerts.ports import CRITICAL_DEADLINE, Delivery, Lane, Part
from rules.model import Severity


@dataclass
class Item:
    """One queued part of a message."""

    delivery: Delivery
    due: datetime
    leased_until: datetime
    state: str = "queued"
    receipt: Receipt | None = None
    error: str = ""
    held: bool = False
    """Somebody claimed it and has not said yet what became of it."""
    deadline: datetime | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among the items of its incident and receiver."""
        return self.delivery.message.seq, self.delivery.part.rank


class MemoryOutbox:
    """`alerts.ports.Outbox` in a dict, for one thread."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def put(self, message: Message, receiver: str, parts: Iterable[Part], now: datetime) -> None:
        """Queue parts of a message, each once."""
        for part in parts:
            name = f"{message.key}/{message.seq}/{receiver}/{part}"
            delivery = Delivery(name, receiver, part, message, 0, now)
            urgent = part is Part.TEXT and message.severity is Severity.CRITICAL
            deadline = now + CRITICAL_DEADLINE if urgent else None
            self.items.setdefault(name, Item(delivery, now, now, deadline=deadline))

    def lanes(self) -> tuple[Lane, ...]:
        found = {(i.delivery.receiver, i.delivery.part.rank, i.delivery.part) for i in self._queued()}
        return tuple(Lane(receiver, part) for receiver, _, part in sorted(found))

    def claim(
        self,
        now: datetime,
        owner: str,  # noqa: ARG002  # one owner
        lease_seconds: float,
        lane: Lane,
        *,
        overdue: bool = False,
    ) -> Delivery | None:
        ready = self._overdue(now, lane) if overdue else self._ready(now, lane)
        if not ready:
            return None
        item = min(ready, key=lambda i: (i.deadline or datetime.max.replace(tzinfo=UTC), i.due, i.place, i.delivery.id))
        item = self._merged(item) if lane.part is Part.TEXT else item
        doubt = item.delivery.in_doubt or item.held
        item.leased_until, item.held = now + timedelta(seconds=lease_seconds), True
        claim = item.delivery.claim + 1
        item.delivery = replace(item.delivery, claim=claim, root=self._root(item), in_doubt=doubt, claimed_at=now)
        return item.delivery

    def next_due(self, now: datetime, lane: Lane) -> datetime | None:
        times = [max(i.due, i.leased_until) for i in self._in_turn(now) if self._lane(i) == lane]
        return max(now, min(times)) if times else None

    def next_deadline(self, now: datetime, lane: Lane) -> datetime | None:
        waiting = [i for i in self._queued() if self._lane(i) == lane and not self._in_flight(i, now)]
        return min((i.deadline for i in waiting if i.deadline is not None), default=None)

    def done(self, delivery: Delivery, receipt: Receipt, now: datetime) -> None:  # noqa: ARG002  # not kept here
        item = self.items[delivery.id]
        if item.state != "done":
            item.state, item.receipt = "done", receipt

    def retry(
        self,
        delivery: Delivery,
        at: datetime,
        error: str,
        *,
        counts: bool,
        plain: bool = False,
        in_doubt: bool = False,
    ) -> None:
        item = self._held(delivery)
        if item is not None:
            old = item.delivery
            fresh = {"plain": plain or old.plain, "in_doubt": in_doubt or old.in_doubt}
            item.delivery = replace(old, attempts=delivery.attempts + counts, **fresh)
            item.due = item.leased_until = at
            item.error, item.held = error, False

    def rest(self, lane: Lane, until: datetime, now: datetime) -> None:
        for item in self._queued():
            if self._lane(item) == lane and not (item.held and item.leased_until > now):
                item.due = max(item.due, min(until, item.deadline or until))

    def dead(self, delivery: Delivery, error: str, now: datetime) -> None:  # noqa: ARG002  # not kept here
        self._bury(delivery, error)

    def reroute(self, delivery: Delivery, receiver: str, error: str, now: datetime) -> None:
        if self._bury(delivery, error):
            self.put(delivery.message, receiver, delivery.rerouted, now)

    def states(self) -> dict[tuple[int, str, Part], str]:
        """State by (seq, receiver, part)."""
        return {(i.delivery.message.seq, i.delivery.receiver, i.delivery.part): i.state for i in self.items.values()}

    def _bury(self, delivery: Delivery, error: str) -> bool:
        item = self._held(delivery)
        if item is not None:
            item.state, item.error = "dead", error
        return item is not None

    def _held(self, delivery: Delivery) -> Item | None:
        item = self.items[delivery.id]
        return item if item.state == "queued" and item.delivery.claim == delivery.claim else None

    def _queued(self) -> list[Item]:
        return [i for i in self.items.values() if i.state == "queued"]

    def _lane(self, item: Item) -> Lane:
        return Lane(item.delivery.receiver, item.delivery.part)

    def _ready(self, now: datetime, lane: Lane) -> list[Item]:
        own = [i for i in self._in_turn(now) if self._lane(i) == lane]
        return [i for i in own if i.due <= now and i.leased_until <= now]

    def _overdue(self, now: datetime, lane: Lane) -> list[Item]:
        own = [i for i in self._queued() if self._lane(i) == lane and i.deadline is not None and i.deadline <= now]
        return [i for i in own if not self._in_flight(i, now)]

    def _thread(self, item: Item, part: Part) -> list[Item]:
        own = [i for i in self._queued() if self._lane(i) == Lane(item.delivery.receiver, part)]
        return sorted((i for i in own if i.delivery.message.key == item.delivery.message.key), key=lambda i: i.place)

    def _in_flight(self, item: Item, now: datetime) -> bool:
        return any(i.held and i.leased_until > now for i in self._thread(item, Part.TEXT))

    def _merged(self, item: Item) -> Item:
        *passed, newest = waiting = self._thread(item, Part.TEXT)
        if not passed:
            return newest
        told = [i.delivery.message for i in waiting]
        newest.delivery = replace(
            newest.delivery,
            message=combined(told, told_before=self._root(item) is not None),
            attempts=max(i.delivery.attempts for i in waiting),
            created_at=min(i.delivery.created_at for i in waiting),
            in_doubt=any(i.delivery.in_doubt or i.held for i in waiting),
        )
        newest.deadline = min((i.deadline for i in waiting if i.deadline is not None), default=None)
        for old in (*passed, *self._thread(item, Part.CHART)[:-1], *self._thread(item, Part.FILE)[:-1]):
            old.state = "merged"
        return newest

    def _in_turn(self, now: datetime) -> list[Item]:
        queued = self._queued()
        return [i for i in queued if not any(self._blocks(other, i, now) for other in queued)]

    def _blocks(self, other: Item, item: Item, now: datetime) -> bool:
        sent = other.leased_until > now and other.held and item.delivery.part is Part.TEXT and other is not item
        return (
            other.delivery.part is Part.TEXT
            and other.delivery.receiver == item.delivery.receiver
            and other.delivery.message.key == item.delivery.message.key
            and (other.place < item.place or sent)
        )

    def _root(self, item: Item) -> Receipt | None:
        own = [
            i
            for i in self.items.values()
            if i.receipt is not None
            and i.delivery.part is Part.TEXT
            and i.delivery.receiver == item.delivery.receiver
            and i.delivery.message.key == item.delivery.message.key
        ]
        return min(own, key=lambda i: i.place).receipt if own else None
