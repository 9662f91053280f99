"""Socket Mode: what is pressed comes over a connection that slicewatch opens, so that nothing of it is open to the world."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from monitor.slack_actions.requests import Payload

log = logging.getLogger("slicewatch")

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds between two attempts to connect, doubling."""
CONCURRENCY = 4
TAKEN = frozenset({"interactive", "slash_commands"})


class SocketLine:
    """One app's connection: kept up by the library once it stands, tried again until then."""

    def __init__(self, app_token: str, base_url: str | None, take: Callable[[Payload], None]) -> None:
        # The library tells of every reconnection: that is for whoever looks for a fault in it.
        logger = logging.getLogger("slicewatch.slack_sdk.socket")
        logger.setLevel(logging.CRITICAL)
        web = WebClient(base_url=base_url or WebClient.BASE_URL, retry_handlers=[], logger=logger, timeout=10)
        self._client = SocketModeClient(app_token, logger, web, concurrency=CONCURRENCY)
        if (urlsplit(web.base_url).hostname or "") in {"localhost", "127.0.0.1", "::1"}:
            # The client takes a proxy from the environment, and overlooks NO_PROXY.
            self._client.proxy = web.proxy = None
        self._client.socket_mode_request_listeners.append(self._listen)
        self._take = take
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._connect, name="slack", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End the connection; what is being done is done to its end."""
        self._stopped.set()
        self._thread.join(timeout=15)
        self._client.close()

    def _connect(self) -> None:
        wait = FIRST_WAIT
        while not self._stopped.is_set() and not self._attempt():
            self._stopped.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _attempt(self) -> bool:
        """Whether the library has taken over: from then on it connects again by itself."""
        try:
            self._client.connect()
        except Exception as error:  # noqa: BLE001  # the library raises as it comes; the daemon goes on all the same
            log.error("Slack's buttons do not work yet, Socket Mode could not connect: %s", error)
            return False
        if self._client.is_connected():
            log.info("Slack's buttons work: connected by Socket Mode")
        return True

    def _listen(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        # Slack waits three seconds for this, and for nothing else: the answer goes its own way.
        client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        if request.type in TAKEN:
            self._take(request.payload)
