"""A mail server for tests: real SMTP on loopback, with STARTTLS or TLS, a login, and what goes wrong.

with SmtpStandin() as smtp:
EmailNotifier("localhost", ..., port=smtp.port, context=trusted())
"""

from __future__ import annotations

import socket
import socketserver
import ssl
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from tests.standins.loopback import Loopback
from tests.standins.slack import Fault

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Certificate and key of "localhost": for tests, and good for nothing else."""


def trusted() -> ssl.SSLContext:
    """A context that trusts the stand-in."""
    return ssl.create_default_context(cafile=CERTIFICATE)


def server_context() -> ssl.SSLContext:
    """The stand-in's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@dataclass
class SmtpStandin(Loopback):
    """The server, and the mails it took. `tls` is from the first byte on; otherwise STARTTLS is offered."""

    tls: bool = False
    offers: tuple[str, ...] = ("STARTTLS", "AUTH PLAIN")
    login: tuple[str, str] = ("slicewatch", "standin")
    unknown: set[str] = field(default_factory=set)
    """Addresses that nobody has."""
    faults: list[Fault] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """Sender and recipients of each mail."""
    port: int = 0

    def server(self, address: tuple[str, int]) -> _Server:
        made = _Server(address, _Session)
        made.standin = self
        return made

    def fault(self, where: str, *, rich: bool = False) -> Fault | None:
        """The fault that is met at a command, if any; those that name no command are met at the mail itself."""
        mine = [fault for fault in self.faults if where in (fault.methods or ("DATA",))]
        return next((fault for fault in mine if fault.applies(where, {"blocks": rich})), None)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    standin: SmtpStandin


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.standin, self.sender, self.to = self.server.standin, "", []
        self.secure, self.known = False, False
        with suppress(OSError, ssl.SSLError):
            if self.standin.tls:
                self._wrap()
            self._say(421, "busy") if self.standin.fault("CONNECT") else self._say(220, "standin")
            while line := self.rfile.readline():
                word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                if not self._command(word.upper(), rest):
                    return

    def _wrap(self) -> None:
        self.connection = server_context().wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.secure = True

    def finish(self) -> None:
        """Close what STARTTLS put in place of the connection, too."""
        with suppress(OSError):
            super().finish()
        self.connection.close()

    def _say(self, code: int, text: str) -> None:
        self.wfile.write(f"{code} {text}\r\n".encode())

    def _command(self, word: str, rest: str) -> bool:
        fault = self.standin.fault(word) if word != "DATA" else None
        if fault is not None:
            return self._fails(fault)
        match word:
            case "EHLO" | "HELO":
                self._hello()
            case "STARTTLS":
                self._say(220, "go ahead")
                self._wrap()
            case "AUTH":
                self._auth(rest)
            case "MAIL":
                self.sender = rest.partition("<")[2].partition(">")[0]
                self._say(*(250, "ok") if self.known else (530, "5.7.0 authentication required"))
            case "RCPT":
                self._recipient(rest.partition("<")[2].partition(">")[0])
            case "DATA":
                return self._data()
            case _:
                self._say(221, "bye") if word == "QUIT" else self._say(250, "ok")
        return word != "QUIT"

    def _fails(self, fault: Fault) -> bool:
        if fault.kind == "status":
            self._say(fault.status, "no")
        return fault.kind == "status"

    def _hello(self) -> None:
        self.wfile.write(b"250-standin\r\n")
        offers = [offer for offer in self.standin.offers if not (self.secure and offer == "STARTTLS")]
        for offer in offers:
            self.wfile.write(f"250-{offer}\r\n".encode())
        self._say(250, "SIZE 100000000")

    def _auth(self, rest: str) -> None:
        login = tuple(b64decode(rest.partition(" ")[2]).decode().split("\0")[1:])
        self.known = login == self.standin.login
        self._say(*(235, "ok") if self.known else (535, "5.7.8 bad credentials"))

    def _recipient(self, address: str) -> None:
        taken = address not in self.standin.unknown
        self.to += [address] if taken else []
        self._say(*(250, "ok") if taken else (550, "5.1.1 no such user"))

    def _data(self) -> bool:
        self._say(354, "go ahead")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        made = message_from_bytes(b"".join(lines), policy=default)
        fault = self.standin.fault("DATA", rich=made.is_multipart())
        match fault.kind if fault else None:
            case "status":
                self._say(fault.status, "try again later")
            case "refuse_blocks":
                self._say(552, "5.3.4 too large")
            case "cut_before":
                return self._cut()
            case "cut_after":
                self._take(made)
                return self._cut()
            case kind:
                self.standin.wait(fault.seconds if kind == "slow" else 0)
                self._take(made)
                self._say(250, "taken")
        return True

    def _take(self, made: EmailMessage) -> None:
        self.standin.mails.append(made)
        self.standin.envelopes.append((self.sender, tuple(self.to)))

    def _cut(self) -> bool:
        self.connection.shutdown(socket.SHUT_RDWR)
        return False
