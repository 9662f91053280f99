"""`[heartbeat]`, `[canary]` and `[tracing]` of slicewatch.toml: how others see that slicewatch itself works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from monitor.setting_values import Reference, Secret, Word, as_secret, as_wait
from rules.cron import Cron
from rules.cron_key import read_cron
from rules.document import Path as KeyPath
from rules.explain import Doc, described, refusal
from rules.problem import Problem
from rules.timezone_key import read_timezone
from rules.vocabulary import did_you_mean
from rules.written import Locate

Value = Callable[[Reference, KeyPath], Secret]
Method = Literal["GET", "POST", "PUT", "HEAD"]
SHORTEST_BEAT = timedelta(seconds=10)
SHORTEST_GAP = timedelta(hours=1)
EVERY_MORNING = Cron.parse("0 6 * * *")


# --- what it means ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeartbeatPlan:
    """Where it is said again and again that the whole cycle works."""

    url: Secret
    fail_url: Secret | None
    """Where it is said that it does not; None: silence says so."""
    every: timedelta
    slack: timedelta
    """How long a rule may be late, and a thread without a sign of life, beyond its own rhythm."""
    oldest: timedelta
    """How long a message may be due and not be taken up."""
    method: Method
    body: str


@dataclass(frozen=True)
class CanaryPlan:
    """When a slice is dropped on purpose, and where the news of it must arrive."""

    receiver: str
    cron: Cron
    timezone: str
    within: timedelta


@dataclass(frozen=True)
class TracingPlan:
    """Where spans are sent, by OTLP over HTTP."""

    endpoint: str
    headers: Secret | None
    """`name=value,name=value`, as OpenTelemetry's own variable has them."""
    service: str


@dataclass(frozen=True)
class Selfwatch:
    """All of it; None is what is not asked for."""

    heartbeat: HeartbeatPlan | None = None
    canary: CanaryPlan | None = None
    tracing: TracingPlan | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that is named."""
        beat, tracing = self.heartbeat, self.tracing
        found = (*((beat.url, beat.fail_url) if beat else ()), *((tracing.headers,) if tracing else ()))
        return tuple(secret for secret in found if secret is not None)


# --- how it is written ------------------------------------------------------------------------------------------


def _address(raw: object) -> Reference:
    """A web address; most hold the key of whoever may beat, so that it may stand elsewhere."""
    if not isinstance(raw, str):
        return as_secret(raw)
    return Reference("plain", _plain_address(raw))


def _plain_address(raw: object) -> str:
    if not isinstance(raw, str) or not re.match(r"https?://[^/@\s]+(/\S*)?$", raw):
        raise refusal("bad-value", f"{described(raw)} is no web address", 'write "https://..."')
    return raw


def _beat(raw: object) -> timedelta:
    found = as_wait(raw, 'write "1m"')
    if found < SHORTEST_BEAT:
        raise refusal("bad-duration", f"{described(raw)} is too short", "ten seconds (10s) is the least")
    return found


def _while(raw: object) -> timedelta:
    return as_wait(raw, 'write "15m"')


def _no_oftener_than_hourly(raw: object) -> Cron:
    cron = read_cron(raw)
    if cron.shortest_gap() < SHORTEST_GAP:
        raise refusal("bad-value", f"'{cron.text}' comes more than once an hour", 'write "0 6 * * *"')
    return cron


Address = Annotated[Reference, PlainValidator(_address), Doc("URL", 'url = {env = "HEARTBEAT_URL"}')]
Zone = Annotated[str, BeforeValidator(read_timezone)]


class HeartbeatShape(BaseModel):
    """A sign of life that is sent only while rules are evaluated, news are delivered and the store is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="[heartbeat]")

    url: Address
    fail_url: Annotated[Reference | None, PlainValidator(_address), Doc("URL", "Told where the cycle fails.")] = None
    every: Annotated[timedelta, PlainValidator(_beat), Doc("duration", 'every = "1m"')] = timedelta(minutes=1)
    slack: Annotated[timedelta, PlainValidator(_while), Doc("duration", 'slack = "15m"')] = timedelta(minutes=15)
    oldest: Annotated[timedelta, PlainValidator(_while), Doc("duration", 'oldest = "10m"')] = timedelta(minutes=10)
    method: Method = "GET"
    body: str = ""


class CanaryShape(BaseModel):
    """A slice of made-up events that is dropped on purpose, to see that the news of it arrive."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="[canary]")

    receiver: Annotated[Word, Doc("receiver", 'receiver = "canary-channel"')]
    cron: Annotated[Cron, PlainValidator(_no_oftener_than_hourly), Doc("cron", 'cron = "0 6 * * *"')] = EVERY_MORNING
    timezone: Annotated[Zone, Doc("time zone", "Of `cron`.")] = "UTC"
    within: Annotated[timedelta, PlainValidator(_while), Doc("duration", 'within = "15m"')] = timedelta(minutes=15)


class TracingShape(BaseModel):
    """Spans of what the daemon does, for OpenTelemetry."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="[tracing]")

    endpoint: Annotated[str, PlainValidator(_plain_address), Doc("URL", 'endpoint = "http://127.0.0.1:4318"')]
    headers: Annotated[
        Reference | None, PlainValidator(as_secret), Doc("secret", 'headers = {env = "OTLP_HEADERS"}')
    ] = None
    service: Annotated[Word, Field(max_length=100), Doc("string", "What these spans are called after.")] = "slicewatch"


def selfwatch(
    heartbeat: HeartbeatShape | None, canary: CanaryShape | None, tracing: TracingShape | None, value: Value
) -> Selfwatch:
    """From how it is written to what it means."""
    return Selfwatch(
        None if heartbeat is None else _heartbeat(heartbeat, value),
        None if canary is None else CanaryPlan(canary.receiver, canary.cron, canary.timezone, canary.within),
        None if tracing is None else _tracing(tracing, value),
    )


def _heartbeat(shape: HeartbeatShape, value: Value) -> HeartbeatPlan:
    fail = None if shape.fail_url is None else value(shape.fail_url, ("heartbeat", "fail_url"))
    url = value(shape.url, ("heartbeat", "url"))
    return HeartbeatPlan(url, fail, shape.every, shape.slack, shape.oldest, shape.method, shape.body)


def _tracing(shape: TracingShape, value: Value) -> TracingPlan:
    headers = None if shape.headers is None else value(shape.headers, ("tracing", "headers"))
    return TracingPlan(shape.endpoint, headers, shape.service)


def canary_problems(
    shape: CanaryShape | None, kinds: Mapping[str, str], fallback: str | None, locate: Locate
) -> Iterator[Problem]:
    """A receiver that is none, or that would also have to be told that nothing arrived there."""
    if shape is None:
        return
    span = locate(("canary", "receiver"), False)
    if shape.receiver not in kinds:
        yield span.problem(
            "unknown-receiver", f"'{shape.receiver}' is not a receiver", did_you_mean(shape.receiver, kinds)
        )
    elif fallback in {None, shape.receiver}:
        message = "nobody else would hear that no canary arrived there"
        yield span.problem("contradiction", message, 'name another receiver as `fallback = "..."`, above all tables')
