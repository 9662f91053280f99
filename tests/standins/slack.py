"""A Slack that stands in for the real one in tests: a real HTTP server on loopback that answers as Slack does.

In a test:

    with SlackStandin() as slack:
        notifier = SlackNotifier("#oncall", slack.token, base_url=slack.url)
        slack.faults.append(Fault("rate_limit", times=2, seconds=1))

As a process of its own (prints its URL; a faults file holds a JSON list of objects with the fields of `Fault`, and
is read again whenever it changes; a journal that exists is taken up again):

    python -m tests.standins.slack --port 0 --journal calls.jsonl --faults faults.json
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.standins.block_kit import problems

TOKEN = "xoxb-standin"  # the stand-in's own, good for nothing else
APP_TOKEN = "xapp-standin"  # as this one
CHANNELS = {"#oncall": "C0ONCALL", "#ops": "C0OPS", "#recs-oncall": "C0RECS"}
MESSAGE_TEXT = 40_000
MESSAGE_BLOCKS = 13_200
FIRST_TS = 4_000_000_000
"""Later than any test's clock: whoever asks for what came since a time, gets it."""

Answer = dict[str, Any]


@dataclass
class Fault:
    """Something that goes wrong.

    `kind` is one of `rate_limit` (429, Retry-After `seconds`), `status` (HTTP `status`, no JSON), `down` (503),
    `slow` (answers after `seconds`), `cut_before` and `cut_after` (the connection ends before or after the call was
    processed), `refuse_blocks` (`invalid_blocks` for anything with blocks), `error` (the code in `error`).
    `times` is how often, None for ever; `methods` limits it to some.
    """

    kind: str
    times: int | None = None
    seconds: float = 1.0
    status: int = 500
    error: str = "internal_error"
    methods: tuple[str, ...] = ()

    def applies(self, method: str, args: Mapping[str, Any]) -> bool:
        """Whether this call fails of it; takes one off `times` if so."""
        if self.times == 0 or (self.methods and method not in self.methods):
            return False
        if self.kind == "refuse_blocks" and not args.get("blocks"):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(frozen=True)
class Call:
    """A call that Slack accepted, and its answer."""

    method: str
    args: Mapping[str, Any]
    answer: Answer


