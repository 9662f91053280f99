"""An outbox in memory, for tests of delivering; held to the same contract as the one in the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.model import Message, Receipt
from alerts.ports import Delivery, Part

RANK = {Part.TEXT: 0, Part.CHART: 1}


@dataclass
class Item:
    """One queued part of a message."""

    delivery: Delivery
    due: datetime
    leased_until: datetime
    state: str = "queued"
    receipt: Receipt | None = None
    error: str = ""

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among the items of its incident and receiver."""
        return self.delivery.message.seq, RANK[self.delivery.part]


class MemoryOutbox:
    """`alerts.ports.Outbox` in a dict, for one thread."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def put(self, message: Message, receiver: str, parts: Iterable[Part], now: datetime) -> None:
        """Queue parts of a message, each once."""
        for part in parts:
            name = f"{message.key}/{message.seq}/{receiver}/{part}"
            delivery = Delivery(name, receiver, part, message, 0, now)
            self.items.setdefault(name, Item(delivery, now, now))

    def claim(self, now: datetime, owner: str, lease_seconds: float) -> Delivery | None:  # noqa: ARG002  # one owner
        ready = [i for i in self._in_turn() if i.due <= now and i.leased_until <= now]
        if not ready:
            return None
        item = min(ready, key=lambda i: (i.due, i.place, i.delivery.id))
        item.leased_until = now + timedelta(seconds=lease_seconds)
        item.delivery = replace(item.delivery, claim=item.delivery.claim + 1, root=self._root(item))
        return item.delivery

    def next_due(self, now: datetime) -> datetime | None:
        times = [max(i.due, i.leased_until) for i in self._in_turn()]
        return max(now, min(times)) if times else None

    def done(self, delivery: Delivery, receipt: Receipt, now: datetime) -> None:  # noqa: ARG002  # not kept here
        item = self.items[delivery.id]
        if item.state == "queued":
            item.state, item.receipt = "done", receipt

    def retry(self, delivery: Delivery, at: datetime, error: str, *, counts: bool, plain: bool = False) -> None:
        item = self._held(delivery)
        if item is not None:
            attempts = delivery.attempts + counts
            item.delivery = replace(item.delivery, attempts=attempts, plain=plain or item.delivery.plain)
            item.due = item.leased_until = at
            item.error = error

    def dead(self, delivery: Delivery, error: str, now: datetime) -> None:  # noqa: ARG002  # not kept here
        self._bury(delivery, error)

    def reroute(self, delivery: Delivery, receiver: str, error: str, now: datetime) -> None:
        if self._bury(delivery, error):
            self.put(delivery.message, receiver, [delivery.part], now)

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

    def _in_turn(self) -> list[Item]:
        queued = [i for i in self.items.values() if i.state == "queued"]
        return [i for i in queued if not any(self._blocks(other, i) for other in queued)]

    def _blocks(self, other: Item, item: Item) -> bool:
        return (
            other.delivery.part is Part.TEXT
            and other.delivery.receiver == item.delivery.receiver
            and other.delivery.message.key == item.delivery.message.key
            and other.place < item.place
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
