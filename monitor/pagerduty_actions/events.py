"""Events of PagerDuty's webhooks (v3), checked and read. Pure but for what was seen before.

Each is signed over its whole body with the secret of its subscription, by HMAC-SHA256; while a secret is replaced there
are several signatures. The time of an event stands in what is signed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from alerts.model import Actor
from alerts.notifiers.pagerduty import incident_of
from monitor.signed_http import Once, RefusedRequestError

FRESH_SECONDS = 3_600.0
"""How old an event may be: PagerDuty tries again what failed. What is done is known by its moment besides, for ever."""
SCHEME = "v1="


class Deed(StrEnum):
    """What somebody did there, as PagerDuty calls it."""

    ACKNOWLEDGED = "incident.acknowledged"
    UNACKNOWLEDGED = "incident.unacknowledged"
    RESOLVED = "incident.resolved"
    REOPENED = "incident.reopened"


@dataclass(frozen=True)
class Event:
    """What somebody did to an incident of slicewatch's, and whose secret vouches for it."""

    deed: Deed
    incident: str
    by: Actor
    at: datetime
    receivers: frozenset[str]
    """Those with the secret it is signed with."""


class Seal:
    """Tells PagerDuty's requests from others', and each from its repetition. `clock` is the time in seconds."""

    def __init__(self, secrets: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        """`secrets` are by the names of the receivers."""
        self._secrets, self._clock = secrets, clock
        self._once = Once(2 * FRESH_SECONDS, clock)

    def read(self, body: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event of a request; None for one that is none of ours. Raises `RefusedRequestError`."""
        receivers = self._signers(body, headers.get("x-pagerduty-signature") or "")
        if not receivers:
            raise RefusedRequestError("it is not signed, or its signature is wrong")
        try:
            found = json.loads(body)["event"]
            name, at = str(found["id"]), datetime.fromisoformat(found["occurred_at"]).astimezone(UTC)
            age = self._clock() - at.timestamp()
            event = read_event(found, at, receivers)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RefusedRequestError("it is no event", status=400) from None
        if abs(age) > FRESH_SECONDS:
            raise RefusedRequestError("it is too old")
        if not self._once.first(name):
            raise RefusedRequestError("it was taken before")
        return event

    def _signers(self, body: bytes, header: str) -> frozenset[str]:
        given = [part.strip().removeprefix(SCHEME) for part in header.split(",") if part.strip().startswith(SCHEME)]
        return frozenset(
            name
            for name, secret in self._secrets.items()
            if any(hmac.compare_digest(signature(secret, body).encode(), item.encode()) for item in given)
        )


def signature(secret: str, body: bytes) -> str:
    """The signature of a body, in hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def read_event(found: Mapping[str, Any], at: datetime, receivers: frozenset[str]) -> Event | None:
    """What a person did to one of our incidents; None for anything else.

    What slicewatch's own events did there, and what PagerDuty did by itself, has no person as its agent.
    """
    agent, data = found.get("agent") or {}, found.get("data") or {}
    incident = incident_of(str(data.get("incident_key") or ""))
    if found.get("event_type") not in set(Deed) or agent.get("type") != "user_reference" or incident is None:
        return None
    who = str(agent["id"])
    by = Actor("pagerduty", who, str(agent.get("summary") or who))
    return Event(Deed(found["event_type"]), incident, by, at, receivers)
