"""One server for what other services post to slicewatch: what is not signed, too old or repeated is refused.

A door is a path with somebody's way to sign; `take` is called beside, since those who post wait for seconds only.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

log = logging.getLogger("slicewatch")

MOST_BYTES = 1 << 20
TIMEOUT_SECONDS = 10.0

Taken = TypeVar("Taken")


class RefusedRequestError(Exception):
    """A request that is not taken; `status` is the answer."""

    def __init__(self, why: str, status: int = 401) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Door(Generic[Taken]):
    """What comes in at a path: `read` checks a request and gives what it says, or raises `RefusedRequestError`."""

    path: str
    what: str
    """How the log names a request."""
    read: Callable[[bytes, Mapping[str, str]], Taken]
    """From the body and the headers, their names in small letters."""
    take: Callable[[Taken], None]

    def enter(self, body: bytes, headers: Mapping[str, str]) -> Callable[[], None]:
        """What is to be done about a request."""
        taken = self.read(body, headers)
        return lambda: self.take(taken)


@dataclass
class Once:
    """Tells what comes for the first time from its repetition, for some seconds. `clock` is the time in seconds."""

    seconds: float
    clock: Callable[[], float] = time.time
    _seen: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def first(self, name: str) -> bool:
        """Whether it was not seen before."""
        now = self.clock()
        with self._lock:
            self._seen = {known: at for known, at in self._seen.items() if now - at < self.seconds}
            first = name not in self._seen
            self._seen[name] = now
        return first


class SignedServer:
    """Listens at an address of this machine; a proxy in front of it brings HTTPS."""

    def __init__(self, listen: str, doors: tuple[Door[Any], ...]) -> None:
        host, _, port = listen.rpartition(":")
        self._server = _Server((host.strip("[]"), int(port)), _Handler)
        self._server.doors = {door.path: door for door in doors}
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="signed-http", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to listen; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=15)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    doors: dict[str, Door[Any]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Say nothing: what is done is logged where it is done, and what is refused below."""

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or ""
        door = self.server.doors.get(self.path.partition("?")[0])
        if door is None or not length.isdigit() or int(length) > MOST_BYTES:
            self._answer(404)
            return
        body = self.rfile.read(int(length))
        try:
            act = door.enter(body, {name.lower(): value for name, value in self.headers.items()})
        except RefusedRequestError as refused:
            log.warning("%s from %s is refused: %s", door.what, self.client_address[0], refused)
            self._answer(refused.status)
            return
        # Who posts waits a few seconds for this; what is asked for is done beside.
        self._answer(200)
        threading.Thread(target=act, name="signed-act").start()

    def _answer(self, status: int) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
