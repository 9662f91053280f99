"""The shape of `[receivers.NAME]` in the operators' file, by kind. A field is an argument of the kind's notifier."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from alerts.notifiers.http import address_kind
from alerts.ports import HOLDS
from monitor.operating import ReceiverShape
from monitor.setting_values import Pace, Reference, SecretRef, Word, as_http, as_secret, as_wait
from rules.explain import Doc, described, refusal

LEAST_HELD = timedelta(minutes=5)
SECURITY = ("starttls", "tls", "none")
"""How a connection to a mail server is secured."""


def _address(raw: object) -> str:
    """A mail address alone, without a display name."""
    if not isinstance(raw, str) or not raw.isascii() or not re.fullmatch(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+", raw):
        raise refusal("bad-value", f"{described(raw)} is no mail address", 'write "recs-oncall@example.com"')
    return raw


def _addresses(raw: object) -> tuple[str, ...]:
    items = raw if isinstance(raw, list) else [raw]
    if not items:
        raise refusal("empty", "'to' may not be empty", 'write ["recs-oncall@example.com"]')
    return tuple(map(_address, items))


def _actors(raw: object) -> tuple[str, ...]:
    """Ids of users and of user groups. A name is none: people change it."""
    items = raw if isinstance(raw, list) else [raw]
    for number, item in enumerate(items):
        if not isinstance(item, str) or not re.fullmatch(r"[UWS][A-Z0-9]{2,}", item):
            hint = 'write ids such as "U024BE7LH", of groups "S0614TZR7": in Slack, a profile\'s menu copies its id'
            raise refusal("bad-value", f"{described(item)} is no id of a user or a user group", hint, at=(number,))
    return tuple(items)


def _web_address(raw: object) -> Reference:
    """Where to post: often a secret, since whoever knows it may post too."""
    return Reference("plain", as_http(raw)) if isinstance(raw, str) else as_secret(raw)


def _security(raw: object) -> str:
    if raw not in SECURITY:
        hint = 'write "starttls", "tls" or "none"'
        raise refusal("unknown-value", f"{described(raw)} is no way to secure a connection", hint)
    return str(raw)


def _holds(raw: object) -> timedelta:
    value = as_wait(raw, 'write "4h"')
    if value < LEAST_HELD:
        raise refusal("bad-value", f"{described(raw)} is too short to send it again in time", 'write at least "5m"')
    return value


def _check_login(username: str | None, password: Reference | None) -> None:
    if password is not None and username is None:
        hint = 'add it: username = "slicewatch"'
        raise refusal("missing-key", "a password needs its 'username'", hint, at=("password",))


Http = Annotated[str | None, BeforeValidator(as_http)]
WebAddress = Annotated[Reference, PlainValidator(_web_address)]
Port = Annotated[int, Field(strict=True, gt=0, lt=65_536)]


class SlackShape(ReceiverShape):
    """A bot's channel: everything is possible."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind slack")

    kind: Literal["slack"]
    channel: Annotated[Word, Doc("string", 'channel = "#recs-oncall"')]
    token: Annotated[SecretRef, Doc("secret", 'token = {env = "SLACK_BOT_TOKEN"}')]
    app_token: SecretRef | None = None
    signing_secret: SecretRef | None = None
    actors: Annotated[tuple[str, ...], PlainValidator(_actors)] = ()
    base_url: Http = None

    @model_validator(mode="after")
    def _acting(self) -> Self:
        if self.actors and self.app_token is None and self.signing_secret is None:
            hint = "add 'app_token' (or 'signing_secret'): without it there are no buttons"
            raise refusal(
                "missing-key", "'actors' means nothing without 'app_token'", hint, at=("actors",), at_key=True
            )
        return self


