"""uvicorn in a thread of its own: it serves until told to stop, and lets requests that run come to their end."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI

GRACE_SECONDS = 5
MOST_AT_ONCE = 500
"""Connections that are answered: beyond them a 503, so that a crowd leaves the daemon its files."""
START_SECONDS = 30.0
MOST_HEAD = 192 * 1024
"""Bytes of address and headers together: more than `dashboards.web.bounds` lets an address have."""


class CannotListenError(Exception):
    """The address is in use, or is none of this machine; the text is a line for a person."""


@dataclass
class WebServer:
    """Serves an application at an address of this machine; port 0 takes a free one."""

    app: FastAPI
    host: str
    port: int
    _server: uvicorn.Server = field(init=False)
    _socket: socket.socket = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        try:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            self._socket = socket.create_server((self.host, self.port), family=family, backlog=128)
        except OSError as error:
            raise CannotListenError(f"{self.host}:{self.port} cannot be listened at: {error.strerror}") from None
        # asyncio does this only for sockets that name their protocol; without it each answer on a connection that is
        # kept waits 40 ms for the browser's acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            server_header=False,
            # It bounds what it holds of a request's head; the other parser of uvicorn does not.
            http="h11",
            h11_max_incomplete_event_size=MOST_HEAD,
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=MOST_AT_ONCE,
            # Who asks is told from what a proxy says of it by the door that knows the proxy.
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="web", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to serve; requests that come before it does are answered then."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what runs has a few seconds to end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(GRACE_SECONDS + START_SECONDS)
        self._socket.close()
