"""Signed HTTP: Slack posts what is pressed to an address of slicewatch. What is not signed, too old or repeated is refused."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from slack_sdk.signature import Clock, SignatureVerifier

from monitor.slack_actions.requests import Payload

log = logging.getLogger("slicewatch")

PATH = "/slack/actions"
MOST_BYTES = 1 << 20
FRESH_SECONDS = 300.0
"""How old a request may be, and so how long its signature has to be remembered."""
TIMEOUT_SECONDS = 10.0


class Seal:
    """Tells requests of Slack from others, and each from its repetition. `clock` is the time in seconds."""

    def __init__(self, secrets: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        class _Clock(Clock):
            def now(self) -> float:
                return clock()

        self._clock = clock
        self._verifiers = [SignatureVerifier(secret, _Clock()) for secret in secrets]
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def refusal(self, body: bytes, headers: Mapping[str, str]) -> str | None:
        """Why a request is not taken; None for one that is, which is taken once."""
        signature = headers.get("x-slack-signature") or ""
        stamp = headers.get("x-slack-request-timestamp") or ""
        if not (signature.isascii() and stamp.isascii() and stamp.isdigit()):
            return "it is not signed"
        if not any(verifier.is_valid(body, stamp, signature) for verifier in self._verifiers):
            return "its signature is wrong, or it is too old"
        return None if self._first(signature) else "it was taken before"

    def _first(self, signature: str) -> bool:
        now = self._clock()
        with self._lock:
            # Twice as long: a request may be as much of the future as of the past.
            self._seen = {name: at for name, at in self._seen.items() if now - at < 2 * FRESH_SECONDS}
            first = signature not in self._seen
            self._seen[signature] = now
        return first


class SignedServer:
    """Listens at an address of this machine; a proxy in front of it brings HTTPS."""

    def __init__(self, listen: str, seal: Seal, take: Callable[[Payload], None]) -> None:
        host, _, port = listen.rpartition(":")
        self._server = _Server((host.strip("[]"), int(port)), _Handler)
        self._server.seal, self._server.take = seal, take
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="slack-http", daemon=True)

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
    seal: Seal
    take: Callable[[Payload], None]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Say nothing: what is done is logged where it is done, and what is refused below."""

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or ""
        if self.path.partition("?")[0] != PATH or not length.isdigit() or int(length) > MOST_BYTES:
            self._answer(404)
            return
        body = self.rfile.read(int(length))
        refused = self.server.seal.refusal(body, {name.lower(): value for name, value in self.headers.items()})
        payload = None if refused else payload_of(body)
        if refused or payload is None:
            log.warning(
                "a request to Slack's buttons from %s is refused: %s", self.client_address[0], refused or "no form"
            )
            self._answer(401 if refused else 400)
            return
        # Slack waits three seconds for this; the answer goes its own way.
        self._answer(200)
        threading.Thread(target=self.server.take, args=(payload,), name="slack-act").start()

    def _answer(self, status: int) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def payload_of(body: bytes) -> Payload | None:
    """The payload of a form: of an interaction its JSON, of a command the form itself; None where it is neither."""
    try:
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        found = json.loads(form["payload"]) if "payload" in form else form
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
