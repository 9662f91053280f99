"""A daemon that says it is there, so that people see which ones are."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    nonce: str = ""

    @classmethod
    def here(cls, now: datetime) -> Presence:
        """The process that runs this."""
        # Containers may share a host's name, and in each of them the daemon is process 1.
        return cls(socket.gethostname(), os.getpid(), now, secrets.token_hex(4))

    @property
    def id(self) -> str:
        """Its name, which no other one had or will have."""
        return "/".join(filter(None, (self.host, str(self.pid), str(int(self.started_at.timestamp())), self.nonce)))

    def say(self, state: store.Store, now: datetime, ahead: timedelta = timedelta(0)) -> None:
        """It is there; `ahead` is how far its machine's clock is."""
        with state.write() as tx:
            store.put_replica(tx, store.Replica(self.id, self.host, self.pid, _version(), self.started_at, now, ahead))

    def leave(self, state: store.Store) -> None:
        """It ends by itself."""
        with state.write() as tx:
            store.remove_replica(tx, self.id)
