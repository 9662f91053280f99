"""A server of a test: on a port of loopback that it keeps when it is stopped and started again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer
from typing import Self


class Loopback:
    """Derive from it; `server` makes the server that answers."""

    port: int = 0

    def server(self, address: tuple[str, int]) -> TCPServer:
        """A new server at an address."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.closing = threading.Event()
        self._server = self.server(("127.0.0.1", self.port))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Connections are refused meanwhile."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the server is being stopped."""
        self.closing.wait(seconds)