@dataclass
class SlackStandin:
    """The server and what it knows. Everything may be looked at and changed while it runs."""

    token: str = TOKEN
    channels: dict[str, str] = field(default_factory=lambda: dict(CHANNELS))
    archived: set[str] = field(default_factory=set)
    """Ids of channels that are archived."""
    faults: list[Fault] = field(default_factory=list)
    port: int = 0
    journal: Path | None = None
    faults_file: Path | None = None
    accepted: list[Call] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Method and error of each call that was answered with an error."""
    messages: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """By channel id and ts, in the order of posting."""
    uploads: dict[str, bytes] = field(default_factory=dict)
    """Contents by file id."""
    replies: list[dict[str, Any]] = field(default_factory=list)
    """What was posted to `reply_url`."""
    groups: dict[str, list[str]] = field(default_factory=dict)
    """Members by user group."""
    socket_url: str = ""
    """Where Socket Mode is to connect; "" where it is switched off."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._faults_read = ""
        if self.journal is not None and self.journal.exists():
            self._take_up(self.journal)

    # --- running it ---

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Base URL for a client; it stays the same when the server is stopped and started."""
        return f"http://127.0.0.1:{self.port}/api/"

    @property
    def reply_url(self) -> str:
        """Where an answer to one person is taken."""
        return f"http://127.0.0.1:{self.port}/respond/1"

    def start(self) -> None:
        """Listen; at the same port as before if it ran before."""
        self._closing.clear()
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.standin = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections; what it knows stays."""
        self._closing.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Connections are refused meanwhile."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    # --- looking at it ---

    def posts(self, channel: str = "#oncall") -> list[dict[str, Any]]:
        """Messages in a channel as they stand now, replies included, oldest first."""
        return [m for (where, _), m in self.messages.items() if where == self.channels[channel]]

    def roots(self, channel: str = "#oncall") -> list[dict[str, Any]]:
        """Messages in a channel that are no replies."""
        return [m for m in self.posts(channel) if "thread_ts" not in m]

    def calls(self, method: str) -> list[Call]:
        """Accepted calls of a method."""
        return [call for call in self.accepted if call.method == method]

    # --- answering ---

    def fault(self, method: str, args: Mapping[str, Any]) -> Fault | None:
        """The fault that this call meets, if any."""
        with self._lock:
            self._read_faults()
            return next((f for f in self.faults if f.applies(method, args)), None)

    def answer(self, method: str, args: dict[str, Any], token: str) -> Answer:
        """Process one call as Slack would."""
        with self._lock:
            if token != (APP_TOKEN if method == "apps.connections.open" else self.token):
                return self._refuse(method, "not_authed" if not token else "invalid_auth")
            handler = METHODS.get(method)
            answer = handler(self, args) if handler else _error("unknown_method")
            if not answer["ok"]:
                return self._refuse(method, **answer)
            self._accept(Call(method, args, answer))
            return answer

    def upload(self, file: str, content: bytes) -> None:
        """Take the content of a file whose upload was asked for."""
        with self._lock:
            self.uploads[file] = content

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the server is being stopped."""
        self._closing.wait(seconds)

    def _accept(self, call: Call) -> None:
        self.accepted.append(call)
        if self.journal is not None:
            line = json.dumps({"method": call.method, "args": call.args, "answer": call.answer}, ensure_ascii=False)
            with self.journal.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())

    def _refuse(self, method: str, error: str, **more: Any) -> Answer:
        self.refused.append((method, error))
        return _error(error) | {name: value for name, value in more.items() if name != "ok"}

    def _take_up(self, journal: Path) -> None:
        for line in journal.read_text(encoding="utf-8").splitlines():
            call = Call(**json.loads(line))
            if call.method in METHODS:
                METHODS[call.method](self, dict(call.args))
            self.accepted.append(call)

    def _read_faults(self) -> None:
        if self.faults_file is None:
            return
        text = self.faults_file.read_text(encoding="utf-8") if self.faults_file.exists() else "[]"
        if text != self._faults_read:
            try:
                entries = json.loads(text or "[]")
            except json.JSONDecodeError:  # somebody is writing it: the next call sees all of it
                return
            self.faults = [Fault(**{**e, "methods": tuple(e.get("methods", ()))}) for e in entries]
            self._faults_read = text

    def next_ts(self) -> str:
        """A timestamp no message has."""
        return f"{FIRST_TS}.{len(self.messages) + 1:06d}"

    def channel(self, args: Mapping[str, Any], *, names: bool) -> tuple[str, str]:
        """The channel's id and "", or "" and the error; names are understood only where Slack does."""
        wanted = str(args.get("channel") or args.get("channel_id") or "")
        found = self.channels.get(wanted) or self.channels.get(f"#{wanted}") if names else None
        found = found or (wanted if wanted in self.channels.values() else None)
        if found is None:
            return "", "channel_not_found"
        return ("", "is_archived") if found in self.archived else (found, "")


def _error(code: str, **more: Any) -> Answer:
    return {"ok": False, "error": code, **more}


# --- the methods -----------------------------------------------------------------------------------------------


def _auth_test(standin: SlackStandin, args: dict[str, Any]) -> Answer:  # noqa: ARG001  # every method is called alike
    return {"ok": True, "team": "standin", "user": "slicewatch", "bot_id": "B0STANDIN", "url": standin.url}


def _content(args: Mapping[str, Any]) -> Answer | None:
    """What is wrong with a message's content, as Slack says it."""
    text, blocks = str(args.get("text") or ""), args.get("blocks") or []
    if not text and not blocks:
        return _error("no_text")
    if len(text) > MESSAGE_TEXT:
        return _error("msg_too_long")
    wrong = problems(blocks)
    if wrong:
        return _error("invalid_blocks", errors=wrong, response_metadata={"messages": [f"[ERROR] {w}" for w in wrong]})
    if len(json.dumps(blocks, ensure_ascii=False)) > MESSAGE_BLOCKS:
        return _error("msg_blocks_too_long")
    return _metadata(args.get("metadata"))


