"""`[daemon]` and `[log]` of slicewatch.toml: how a daemon ends, where it says how it does, and how its log is written."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator

from monitor.setting_values import as_wait
from monitor.web_settings import as_listen
from rules.explain import Doc, described, refusal
from rules.vocabulary import did_you_mean, one_of

DEFAULT_GRACE = timedelta(seconds=30)
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class DaemonSettings:
    """`[daemon]` as it is meant."""

    grace: timedelta = DEFAULT_GRACE
    """How long what runs has to end, once the daemon was asked to."""
    health: str | None = None
    """Where `/healthz` and `/readyz` are answered besides `[web] listen`, without any page."""


@dataclass(frozen=True)
class LogSettings:
    """`[log]` as it is meant."""

    format: Format = "text"
    level: Level = "info"

    @property
    def number(self) -> int:
        """The level as `logging` counts."""
        return LEVELS[self.level]


def _word(known: Iterable[str]) -> BeforeValidator:
    names = tuple(known)

    def check(raw: object) -> object:
        if raw not in names:
            hint = did_you_mean(raw, names) if isinstance(raw, str) else ""
            raise refusal("unknown-value", f"{described(raw)} is not {one_of(names)}", hint)
        return raw

    return BeforeValidator(check)


def _grace(raw: object) -> timedelta:
    return as_wait(raw, 'write grace = "30s"')


class DaemonShape(BaseModel):
    """How `[daemon]` is written."""

    model_config = ConfigDict(extra="forbid", title="[daemon]")

    grace: Annotated[timedelta, BeforeValidator(_grace), Doc("duration", 'grace = "30s"')] = DEFAULT_GRACE
    health: Annotated[str | None, PlainValidator(as_listen), Doc("address", 'health = "127.0.0.1:8081"')] = None


class LogShape(BaseModel):
    """How `[log]` is written."""

    model_config = ConfigDict(extra="forbid", title="[log]")

    format: Annotated[Format, _word(get_args(Format))] = "text"
    level: Annotated[Level, _word(LEVELS)] = "info"


def daemon_settings(shape: DaemonShape) -> DaemonSettings:
    """From how it is written to what it means."""
    return DaemonSettings(shape.grace, shape.health)


def log_settings(shape: LogShape) -> LogSettings:
    """From how it is written to what it means."""
    return LogSettings(shape.format, shape.level)
