"""Messages by mail, handed to an SMTP server.

A server that answered the end of the mail has it; one that went away after it may have it. Before that it has nothing.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage

from alerts.model import Message, Receipt, SendError
from alerts.notifiers import email_form
from alerts.ports import Delivery, Part
from alerts.time_limit import within
from alerts.wording import clean

TIMEOUT_SECONDS = 20.0
DRAW_SECONDS = 20.0
"""A chart takes half a second; the first of a process may have to look for fonts."""
PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port of a mail server, by how the connection is secured."""
TOO_LARGE = frozenset({523, 552})
UNWANTED = frozenset({550, 554})
"""Answers to a whole mail that say it looks wrong: without HTML and picture it may pass."""

log = logging.getLogger("slicewatch")


@dataclass(frozen=True)
class _Server:
    host: str
    port: int
    security: str
    timeout: float
    context: ssl.SSLContext | None


class EmailNotifier:
    """Sends from one address to others through `host`, by STARTTLS (the default), `tls`, or `none`."""

    def __init__(
        self,
        host: str,
        sender: str,
        to: Sequence[str],
        *,
        port: int | None = None,
        security: str = "starttls",
        username: str | None = None,
        password: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._server = _Server(host, port or PORTS[security], security, timeout, context)
        self._sender = sender
        self._to = tuple(to)
        self._login = None if username is None else (username, password or "")

    def send(self, delivery: Delivery) -> Receipt:
        """Send one mail to all; the chart and the file are in it, so their own deliveries end without a word.

        The receipt names the incident's first mail. Raises `SendError`.
        """
        message, root = delivery.message, delivery.root
        first = root.ref if root is not None else ""
        if delivery.part is Part.TEXT:
            png = b"" if delivery.plain else _picture(message)
            made = email_form.mail(
                message, self._sender, self._to, delivery.created_at, root=first, png=png, plain=delivery.plain
            )
            with self._session() as session:
                self._hand_over(session, made)
        return Receipt(ref=first or email_form.message_id(message, self._sender))

    def ask(self) -> None:
        """Whether the server is there, is secure as wanted and takes the login. Raises `SendError`."""
        with self._session():
            pass

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A connection on which mail may be sent. Whatever fails in it has delivered nothing."""
        session: smtplib.SMTP | None = None
        try:
            session = _connect(self._server)
            if self._login is not None:
                session.login(*self._login)
            yield session
        except (OSError, smtplib.SMTPException) as error:
            raise _failure(error) from error
        finally:
            if session is not None:
                _leave(session)

    def _hand_over(self, session: smtplib.SMTP, made: EmailMessage) -> None:
        _expect(session.mail(self._sender), "sender")
        self._recipients(session)
        try:
            code, answer = session.data(made.as_bytes())
        except smtplib.SMTPDataError:
            raise  # it would not even begin
        except (OSError, smtplib.SMTPException) as error:
            raise SendError(f"the mail server did not answer: {_words(error)}", unknown=True) from error
        if code != 250:
            raise _refused_mail(code, answer)

    def _recipients(self, session: smtplib.SMTP) -> None:
        """Name those it is for. It is sent where one of them is taken; the others are told of in the log."""
        answers = {address: session.rcpt(address) for address in self._to}
        refused = {address: answer for address, answer in answers.items() if answer[0] not in {250, 251}}
        if len(refused) == len(self._to):
            _expect(min(refused.values()), "recipient")
        for address, (code, answer) in refused.items():
            log.error("the mail server does not take mail for %s: %s", address, _told(code, answer))


def _picture(message: Message) -> bytes:
    """The chart; none where it cannot be drawn, since no chart is worth the text."""
    if message.chart is None:
        return b""
    from alerts.chart import render_png  # noqa: PLC0415  # matplotlib takes half a second, and not every mail has a chart

    try:
        return within(DRAW_SECONDS, lambda: render_png(message))
    except Exception:
        log.exception("%s: the chart could not be drawn; the mail goes without", message.key)
        return b""


def _connect(server: _Server) -> smtplib.SMTP:
    context = server.context or ssl.create_default_context()
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=context)
    session = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
    if server.security == "starttls":
        try:
            session.starttls(context=context)
        except (OSError, smtplib.SMTPException):
            session.close()
            raise
    return session


def _leave(session: smtplib.SMTP) -> None:
    """Say goodbye; the mail is settled already, whatever becomes of that."""
    with suppress(OSError, smtplib.SMTPException):
        session.quit()
    session.close()


# --- errors ----------------------------------------------------------------------------------------------------


def _expect(answer: tuple[int, bytes], what: str) -> None:
    code, text = answer
    if not 200 <= code < 300:
        raise SendError(f"the mail server refuses the {what}: {_told(code, text)}", permanent=code >= 500)


def _refused_mail(code: int, answer: bytes) -> SendError:
    told = f"the mail server refuses the mail: {_told(code, answer)}"
    refused = code in TOO_LARGE | UNWANTED
    return SendError(told, refused=refused, permanent=code >= 500 and not refused)


def _failure(error: Exception) -> SendError:
    """A connection that did not come to be, or ended before anything was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return SendError(f"the mail server's certificate is not trusted: {error.verify_message}", permanent=True)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return SendError(f"the mail server does not offer what is needed: {_words(error)}", permanent=True)
    if isinstance(error, smtplib.SMTPResponseException):
        # 421, 454 and the like pass; what begins with 5 is its last word.
        told = _told(error.smtp_code, error.smtp_error)
        return SendError(f"the mail server answers {told}", permanent=error.smtp_code >= 500)
    return SendError(f"the mail server cannot be reached: {_words(error)}")


def _told(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return f"{code} {clean(' '.join(text.split()), 200)}"


def _words(error: Exception) -> str:
    return clean(str(error) or type(error).__name__, 200)
