"""Incidents as alerts of an Alertmanager, by its API v2: it groups, silences and routes them as it does Prometheus' own.

As Prometheus does, slicewatch sends what fires again and again, and says each time how long it holds. What is not sent
again, because nobody runs slicewatch any more, is over by itself.
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts.message import ENDS, plain_text
from alerts.model import Change, Message, Receipt, SendError, State
from alerts.notifiers import http
from alerts.ports import HOLDS, Delivery, Part
from alerts.wording import name_of
from rules.model import Severity

WHO = "Alertmanager"
MOST_AT_ONCE = 200
TOLD_ONCE = timedelta(hours=1)
"""How long an alert fires of which nothing stays open: a value that is new."""


class AlertmanagerNotifier:
    """Posts to one Alertmanager at `url`, with a login of basic authentication or a bearer `token` where it wants one."""

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        holds: timedelta = HOLDS,
        timeout: float = http.TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.holds = holds
        base = url.rstrip("/")
        self._alerts = http.Target(f"{base}/api/v2/alerts", WHO, timeout, context=context)
        self._status = http.Target(f"{base}/api/v2/status", WHO, timeout, context=context)
        self._headers = {"Content-Type": "application/json", **_authorization(username, password, token)}

    def send(self, delivery: Delivery) -> Receipt:
        """Post the alert as it stands; a chart's or a file's delivery ends without a word. Raises `SendError`."""
        if delivery.part is Part.TEXT:
            at, first = delivery.claimed_at or delivery.created_at, delivery.root is None
            self._post(alerts(delivery.message, at, first=first, plain=delivery.plain, holds=self.holds))
        return Receipt(ref=delivery.message.key)

    def again(self, messages: Sequence[Message], now: datetime) -> None:
        """Post how these stand, so that what fires goes on firing. Raises `SendError`."""
        for begin in range(0, len(messages), MOST_AT_ONCE):
            some = messages[begin : begin + MOST_AT_ONCE]
            self._post([alert for message in some for alert in alerts(message, now, holds=self.holds)])

    def ask(self) -> None:
        """Whether an Alertmanager answers there. Raises `SendError`."""
        _settle(http.request(self._status, "GET", None, self._headers))

    def _post(self, made: list[dict[str, Any]]) -> None:
        _settle(http.post(self._alerts, json.dumps(made).encode(), self._headers))


def alerts(
    message: Message, at: datetime, *, first: bool = True, plain: bool = False, holds: timedelta = HOLDS
) -> list[dict[str, Any]]:
    """The alert of a message told at a time. What it was as another severity is over: labels are what an alert is."""
    made = [_alert(message, message.severity, at, _until(message, at, holds), plain=plain)]
    others = [] if first else [severity for severity in Severity if severity is not message.severity]
    return made + [_alert(message, severity, at, at, plain=True) for severity in others]


def _alert(message: Message, severity: Severity, at: datetime, until: datetime, *, plain: bool) -> dict[str, Any]:
    labels = {"alertname": message.rule, "severity": severity.value, "incident": message.key, "source": "slicewatch"}
    notes = {"summary": message.push, "cause": name_of(message.cause) if message.cause.terms else "total"}
    if not plain:
        notes |= {"description": plain_text(message)}
        notes |= {"runbook_url": message.runbook_url} if message.runbook_url else {}
    start = min(message.since or at, until)
    made = {"labels": labels, "annotations": notes, "startsAt": start.isoformat(), "endsAt": until.isoformat()}
    return made | ({"generatorURL": message.page_url} if message.page_url and not plain else {})


def _until(message: Message, at: datetime, holds: timedelta) -> datetime:
    if message.change is Change.OPENED:
        return at + (TOLD_ONCE if message.state is State.RESOLVED else holds)
    return at if message.change in ENDS or message.state is State.RESOLVED else at + holds


def _authorization(username: str | None, password: str | None, token: str | None) -> dict[str, str]:
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    if username is None:
        return {}
    login = f"{username}:{password or ''}"
    return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _settle(answer: http.Answer) -> None:
    if answer.status == 404:
        raise SendError(
            f"{WHO} answers 404: no API v2 is there, so the path of its address may be wrong", permanent=True
        )
    http.expect_success(answer, WHO)
