"""Receivers that take HTTP, in tests: a real server on loopback, and what each service does with a request.

with PagerDutyStandin() as pagerduty:
notifier = PagerDutyNotifier(pagerduty.key, base_url=pagerduty.url)
pagerduty.faults.append(Fault("rate_limit", times=2, seconds=1))
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.standins.block_kit import problems
from tests.standins.loopback import Loopback
from tests.standins.slack import Fault

DATE = datetime(2026, 11, 23, 15, tzinfo=UTC)
"""The server's time in its Date header, with a Retry-After that is a date."""


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, or None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Reply:
    """What goes out."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class WebStandin(Loopback):
    """The server, what it was sent, and what goes wrong. A subclass answers as its service does."""

    faults: list[Fault] = field(default_factory=list)
    taken: list[Request] = field(default_factory=list)
    """Requests that were answered with 2xx."""
    gone: bool = False
    """Whether the channel or service that is written to is no more."""
    port: int = 0

    def reply(self, request: Request) -> Reply:
        """The service's answer where nothing goes wrong."""
        raise NotImplementedError

    def rich(self, request: Request) -> bool:  # noqa: ARG002  # most services have one form
        """Whether a request is of the form that the fault `refuse_blocks` does not let pass."""
        return False

    @property
    def url(self) -> str:
        """Where it listens; the same when it is stopped and started."""
        return f"http://127.0.0.1:{self.port}"

    def server(self, address: tuple[str, int]) -> _Server:
        made = _Server(address, _Handler)
        made.standin = self
        return made

    def fault(self, request: Request) -> Fault | None:
        """The fault that this request meets, if any."""
        args = {"blocks": self.rich(request)}
        return next((fault for fault in self.faults if fault.applies(request.path, args)), None)

    def answer(self, request: Request) -> Reply:
        """Process a request as the service does."""
        reply = self.reply(request)
        if reply.status < 300:
            self.taken.append(request)
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    standin: WebStandin


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            self._answer(Request(self.command, urlsplit(self.path).path, headers, body))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait

    def _answer(self, request: Request) -> None:
        standin = self.server.standin
        fault = standin.fault(request)
        match fault.kind if fault else None:
            case "rate_limit":
                self._write(Reply(429, "", {"Retry-After": f"{fault.seconds:g}"}))
            case "rate_limit_date":
                later = format_datetime(DATE + timedelta(seconds=fault.seconds), usegmt=True)
                self._write(Reply(429, "", {"Retry-After": later, "Date": format_datetime(DATE, usegmt=True)}))
            case "down":
                self._write(Reply(503))
            case "status":
                self._write(Reply(fault.status, "<html>Sorry</html>", {"Location": "http://127.0.0.1:1/"}))
            case "refuse_blocks":
                self._write(Reply(400, "invalid_blocks"))
            case "cut_before":
                self._cut()
            case "cut_after":
                standin.answer(request)
                self._cut()
            case "drip":
                self._drip(standin, fault.seconds, b"")
            case "drip_headers":
                self._drip(standin, fault.seconds, b"HTTP/1.1 200 OK\r\nX-Slow: ")
            case kind:
                standin.wait(fault.seconds if kind == "slow" else 0)
                self._write(standin.answer(request))

    def _write(self, reply: Reply) -> None:
        content = reply.body.encode()
        self.send_response_only(reply.status)
        for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _drip(self, standin: WebStandin, seconds: float, begin: bytes) -> None:
        """An answer that does not come to an end."""
        self.wfile.write(begin)
        for _ in range(int(seconds / 0.05)):
            standin.wait(0.05)
            self.wfile.write(b"z")

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


# --- the services ----------------------------------------------------------------------------------------------


@dataclass
class SlackWebhookStandin(WebStandin):
    """An incoming webhook, at a path that is its secret."""

    path: str = "/services/T0/B0/hook"

    @property
    def hook(self) -> str:
        """The webhook's URL."""
        return self.url + self.path

    def rich(self, request: Request) -> bool:
        return bool((request.json() or {}).get("blocks"))

    def reply(self, request: Request) -> Reply:
        if request.path != self.path:
            return Reply(403, "invalid_token")
        if self.gone:
            return Reply(410, "channel_is_archived")
        form = request.json()
        if not isinstance(form, dict):
            return Reply(400, "invalid_payload")
        if not form.get("text"):
            return Reply(400, "no_text")
        return Reply(400, "invalid_blocks") if problems(form.get("blocks", [])) else Reply(200, "ok")


