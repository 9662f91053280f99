"""What a daemon tells systemd, where systemd started it (`Type=notify`): that it is up, that it ends, that it is well.

The protocol is one datagram a message to the socket that NOTIFY_SOCKET names; see sd_notify(3).
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from monitor.logs import sparingly

log = logging.getLogger("slicewatch")

READY, STOPPING, WELL = "READY=1", "STOPPING=1", "WATCHDOG=1"


@dataclass(frozen=True)
class ServiceManager:
    """Whom to tell: nobody where there is no address."""

    address: str = ""
    watchdog: float | None = None
    """Seconds within which it wants to hear that all is well."""

    @classmethod
    def of(cls, env: Mapping[str, str], pid: int) -> Self:
        """By the variables that systemd sets; those of the watchdog may be meant for another process."""
        usec, whom = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
        ours = usec.isdigit() and int(usec) > 0 and whom in ("", str(pid))
        return cls(env.get("NOTIFY_SOCKET", ""), int(usec) / 1_000_000 if ours else None)

    def tell(self, message: str) -> None:
        """Say it; nothing rests on whether it arrives."""
        if not self.address:
            return
        # A leading @ stands for the zero byte of the abstract namespace.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.connect(address)
                line.sendall(message.encode())
        except OSError as error:
            log.warning("systemd was not told %s: %s", message, error, extra=sparingly("systemd"))

    def watch(self, amiss: Callable[[], tuple[str, ...]], over: threading.Event | None = None) -> None:
        """From now on say that all is well, as long as it is, until `over`, or the process is; where it is not, say why once."""
        if self.address and self.watchdog is not None:
            args = (amiss, self.watchdog / 3, over or threading.Event())
            threading.Thread(target=self._watch, args=args, name="watchdog", daemon=True).start()

    def _watch(self, amiss: Callable[[], tuple[str, ...]], every: float, over: threading.Event) -> None:
        told = False
        while not over.is_set():
            found = amiss()
            if not found:
                self.tell(WELL)
            elif not told:
                log.error("systemd is not told that all is well: %s", "; ".join(found))
            told = bool(found)
            over.wait(every)
