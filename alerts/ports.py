"""What `alerts` needs from the outside; the composition root plugs implementations in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from alerts.model import Message, Receipt

CRITICAL_DEADLINE = timedelta(minutes=5)
"""A critical text that is this old and undelivered goes to the fallback."""


HOLDS = timedelta(hours=4)
"""How long an alert fires that is not sent again: longer than a restart or a night's maintenance of slicewatch takes."""


class Part(StrEnum):
    """What of a message an outbox item carries, in the order within it; nothing delays a text."""

    TEXT = "text"
    CHART = "chart"
    FILE = "file"
    """What to load again, as CSV."""

    @property
    def rank(self) -> int:
        """Its place within a message."""
        return list(Part).index(self)


@dataclass(frozen=True)
class Lane:
    """What waits for one receiver, of one kind of part: it is sent one after another, and waits for no other lane."""

    receiver: str
    part: Part


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
    in_doubt: bool = False
    """An earlier send may have arrived: a channel that can look for it adopts it in place of sending it twice."""
    claimed_at: datetime | None = None
    """When it was handed out to be sent; None where nobody says."""
    told_since: datetime | None = None
    """From when on it may have been sent where that is before it was queued: by a store that was lost since."""

    @property
    def doubtful_since(self) -> datetime:
        """From when on an earlier send is looked for."""
        return self.told_since or self.created_at

    @property
    def rerouted(self) -> tuple[Part, ...]:
        """The parts that go to another receiver in its place: a text takes its file along, for it speaks of it."""
        files = self.part is Part.TEXT and self.message.reprocess is not None
        return (self.part, Part.FILE) if files else (self.part,)


class Notifier(Protocol):
    """One channel. `send` returns a receipt or raises `SendError`."""

    def send(self, delivery: Delivery) -> Receipt: ...


@runtime_checkable
class Askable(Protocol):
    """A channel that says whether it would take messages, without being sent one. Raises `SendError` if not."""

    def ask(self) -> None: ...


@runtime_checkable
class Expiring(Protocol):
    """A channel at which what fires is over by itself unless it is sent again within `holds`."""

    holds: timedelta

    def again(self, messages: Sequence[Message], now: datetime) -> None:
        """Send once more how these stand, in which nothing is news. Raises `SendError`."""
        ...


class Outbox(Protocol):
    """Items to deliver. Claims are compare-and-set with a lease, so any number of loops may run.

    Items of one incident and receiver are handed out strictly in (seq, part) order; a chart or file that waits
    or died blocks nobody, and a dead text does not block its successors. Texts of one incident that wait for one
    receiver are handed out as one (`alerts.coalesce`), and of their charts and of their files the newest; while one of
    them is being sent no other is handed out.
    """

    def lanes(self) -> tuple[Lane, ...]:
        """The lanes in which something waits, in a fixed order."""
        ...

    def claim(
        self, now: datetime, owner: str, lease_seconds: float, lane: Lane, *, overdue: bool = False
    ) -> Delivery | None:
        """The next item of a lane that is due, critical ones first; `overdue`: only one whose deadline has passed."""
        ...

    def next_due(self, now: datetime, lane: Lane) -> datetime | None:
        """When the lane's next item can be claimed; None where nothing waits."""
        ...

    def next_deadline(self, now: datetime, lane: Lane) -> datetime | None:
        """The first deadline of what waits in a lane and is not being sent; None where nothing is urgent."""
        ...

    def done(self, delivery: Delivery, receipt: Receipt, now: datetime) -> None:
        """Delivered: a fact, whoever holds it now and whatever was told in its place since."""
        ...

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
        """Try again at `at`; once in doubt, an item stays so."""
        ...

    def rest(self, lane: Lane, until: datetime, now: datetime) -> None:
        """Nothing of a lane is due before `until`, but what has a deadline, at that; a process that starts anew keeps to it."""
        ...

    def dead(self, delivery: Delivery, error: str, now: datetime) -> None: ...

    def reroute(self, delivery: Delivery, receiver: str, error: str, now: datetime) -> None:
        """Mark dead and queue the same message for another receiver, at most once per receiver; with a text its file."""
        ...
