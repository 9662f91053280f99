"""Signed HTTP: Slack posts what is pressed to an address of slicewatch. What is not signed, too old or repeated is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs

from slack_sdk.signature import Clock, SignatureVerifier

from monitor.signed_http import Door, Once, RefusedRequestError
from monitor.slack_actions.requests import Payload

PATH = "/slack/actions"
FRESH_SECONDS = 300.0
"""How old a request may be, and so how long its signature has to be remembered."""


class Seal:
    """Tells requests of Slack from others, and each from its repetition. `clock` is the time in seconds."""

    def __init__(self, secrets: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        class _Clock(Clock):
            def now(self) -> float:
                return clock()

        self._verifiers = [SignatureVerifier(secret, _Clock()) for secret in secrets]
        # Twice as long: a request may be as much of the future as of the past.
        self._once = Once(2 * FRESH_SECONDS, clock)

    def read(self, body: bytes, headers: Mapping[str, str]) -> Payload:
        """What a request says, which is taken once. Raises `RefusedRequestError`."""
        signature = headers.get("x-slack-signature") or ""
        stamp = headers.get("x-slack-request-timestamp") or ""
        if not (signature.isascii() and stamp.isascii() and stamp.isdigit()):
            raise RefusedRequestError("it is not signed")
        if not any(verifier.is_valid(body, stamp, signature) for verifier in self._verifiers):
            raise RefusedRequestError("its signature is wrong, or it is too old")
        if not self._once.first(signature):
            raise RefusedRequestError("it was taken before")
        payload = payload_of(body)
        if payload is None:
            raise RefusedRequestError("no form", status=400)
        return payload


def door(seal: Seal, take: Callable[[Payload], None]) -> Door[Payload]:
    """Where Slack posts."""
    return Door(PATH, "a request to Slack's buttons", seal.read, take)


def payload_of(body: bytes) -> Payload | None:
    """The payload of a form: of an interaction its JSON, of a command the form itself; None where it is neither."""
    try:
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        found = json.loads(form["payload"]) if "payload" in form else form
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