@dataclass
class PagerDutyStandin(WebStandin):
    """The Events API v2 of one service; `alerts` are those that are open, by their key."""

    key: str = "R0STANDIN0000000000000000000000K"
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def rich(self, request: Request) -> bool:
        return bool(request.json().get("payload", {}).get("custom_details"))

    def reply(self, request: Request) -> Reply:
        form = request.json()
        wrong = self._wrong(request, form)
        if wrong:
            body = {"status": "invalid event", "message": "Event object is invalid", "errors": [wrong]}
            return Reply(400, json.dumps(body))
        if form["event_action"] == "resolve":
            self.alerts.pop(form["dedup_key"], None)
        elif form["event_action"] == "trigger":
            self.alerts[form["dedup_key"]] = form
        return Reply(202, json.dumps({"status": "success", "dedup_key": form["dedup_key"]}))

    def _wrong(self, request: Request, form: Any) -> str:
        if request.path != "/v2/enqueue" or not isinstance(form, dict):
            return "no event"
        if form.get("routing_key") != self.key or self.gone:
            return "Invalid routing key"
        if form.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
            return "'event_action' is missing or invalid"
        if not 0 < len(form.get("dedup_key", "")) <= 255:
            return "'dedup_key' is missing or too long"
        return self._wrong_payload(form.get("payload", {})) if form["event_action"] == "trigger" else ""

    def _wrong_payload(self, payload: dict[str, Any]) -> str:
        if not 0 < len(payload.get("summary", "")) <= 1_024:
            return "'payload.summary' is missing or too long"
        if payload.get("severity") not in {"critical", "error", "warning", "info"}:
            return "'payload.severity' is invalid"
        return "" if payload.get("source") else "'payload.source' is missing"


@dataclass
class WebhookStandin(WebStandin):
    """A program of one's own that wants a bearer token."""

    token: str = "standin-token"  # good for nothing else

    def rich(self, request: Request) -> bool:
        return (request.json() or {}).get("chart") is not None

    def reply(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, "who are you?")
        return Reply(404, "no such hook") if self.gone else Reply(204)


@dataclass
class AlertmanagerStandin(WebStandin):
    """An Alertmanager behind a login; `alerts` are those it holds, by their labels."""

    login: str = "Basic c3RhbmRpbjpwYXNz"
    alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = field(default_factory=dict)

    def rich(self, request: Request) -> bool:
        return request.method == "POST" and "description" in request.json()[0]["annotations"]

    def reply(self, request: Request) -> Reply:
        if request.headers.get("authorization") != self.login:
            return Reply(401, "Unauthorized")
        if self.gone:
            return Reply(404, "404 page not found")
        if (request.method, request.path) == ("GET", "/api/v2/status"):
            return Reply(200, json.dumps({"cluster": {"status": "ready"}, "versionInfo": {"version": "0.28.1"}}))
        if (request.method, request.path) != ("POST", "/api/v2/alerts"):
            return Reply(404, "404 page not found")
        return self._take(request.json())

    def _take(self, posted: Any) -> Reply:
        for alert in posted:
            labels = alert.get("labels") or {}
            if not labels.get("alertname") or not all(re.fullmatch(r"[a-zA-Z_]\w*", name) for name in labels):
                return Reply(400, "bad labels")
            if datetime.fromisoformat(alert["startsAt"]) > datetime.fromisoformat(alert["endsAt"]):
                return Reply(400, "start time must be before end time")
            self.alerts[tuple(sorted(labels.items()))] = alert
        return Reply(200)

    def firing(self, now: datetime) -> list[dict[str, Any]]:
        """The alerts that fire at a time."""
        return [alert for alert in self.alerts.values() if datetime.fromisoformat(alert["endsAt"]) > now]


@dataclass
class JsonStandin(WebStandin):
    """What Apprise's own JSON service speaks to."""

    def reply(self, request: Request) -> Reply:
        if self.gone or not request.json().get("message"):
            return Reply(404, "gone")
        return Reply(200)