class SlackWebhookShape(ReceiverShape):
    """An incoming webhook: messages only."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind slack-webhook")

    kind: Literal["slack-webhook"]
    url: Annotated[SecretRef, Doc("secret", 'url = {env = "SLACK_WEBHOOK_URL"}')]
    allow_private: Annotated[bool, Field(strict=True)] = False


class PagerDutyShape(ReceiverShape):
    """A service of PagerDuty."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind pagerduty")

    kind: Literal["pagerduty"]
    routing_key: Annotated[SecretRef, Doc("secret", 'routing_key = {env = "PAGERDUTY_ROUTING_KEY"}')]
    webhook_secret: SecretRef | None = None
    base_url: Http = None


class EmailShape(ReceiverShape):
    """Mail addresses, and the server that takes mail for them."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind email")

    kind: Literal["email"]
    host: Annotated[Word, Doc("string", 'host = "smtp.example.com"')]
    port: Port | None = None
    security: Annotated[str, PlainValidator(_security)] = "starttls"
    username: Word | None = None
    password: SecretRef | None = None
    sender: Annotated[
        str, Field(alias="from"), BeforeValidator(_address), Doc("address", 'from = "slicewatch@example.com"')
    ]
    to: Annotated[tuple[str, ...], PlainValidator(_addresses), Doc("addresses", 'to = ["recs-oncall@example.com"]')]

    @model_validator(mode="after")
    def _login(self) -> Self:
        _check_login(self.username, self.password)
        if self.password is not None and self.security == "none":
            hint = 'write security = "starttls" or "tls", or leave the password out'
            raise refusal("contradiction", "the password would go over an open line", hint, at=("password",))
        return self


class WebhookShape(ReceiverShape):
    """A program of one's own."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind webhook")

    kind: Literal["webhook"]
    url: Annotated[WebAddress, Doc("URL", 'url = "https://hooks.example.com/slicewatch"')]
    secret: SecretRef | None = None
    token: SecretRef | None = None
    allow_private: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        """An address that is written as one is known to be refused; where a name leads is seen when it is sent to."""
        host = urlsplit(self.url.source).hostname or "" if self.url.kind == "plain" else ""
        kind = address_kind(host)
        if kind and not self.allow_private:
            message = f"{host} is an address of {kind}: nothing would be sent there"
            raise refusal("contradiction", message, "add allow_private = true if that is meant", at=("url",))
        return self


class AlertmanagerShape(ReceiverShape):
    """An Alertmanager of Prometheus."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind alertmanager")

    kind: Literal["alertmanager"]
    url: Annotated[WebAddress, Doc("URL", 'url = "http://alertmanager:9093"')]
    username: Word | None = None
    password: SecretRef | None = None
    token: SecretRef | None = None
    holds: Annotated[
        timedelta, PlainValidator(_holds), Doc("duration", "How long an alert fires that is not sent again.")
    ] = HOLDS

    @model_validator(mode="after")
    def _login(self) -> Self:
        _check_login(self.username, self.password)
        return self


class AppriseShape(ReceiverShape):
    """Whatever Apprise knows: Microsoft Teams and a hundred others."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind apprise")

    kind: Literal["apprise"]
    url: Annotated[SecretRef, Doc("secret", 'url = {env = "TEAMS_URL"}')]


class ConsoleShape(ReceiverShape):
    """Standard output."""

    model_config = ConfigDict(extra="forbid", title="a receiver of kind console")

    kind: Literal["console"]
    pace: Pace = timedelta(0)


RECEIVERS: Mapping[str, type[BaseModel]] = {
    "slack": SlackShape,
    "slack-webhook": SlackWebhookShape,
    "pagerduty": PagerDutyShape,
    "email": EmailShape,
    "webhook": WebhookShape,
    "alertmanager": AlertmanagerShape,
    "apprise": AppriseShape,
    "console": ConsoleShape,
}


def fields_of(shape: BaseModel) -> Iterator[tuple[str, str, object]]:
    """Each argument of the notifier that was given or has a default: its name, its key in the file, its value."""
    for name, info in type(shape).model_fields.items():
        value = getattr(shape, name)
        if name not in {"kind", "actors"} and name not in ReceiverShape.model_fields and value is not None:
            yield name, info.alias or name, value
