"""Slack's side of Socket Mode in tests: a real WebSocket server on loopback (RFC 6455, as much of it as is used).

with SlackStandin() as slack, SocketStandin() as socket:
slack.socket_url = socket.url
socket.connected.wait(5)
socket.send("interactive", payload)      # returns once the app has acknowledged it
"""

from __future__ import annotations

import json
import socketserver
import struct
import threading
import time
from base64 import b64encode
from contextlib import suppress
from hashlib import sha1
from itertools import count
from queue import Queue
from typing import Any

from tests.standins.loopback import Loopback

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class SocketStandin(Loopback):
    """The server; one app connects at a time, and may come again."""

    def __init__(self) -> None:
        self.connected = threading.Event()
        self.connections = 0
        self.acknowledged: Queue[str] = Queue()
        self._numbers = count(1)
        self._session: _Session | None = None

    def server(self, address: tuple[str, int]) -> _Server:
        made = _Server(address, _Session)
        made.standin = self
        return made

    def __exit__(self, *_: object) -> None:
        self.drop()
        super().__exit__()

    @property
    def url(self) -> str:
        """What `apps.connections.open` is to answer."""
        return f"ws://127.0.0.1:{self.port}/link"

    def send(self, kind: str, payload: dict[str, Any], *, envelope: str = "") -> str:
        """Send an envelope and wait for its acknowledgement; its id, so that it can be sent again."""
        name = envelope or f"envelope-{next(self._numbers)}"
        message = {"type": kind, "envelope_id": name, "payload": payload, "accepts_response_payload": True}
        assert self._session is not None
        self._session.write(TEXT, json.dumps(message).encode())
        assert self.acknowledged.get(timeout=5) == name
        return name

    def refresh(self) -> None:
        """Ask the app to connect anew, as Slack does every few hours."""
        self.connected.clear()
        assert self._session is not None
        self._session.write(TEXT, json.dumps({"type": "disconnect", "reason": "refresh_requested"}).encode())

    def drop(self) -> None:
        """Cut the connection."""
        self.connected.clear()
        if self._session is not None:
            with suppress(OSError):
                self._session.connection.shutdown(2)

    def attach(self, session: _Session) -> None:
        """An app has connected."""
        self._session, self.connections = session, self.connections + 1
        session.write(TEXT, json.dumps({"type": "hello", "num_connections": 1}).encode())
        self.connected.set()
        threading.Thread(target=session.beat, daemon=True).start()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    standin: SocketStandin


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError, ValueError, struct.error):
            self._greet()
            self.server.standin.attach(self)
            while self._turn():
                pass

    def _greet(self) -> None:
        lines = iter(lambda: self.rfile.readline().decode().strip(), "")
        headers = dict(
            line.lower().split(": ", 1) if line.isupper() else line.split(": ", 1) for line in lines if ": " in line
        )
        key = next(value for name, value in headers.items() if name.lower() == "sec-websocket-key")
        accept = b64encode(sha1((key + GUID).encode()).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.wfile.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())

    def _turn(self) -> bool:
        first, second = self.rfile.read(2)
        size = second & 0x7F
        if size > 125:
            size = struct.unpack(">H" if size == 126 else ">Q", self.rfile.read(2 if size == 126 else 8))[0]
        mask, data = self.rfile.read(4), self.rfile.read(size)
        body = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        if first & 0xF == PING:
            self.write(PONG, body)
        elif first & 0xF == TEXT:
            self.server.standin.acknowledged.put(json.loads(body)["envelope_id"])
        return first & 0xF != CLOSE

    def beat(self) -> None:
        """Ping often: an app that is about to go waits for the next frame first."""
        with suppress(OSError, ValueError):
            while not self.wfile.closed:
                self.write(PING, b"beat")
                time.sleep(0.05)

    def write(self, opcode: int, body: bytes) -> None:
        """Send one frame."""
        size = bytes([len(body)]) if len(body) < 126 else b"\x7e" + struct.pack(">H", len(body))
        self.wfile.write(bytes([0x80 | opcode]) + size + body)
