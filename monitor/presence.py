"""A daemon that says it is there, so that people see which ones are."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version

from monitor import store


@cache
def _version() -> str:
    """Found in the files of the installation: once is enough."""
    return version("slicewatch")


@dataclass(frozen=True)
class Presence:
    """This process, since it began to watch."""

    host: str
    pid: int
    started_at: datetime

    @classmethod
    def here(cls, now: datetime) -> Presence:
        """The process that runs this."""
        return cls(socket.gethostname(), os.getpid(), now)

    @property
    def id(self) -> str:
        """Its name, which no other one had or will have."""
        return f"{self.host}/{self.pid}/{int(self.started_at.timestamp())}"

    def say(self, state: store.Store, now: datetime) -> None:
        """It is there."""
        with state.write() as tx:
            store.put_replica(tx, store.Replica(self.id, self.host, self.pid, _version(), self.started_at, now))

    def leave(self, state: store.Store) -> None:
        """It ends by itself."""
        with state.write() as tx:
            store.remove_replica(tx, self.id)