def _metadata(metadata: Any) -> Answer | None:
    if metadata is None:
        return None
    named = isinstance(metadata, dict) and re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", str(metadata.get("event_type", "")))
    if not named or not isinstance(metadata.get("event_payload"), dict):
        return _error("invalid_metadata_format")
    return None


def _message(args: Mapping[str, Any], channel: str, ts: str) -> dict[str, Any]:
    kept = ("text", "blocks", "metadata", "thread_ts", "reply_broadcast")
    message = {name: args[name] for name in kept if args.get(name)}
    return {"type": "message", "channel": channel, "ts": ts, **message}


def _post(standin: SlackStandin, args: dict[str, Any]) -> Answer:
    channel, error = standin.channel(args, names=True)
    if error:
        return _error(error)
    wrong = _content(args)
    if wrong is not None:
        return wrong
    if args.get("thread_ts") and (channel, args["thread_ts"]) not in standin.messages:
        return _error("thread_not_found")
    ts = standin.next_ts()
    message = standin.messages[channel, ts] = _message(args, channel, ts)
    return {"ok": True, "channel": channel, "ts": ts, "message": message}


def _update(standin: SlackStandin, args: dict[str, Any]) -> Answer:
    channel, error = standin.channel(args, names=False)
    if error:
        return _error(error)
    wrong = _content(args)
    if wrong is not None:
        return wrong
    ts = str(args.get("ts"))
    known = standin.messages.get((channel, ts))
    if known is None or known.get("deleted"):
        return _error("message_not_found")
    blocks = args.get("blocks", known.get("blocks"))
    standin.messages[channel, ts] = known | _message(args, channel, ts) | {"blocks": blocks, "edited": True}
    return {"ok": True, "channel": channel, "ts": ts, "text": args.get("text", "")}


def _upload_url(standin: SlackStandin, args: dict[str, Any]) -> Answer:
    if not args.get("filename") or int(args.get("length") or 0) <= 0:
        return _error("invalid_arguments")
    file = f"F{len(standin.uploads) + 1:08d}"
    standin.uploads[file] = b""
    return {"ok": True, "file_id": file, "upload_url": f"http://127.0.0.1:{standin.port}/upload/{file}"}


def _upload_done(standin: SlackStandin, args: dict[str, Any]) -> Answer:
    channel, error = standin.channel(args, names=False)
    if error:
        return _error(error)
    files = args.get("files") or "[]"
    entries = json.loads(files) if isinstance(files, str) else files
    if not entries or any(not standin.uploads.get(entry["id"]) for entry in entries):
        return _error("file_not_found")
    ts = standin.next_ts()
    message = _message(args, channel, ts) | {"files": [entry["id"] for entry in entries]}
    standin.messages[channel, ts] = message
    return {"ok": True, "files": [{"id": entry["id"], "title": entry.get("title", "")} for entry in entries]}


def _shown(messages: list[dict[str, Any]], args: Mapping[str, Any]) -> Answer:
    """A page of messages, metadata only where they were asked for."""
    recent = [m for m in messages if float(m["ts"]) >= float(args.get("oldest") or 0)]
    page = recent[: int(args.get("limit") or 100)]
    if str(args.get("include_all_metadata", "")).lower() not in {"1", "true"}:
        page = [{name: value for name, value in m.items() if name != "metadata"} for m in page]
    return {"ok": True, "messages": page, "has_more": len(page) < len(recent)}


def _history(standin: SlackStandin, args: dict[str, Any]) -> Answer:
    channel, error = standin.channel(args, names=False)
    if error:
        return _error(error)
    mine = [m for (where, _), m in standin.messages.items() if where == channel]
    return _shown([m for m in mine if "thread_ts" not in m or m.get("reply_broadcast")][::-1], args)


def _replies(standin: SlackStandin, args: dict[str, Any]) -> Answer:
    channel, error = standin.channel(args, names=False)
    if error:
        return _error(error)
    ts = args.get("ts")
    return _shown(
        [m for (where, own), m in standin.messages.items() if where == channel and ts in {own, m.get("thread_ts")}],
        args,
    )


def _list(standin: SlackStandin, args: dict[str, Any]) -> Answer:  # noqa: ARG001  # every method is called alike
    known = [{"id": number, "name": name.removeprefix("#")} for name, number in standin.channels.items()]
    return {"ok": True, "channels": known, "response_metadata": {"next_cursor": ""}}


