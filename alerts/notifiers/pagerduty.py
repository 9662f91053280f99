"""Incidents in PagerDuty through its Events API v2: one alert per incident, keyed by it."""

from __future__ import annotations

import json
import ssl
from typing import Any

from alerts.message import ENDS, plain_text
from alerts.model import Change, Message, Receipt, SendError, State
from alerts.notifiers import http
from alerts.ports import Delivery, Part
from alerts.wording import name_of, shorten
from rules.model import Severity

BASE_URL = "https://events.pagerduty.com"
WHO = "PagerDuty"
SUMMARY_LENGTH = 1_024
KEY_LENGTH = 255
PREFIX = "slicewatch/"
SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
NO_INCIDENT = "slicewatch-check"
"""A key that no incident has: resolving it changes nothing, and tells whether PagerDuty knows the routing key."""


class PagerDutyNotifier:
    """Sends to the service that `routing_key` belongs to; `base_url` is another one for the service region EU."""

    def __init__(
        self,
        routing_key: str,
        *,
        base_url: str = BASE_URL,
        webhook_secret: str | None = None,  # noqa: ARG002  # for what comes back; the notifier only sends
        timeout: float = http.TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._key = routing_key
        self._target = http.Target(f"{base_url.rstrip('/')}/v2/enqueue", WHO, timeout, context=context)

    def send(self, delivery: Delivery) -> Receipt:
        """Trigger, acknowledge or resolve; a chart's or a file's delivery ends without a word. Raises `SendError`."""
        if delivery.part is Part.TEXT:
            wanted = action(delivery.message)
            if delivery.root is None and wanted != "trigger":
                # News that waited are told as one: of an alert that it does not know PagerDuty would not hear the end.
                self._post(event(delivery.message, "trigger", plain=delivery.plain))
            self._post(event(delivery.message, wanted, plain=delivery.plain))
        return Receipt(ref=_dedup_key(delivery.message.key))

    def ask(self) -> None:
        """Whether PagerDuty takes events with this routing key; no alert comes of it. Raises `SendError`."""
        self._post({"event_action": "resolve", "dedup_key": NO_INCIDENT})

    def _post(self, form: dict[str, Any]) -> None:
        body = json.dumps({"routing_key": self._key, **form}).encode()
        answer = http.post(self._target, body, {"Content-Type": "application/json"})
        if answer.status == 400 and "routing" in answer.body.lower():
            raise SendError(f"{WHO} does not know the routing key", permanent=True)
        http.expect_success(answer, WHO)


def event(message: Message, what: str, *, plain: bool = False) -> dict[str, Any]:
    """An event of an action and a message, without the routing key; the plain one carries no details."""
    form: dict[str, Any] = {"event_action": what, "dedup_key": _dedup_key(message.key)}
    if what != "trigger":
        return form
    form |= {"payload": _payload(message, plain=plain), "client": "slicewatch"}
    named = (("Open in slicewatch", message.page_url), ("Runbook", message.runbook_url))
    links = [{"href": url, "text": text} for text, url in named if url and not plain]
    return form | ({"links": links} if links else {})


def action(message: Message) -> str:
    """`trigger`, `acknowledge` or `resolve`; a value that is new stays open until somebody has seen it.

    Whatever ends an incident resolves its alert, since nothing else would. What is told though somebody snoozed the
    incident is louder than that: where the alert was resolved by hand it is triggered anew.
    """
    if message.change is Change.OPENED:
        return "trigger"
    if message.change in ENDS or message.state is State.RESOLVED:
        return "resolve"
    return "acknowledge" if message.state is State.ACKNOWLEDGED or message.change is Change.SNOOZED else "trigger"


def _payload(message: Message, *, plain: bool) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "summary": shorten(message.push, SUMMARY_LENGTH),
        "source": shorten(message.rule, SUMMARY_LENGTH),
        "severity": SEVERITIES[message.severity],
        "component": shorten(name_of(message.cause) if message.cause.terms else "total", SUMMARY_LENGTH),
        "class": message.change.value,
    }
    if message.since is not None:
        payload["timestamp"] = message.since.isoformat()
    return payload if plain else payload | {"custom_details": _details(message)}


def _details(message: Message) -> dict[str, str]:
    """Label and text of each fact; the whole message as text comes first."""
    facts = {fact.label: fact.text for fact in message.facts}
    return {"What happened": plain_text(message), **facts, "Incident": message.key}


def incident_of(dedup_key: str) -> str | None:
    """The incident that an alert is about; None for an alert of somebody else."""
    ours = dedup_key.startswith(PREFIX) and len(dedup_key) > len(PREFIX)
    return dedup_key.removeprefix(PREFIX) if ours else None


def _dedup_key(key: str) -> str:
    return f"{PREFIX}{key}"[:KEY_LENGTH]
