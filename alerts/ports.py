"""What `alerts` needs from the outside; the composition root plugs implementations in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from alerts.model import Message, Receipt


class Part(StrEnum):
    """What of a message an outbox item carries; a chart never delays its text."""

    TEXT = "text"
    CHART = "chart"


@dataclass(frozen=True)
class Delivery:
    """One claimed outbox item. `root` is the receipt of the incident's first message at this receiver."""

    id: str
    receiver: str
    part: Part
    message: Message
    attempts: int
    created_at: datetime
    root: Receipt | None = None
    plain: bool = False
    """Send as plain text: the channel refused the rich form before."""
    claim: int = 0
    """Which claim of the item this is: an outbox ignores the retry of a worker whose lease ran out."""


class Notifier(Protocol):
    """One channel. `send` returns a receipt or raises `SendError`."""

    def send(self, delivery: Delivery) -> Receipt: ...


@runtime_checkable
class Askable(Protocol):
    """A channel that says whether it would take messages, without being sent one. Raises `SendError` if not."""

    def ask(self) -> None: ...


class Outbox(Protocol):
    """Items to deliver. Claims are compare-and-set with a lease, so any number of loops may run.

    Items of one incident and receiver are handed out strictly in (seq, part) order; a chart that waits
    or died blocks nobody, and a dead text does not block its successors.
    """

    def claim(self, now: datetime, owner: str, lease_seconds: float) -> Delivery | None: ...

    def next_due(self, now: datetime) -> datetime | None:
        """When the next item can be claimed; None where nothing waits."""
        ...

    def done(self, delivery: Delivery, receipt: Receipt, now: datetime) -> None: ...

    def retry(self, delivery: Delivery, at: datetime, error: str, *, counts: bool, plain: bool = False) -> None: ...

    def dead(self, delivery: Delivery, error: str, now: datetime) -> None: ...

    def reroute(self, delivery: Delivery, receiver: str, error: str, now: datetime) -> None:
        """Mark dead and queue the same message for another receiver, at most once per receiver."""
        ...
