"""Keeping secrets out of what is told: whatever a server, a driver or a library repeats of them.

Errors are made from what others answer, and some answer with the whole request. So texts are cleaned where they come
in: errors of receivers and sources, what is logged, and what is noted of a rule that fails.
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from alerts.model import Message, Receipt, SendError
from alerts.ports import Askable, Delivery, Expiring, Notifier
from monitor.setting_values import MissingSecretError, Secret
from monitor.settings import ReceiverSettings, Settings

HIDDEN = "***"
SHORTEST = 4
"""Characters of a secret that is hidden at all: a shorter one stands in every other word."""
ENOUGH = 6
"""Characters of its beginning by which a secret is known that was cut off."""


@dataclass(frozen=True)
class Discretion:
    """Hides some words, in all the forms in which they travel."""

    forms: tuple[str, ...] = ()

    @classmethod
    def of(cls, secrets: Iterable[Secret]) -> Discretion:
        """For the secrets that can be read now; others are nowhere yet."""
        return cls.hiding(_read(secret) for secret in secrets)

    @classmethod
    def hiding(cls, values: Iterable[str]) -> Discretion:
        """For values that are secrets, or hold some."""
        found = {form for value in values for word in words_of(value) for form in forms_of(word)}
        return cls(tuple(sorted(found)))

    def clean(self, text: str) -> str:
        """The text without the words, and without the beginning of one that was cut off."""
        hidden = sorted(span for form in self.forms for span in _places(text, form))
        out, at = [], 0
        for start, end in hidden:
            if start >= at:
                out += [text[at:start], HIDDEN]
            at = max(at, end)
        return "".join([*out, text[at:]])

    def cleaned(self, error: SendError) -> SendError:
        """The same error, in words that may be told."""
        return SendError(
            self.clean(str(error)),
            permanent=error.permanent,
            retry_after=error.retry_after,
            unknown=error.unknown,
            refused=error.refused,
        )


def _read(secret: Secret) -> str:
    try:
        return secret.reveal()
    except MissingSecretError:
        return ""


def _places(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Where the form stands, from and to, at least its beginning."""
    start = text.find(form[:ENOUGH])
    while start >= 0:
        end = start + min(ENOUGH, len(form))
        while end < len(text) and end - start < len(form) and text[end] == form[end - start]:
            end += 1
        yield start, end
        start = text.find(form[:ENOUGH], end)


# --- what is secret of a value ---------------------------------------------------------------------------------


def words_of(value: str) -> list[str]:
    """The value itself; of a URL what in it is nobody's to know, for its host is no secret."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return [value]
    if not parts.scheme or "://" not in value:
        # Spoilt ones too: whatever stands before a host's sign.
        return [value, *value.rpartition("@")[0].split(":")[-1:]]
    login, _, host = parts.netloc.rpartition("@")
    _, _, password = login.partition(":")
    named = [text for _, text in parse_qsl(parts.query)]
    places = [piece for piece in (login, *host.split("."), *parts.path.split("/"), *named) if _looks_secret(piece)]
    found = [password, *places]
    return [word for piece in found for word in dict.fromkeys((piece, unquote(piece))) if word]


def _looks_secret(piece: str) -> bool:
    """Whether a part of an address was made by a machine: long, or with digits or capitals within."""
    mixed = any(char.isdigit() for char in piece) or piece.lower() != piece
    return len(piece) >= 20 or (len(piece) >= 8 and mixed)


def forms_of(word: str) -> Iterator[str]:
    """How a word travels: plain, in an address, in JSON, and within base64, whatever stands before it."""
    if len(word) < SHORTEST:
        return
    yield from {word, quote(word), quote(word, safe=""), quote_plus(word), json.dumps(word)[1:-1]}
    raw = word.encode("utf-8", "surrogatepass")
    for before in range(3):
        whole = b64encode(b"\0" * before + raw).decode()
        # The characters that the word alone decides: those at its ends also hold what stands around it.
        inner = whole[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
        if len(inner) >= ENOUGH:
            yield from {inner, inner.replace("+", "-").replace("/", "_")}


# --- where texts come in ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Discreet:
    """A notifier whose errors hold none of the secrets it was made from."""

    inner: Notifier
    discretion: Discretion

    def send(self, delivery: Delivery) -> Receipt:
        """As of the notifier."""
        try:
            return self.inner.send(delivery)
        except SendError as error:
            raise self.discretion.cleaned(error) from None


@dataclass(frozen=True)
class DiscreetAskable(Discreet):
    """One that can be asked."""

    def ask(self) -> None:
        """As of the notifier."""
        assert isinstance(self.inner, Askable)
        try:
            self.inner.ask()
        except SendError as error:
            raise self.discretion.cleaned(error) from None


@dataclass(frozen=True)
class DiscreetExpiring(DiscreetAskable):
    """One that has to be told again."""

    @property
    def holds(self) -> timedelta:
        """As of the notifier."""
        assert isinstance(self.inner, Expiring)
        return self.inner.holds

    def again(self, messages: Sequence[Message], now: datetime) -> None:
        """As of the notifier."""
        assert isinstance(self.inner, Expiring)
        try:
            self.inner.again(messages, now)
        except SendError as error:
            raise self.discretion.cleaned(error) from None


def discreet(notifier: Notifier, receiver: ReceiverSettings) -> Notifier:
    """The notifier of a receiver, whose errors may be told; one without a secret as it is."""
    discretion = Discretion.of(secret for _, secret in receiver.secrets)
    if not discretion.forms:
        return notifier
    if isinstance(notifier, Expiring):
        return DiscreetExpiring(notifier, discretion)
    return DiscreetAskable(notifier, discretion) if isinstance(notifier, Askable) else Discreet(notifier, discretion)


class DiscreetLog(logging.Filter):
    """Cleans what a handler writes: the line, and the traceback."""

    def __init__(self, discretion: Discretion) -> None:
        super().__init__()
        self._discretion = discretion

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything through, cleaned."""
        record.msg, record.args = self._discretion.clean(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self._discretion.clean(record.exc_text)
        return True


def keep_from_log(settings: Settings) -> None:
    """From now on no handler of our log writes a secret of these settings."""
    for handler in logging.getLogger("slicewatch").handlers:
        handler.addFilter(DiscreetLog(Discretion.of(settings.secrets())))
