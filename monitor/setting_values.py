"""Values of the operators' file: secrets and where they are read, URLs, times, words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import BeforeValidator, PlainValidator, StringConstraints

from rules.duration import parse_duration
from rules.explain import Doc, described, refusal
from rules.problem import Place, Problem, Span
from rules.size_key import read_size
from rules.vocabulary import did_you_mean


class SettingsError(Exception):
    """The operators' file cannot be used; `problems` says what is wrong and where."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(problem.render() for problem in self.problems)


class MissingSecretError(SettingsError):
    """A variable or file that a secret is read from is not there."""


@dataclass(frozen=True)
class Secret:
    """A value that is read when it is used, and never shown. `key` is where in the file it is asked for."""

    key: str
    kind: Literal["env", "file", "plain"]
    source: str = field(repr=False)
    """The variable's name, the file's path, or the value itself (of a URL without a password)."""
    span: Span = field(default=Span(Place("")), repr=False, compare=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def reveal(self) -> str:
        """The value. Raises `MissingSecretError`, naming the key and the variable or file."""
        if self.kind == "plain":
            return self.source
        value = self.env.get(self.source, "") if self.kind == "env" else self._read()
        if not value:
            raise MissingSecretError((self._missing(),))
        return value

    def _read(self) -> str:
        try:
            return Path(self.source).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def _missing(self) -> Problem:
        if self.kind == "env":
            message = f"missing secret: {self.key} reads the variable {self.source}, which is not set"
            return self.span.problem("missing-secret", message, f"set {self.source}")
        message = f"missing secret: {self.key} reads the file {self.source}, which is empty or cannot be read"
        return self.span.problem("missing-secret", message, "write the secret into it")


@dataclass(frozen=True)
class Reference:
    """A value, or where it is to be read."""

    kind: Literal["env", "file", "plain"]
    source: str


def as_secret(raw: object) -> Reference:
    """`{env = "NAME"}` or `{file = "PATH"}`; the value itself is never repeated in a message."""
    hint = 'write {env = "NAME"} or {file = "PATH"}'
    if isinstance(raw, str):
        raise refusal("plain-secret", "a secret may not stand in the file", hint)
    if isinstance(raw, dict) and len(raw) == 1:
        kind, source = next(iter(raw.items()))
        if kind in {"env", "file"} and isinstance(source, str) and source:
            return Reference(kind, source)
        if kind not in {"env", "file"}:
            raise refusal("unknown-key", f"'{kind}' is no place of a secret", did_you_mean(kind, ["env", "file"]))
    raise refusal("wrong-type", "this is no place of a secret", hint)


def as_url(raw: object) -> Reference:
    if not isinstance(raw, str):
        return as_secret(raw)
    if _holds_password(raw):
        hint = 'write {env = "NAME"} or {file = "PATH"}'
        raise refusal("plain-secret", "a URL with a password may not stand in the file", hint)
    if not re.match(r"[a-z][a-z0-9_]*(\+[a-z0-9_]+)?://", raw):
        raise refusal("bad-value", "this is no URL", "write dialect+driver://..., such as sqlite:///slicewatch.db")
    return Reference("plain", raw)


def _holds_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        words = {key.lower() for key, _ in parse_qsl(parts.query)}
    except ValueError:
        return "@" in url
    return ":" in parts.netloc.rpartition("@")[0] or bool(words & {"password", "passwd", "pwd", "token", "secret"})


def as_timeout(raw: object) -> timedelta:
    return as_wait(raw, 'write "30s" or "5m"')


def as_wait(raw: object, hint: str) -> timedelta:
    """A time to wait, longer than nothing; `hint` says how one is written."""
    try:
        value = parse_duration(raw) if isinstance(raw, str) else timedelta(0)
    except ValueError as error:
        raise refusal("bad-duration", str(error), hint) from None
    if not value:
        raise refusal("bad-duration", f"{described(raw)} is no time to wait", hint)
    return value


def as_size(raw: object) -> int:
    return read_size(raw, 'write a number and a unit: "500MB", "20GB"')


def as_pace(raw: object) -> timedelta:
    hint = 'write "1s", or "0" for as fast as it goes'
    if not isinstance(raw, str):
        raise refusal("bad-duration", f"{described(raw)} is no time between two messages", hint)
    try:
        return parse_duration(raw)
    except ValueError as error:
        raise refusal("bad-duration", str(error), hint) from None


def as_http(raw: object) -> str:
    if not isinstance(raw, str) or not re.match(r"https?://[^/@]+(/|$)", raw):
        raise refusal("bad-value", f"{described(raw)} is no web address", 'write "https://..."')
    return raw


SecretRef = Annotated[Reference, PlainValidator(as_secret)]
UrlRef = Annotated[Reference, PlainValidator(as_url)]
Word = Annotated[str, StringConstraints(min_length=1)]
Timeout = Annotated[timedelta, BeforeValidator(as_timeout), Doc("duration", "How long a query may run.")]
Scan = Annotated[int | None, BeforeValidator(as_size), Doc("amount of data", "How much one query may read.")]
Pace = Annotated[
    timedelta, BeforeValidator(as_pace), Doc("duration", "Least time between two messages to this receiver.")
]
