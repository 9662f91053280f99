"""`/healthz` and `/readyz` at an address of their own, for a daemon whose pages are not served, or not to those who probe."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from typing import Any

from dashboards.views.probes import ALIVE, READY, Probe, Probes
from monitor.web_settings import split_address

TIMEOUT_SECONDS = 10.0


class PlainProbes:
    """Answers these two and nothing else. Raises OSError for an address that cannot be listened at."""

    def __init__(self, listen: str, probes: Probes) -> None:
        self._server = _Server(split_address(listen), _Handler, probes)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="probes", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer; returns at once."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether it does."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=TIMEOUT_SECONDS)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], probes: Probes) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.probes = probes
        super().__init__(address, handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Say nothing: it is asked every few seconds."""

    def do_GET(self) -> None:
        asked = {ALIVE: self.server.probes.alive, READY: self.server.probes.ready}.get(self.path.partition("?")[0])
        if asked is None:
            self._answer(404, b"")
        else:
            probe: Probe = asked()
            self._answer(probe.status, json.dumps(probe.body()).encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
