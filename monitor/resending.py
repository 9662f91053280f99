"""Sending again what fires, for channels at which an alert is over by itself unless it is sent again.

No news, and nothing of the outbox: how things stand by what was told, in one request for all of it. Only what has
arrived is sent again; what is still waiting is on its way by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.links import linked
from alerts.message import ENDS
from alerts.model import Message, SendError, State
from alerts.ports import Expiring, Notifier
from monitor import store

log = logging.getLogger("slicewatch")

SHARE = 3
"""Alerts are sent again after this part of the time for which they hold: two failures are borne."""
TRY_AGAIN = timedelta(minutes=1)
LOOKS = 60
"""Looks, a second apart, for what was under way while alerts were sent again: a send takes no longer."""


@dataclass
class Resender:
    """When what is sent again, by receiver. One thread uses it; `wait` takes seconds."""

    state: store.Store
    receivers: Mapping[str, Expiring]
    wait: Callable[[float], None]
    pages: str | None = None
    """As of `alerts.deliver.Courier`."""
    _due: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        state: store.Store,
        notifiers: Mapping[str, Notifier],
        wait: Callable[[float], None],
        pages: str | None = None,
    ) -> Resender:
        """For those of the notifiers that need it."""
        return cls(state, {name: item for name, item in notifiers.items() if isinstance(item, Expiring)}, wait, pages)

    def look(self, now: datetime) -> int:
        """Send again what is due; how many alerts that were. At the first look everything is: nobody knows since when."""
        return sum(self._send(name, now) for name in self.receivers if self._is_due(name, now))

    def _is_due(self, name: str, now: datetime) -> bool:
        """So it is also where the clock went back since it was reckoned."""
        due = self._due.get(name, now)
        return due <= now or due > now + self.receivers[name].holds

    def _send(self, name: str, now: datetime) -> int:
        receiver = self.receivers[name]
        with self.state.read() as tx:
            fires = [item.message for item in store.newest_texts(tx, name) if item.told and goes_on(item.message)]
        self._due[name] = now + receiver.holds / SHARE
        try:
            if fires:
                receiver.again([linked(message, self.pages) for message in fires], now)
                self._correct(name, receiver, {message.key: message.seq for message in fires}, now)
        except SendError as error:
            self._due[name] = now + min(TRY_AGAIN, receiver.holds / SHARE)
            log.warning("%s: what fires could not be sent again, it will be tried: %s", name, error)
            return 0
        return len(fires)

    def _correct(self, name: str, receiver: Expiring, sent: Mapping[str, int], now: datetime) -> None:
        """What was told meanwhile may have arrived before what was sent again: it has the last word."""
        for _ in range(LOOKS):
            with self.state.read() as tx:
                later = [i for i in store.newest_texts(tx, name, sent.keys()) if i.message.seq > sent[i.message.key]]
            if not any(item.under_way for item in later):
                break
            self.wait(1.0)
        told = [item.message for item in later if item.told]
        if told:
            receiver.again([linked(message, self.pages) for message in told], now)


def goes_on(message: Message) -> bool:
    """Whether what a message tells of is not over."""
    return message.state is not State.RESOLVED and message.change not in ENDS
