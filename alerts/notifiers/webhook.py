"""Messages as JSON to a program of one's own, signed so that it knows whom they are from.

Signed as Standard Webhooks lays down, so that libraries which verify it exist: HMAC-SHA256 over id, time and body.
"""

from __future__ import annotations

import ssl
import time
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from hashlib import sha256
from hmac import digest

from alerts.model import Receipt, SendError
from alerts.notifiers import http
from alerts.notifiers.webhook_body import body_of, message_id
from alerts.ports import Delivery, Part

WHO = "the webhook"
PREFIX = "whsec_"
"""Before a secret that is written in base64; another one is taken as it is."""


class WebhookNotifier:
    """Posts to one address; with a `secret` signed, with a `token` as `Authorization: Bearer`."""

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        token: str | None = None,
        allow_private: bool = False,
        timeout: float = http.TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.time,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._target = http.Target(url, WHO, timeout, public_only=not allow_private, context=context)
        self._secret = secret
        self._token = token
        self._clock = clock

    def send(self, delivery: Delivery) -> Receipt:
        """Post the body; the series of a chart and what to load again are in it, so their own deliveries end without a word.

        Raises `SendError`.
        """
        if delivery.part is Part.TEXT:
            body = body_of(delivery.message, plain=delivery.plain)
            http.expect_success(http.post(self._target, body, self._headers(message_id(delivery.message), body)), WHO)
        return Receipt(ref=delivery.message.key)

    def _headers(self, name: str, body: bytes) -> dict[str, str]:
        at = str(int(self._clock()))
        headers = {"Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": at}
        if self._secret is not None:
            headers["webhook-signature"] = signature(self._secret, name, at, body)
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers


def signature(secret: str, name: str, at: str, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. Raises `SendError` where the secret is unusable."""
    signed = b".".join((name.encode(), at.encode(), body))
    return f"v1,{b64encode(digest(_key(secret), signed, sha256)).decode()}"


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except Base64Error as error:
        raise SendError(
            f"the webhook's secret begins with {PREFIX}, and is no base64 after it", permanent=True
        ) from error