def _connect(standin: SlackStandin, args: dict[str, Any]) -> Answer:  # noqa: ARG001  # every method is called alike
    return {"ok": True, "url": standin.socket_url} if standin.socket_url else _error("internal_error")


def _group(standin: SlackStandin, args: dict[str, Any]) -> Answer:
    found = standin.groups.get(str(args.get("usergroup")))
    return _error("no_such_subteam") if found is None else {"ok": True, "users": found}


METHODS = {
    "apps.connections.open": _connect,
    "usergroups.users.list": _group,
    "auth.test": _auth_test,
    "chat.postMessage": _post,
    "chat.update": _update,
    "files.getUploadURLExternal": _upload_url,
    "files.completeUploadExternal": _upload_done,
    "conversations.history": _history,
    "conversations.replies": _replies,
    "conversations.list": _list,
}


# --- HTTP ------------------------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    standin: SlackStandin


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Say nothing: tests read the journal."""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _serve(self, body: bytes) -> None:
        try:
            self._route(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait

    def _route(self, body: bytes) -> None:
        path = urlsplit(self.path).path
        method = path.removeprefix("/api/")
        args = {} if path.startswith("/upload/") else _arguments(self.path, self.headers.get("Content-Type", ""), body)
        token = str(args.pop("token", "")) or self.headers.get("Authorization", "").removeprefix("Bearer ")
        method = "upload" if path.startswith("/upload/") else method
        fault = self.server.standin.fault(method, args)
        if fault is not None and self._fails(fault, method):
            return
        answer = self._process(path, method, args, token, body)
        if fault is not None and fault.kind == "cut_after":
            self._cut()
        else:
            self._answer(200, answer)

    def _process(self, path: str, method: str, args: dict[str, Any], token: str, body: bytes) -> Answer:
        if path.startswith("/respond/"):
            self.server.standin.replies.append(args)
            return {"ok": True}
        if method != "upload":
            return self.server.standin.answer(method, args, token)
        self.server.standin.upload(path.rsplit("/", 1)[-1], body)
        return {"ok": True}

    def _fails(self, fault: Fault, method: str) -> bool:
        """Play a fault; whether the call ends there, unprocessed."""
        match fault.kind:
            case "rate_limit":
                self._answer(429, _error("ratelimited"), {"Retry-After": f"{fault.seconds:g}"})
            case "down":
                self._answer(503, None)
            case "status":
                self._answer(fault.status, None)
            case "cut_before":
                self._cut()
            case "refuse_blocks":
                self._answer(200, _error("invalid_blocks", response_metadata={"messages": ["[ERROR] refused"]}))
            case "error":
                self._answer(200, _error(fault.error))
            case "slow":
                self.server.standin.wait(fault.seconds)
                return False
            case "cut_after":
                return False
            case _:
                raise ValueError(f"no such fault: {fault.kind}")
        self.server.standin.refused.append((method, fault.kind))
        return True

    def _answer(self, status: int, answer: Answer | None, headers: Mapping[str, str] | None = None) -> None:
        content = b"<html>Sorry</html>" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if answer is None else "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _arguments(path: str, content_type: str, body: bytes) -> dict[str, Any]:
    """A call's arguments, from JSON, a form, or the URL."""
    found: dict[str, Any] = {name: values[-1] for name, values in parse_qs(urlsplit(path).query).items()}
    if content_type.startswith("application/json"):
        return found | json.loads(body or b"{}")
    return found | {name: values[-1] for name, values in parse_qs(body.decode()).items()}


def main() -> None:
    """Serve until killed; the first line on stdout is the base URL."""
    parser = argparse.ArgumentParser(description="A Slack for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--channel", action="append", default=[], help="a further channel, as #name")
    options = parser.parse_args()
    more = {name: f"C{number:08d}" for number, name in enumerate(options.channel, start=1)}
    standin = SlackStandin(
        token=options.token,
        channels=CHANNELS | more,
        port=options.port,
        journal=options.journal,
        faults_file=options.faults,
    )
    with standin:
        print(standin.url, flush=True)  # noqa: T201  # its caller reads it
        threading.Event().wait()


if __name__ == "__main__":
    main()
