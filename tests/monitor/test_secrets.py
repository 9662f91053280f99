"""Secrets are in no log, error, traceback, store, page or answer: planted everywhere, everything fails, all is searched.

What takes a secret is read from the shapes of the settings, so that a kind of receiver or a key that is added is planted
here too, or fails the first test.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer
from typing import Any, get_args

import httpx
import pytest
from pydantic import BaseModel

from dashboards.web.access.guard import entries
from monitor import store
from monitor.app import App
from monitor.outcomes import log_delivery, log_outcome
from monitor.receiver_shapes import RECEIVERS
from monitor.serving.access import open_access
from monitor.serving.server import WebServer
from monitor.serving.wiring import web_app
from monitor.setting_values import Reference
from monitor.settings import SOURCES, Settings, _RootShape, load_settings
from tests.monitor.commands.place import END, HOUR, PROGRAM, RULE, Place, events
from tests.standins.loopback import Loopback

SLOW = 120.0

pytestmark = [
    pytest.mark.xdist_group("commands"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of what Apprise loads
]


# --- what is planted -------------------------------------------------------------------------------------------


def word(number: int) -> str:
    """A secret that URLs write otherwise, with a core that they do not."""
    return f"SeCrEt{number:02}/+w0rd={number:02}?"


RECEIVER_TOML = {
    "slack": 'channel = "#oncall"\nbase_url = "@URL@/api/"',
    "slack-webhook": "allow_private = true",
    "pagerduty": 'base_url = "@URL@"',
    "email": 'host = "127.0.0.1"\nport = @PORT@\nusername = "me"\nsecurity = "tls"\nfrom = "a@example.com"\nto = "b@example.com"',
    "webhook": "allow_private = true",
    "alertmanager": 'username = "me"',
    "apprise": "",
    "console": "",
}
"""What else each kind needs; its secrets are added by their keys."""
IN_A_URL = {
    ("slack-webhook", "url"): "@URL@/services/{}",
    ("webhook", "url"): "@URL@/hook/{}",
    ("alertmanager", "url"): "@URL@/{}",
    ("apprise", "url"): "json://user:{}@127.0.0.1:@PORT@/",
}
"""Addresses that are secrets as a whole: the word is a part of them."""
URLS = {
    "warehouse": "postgresql+psycopg://monitor:{}@127.0.0.1:@PORT@/db",
    "asked": "postgresql+psycopg://monitor@127.0.0.1:@PORT@/db?password={}",
    "nowhere": "postgresql+psycopg://monitor:{}@nowhere.invalid/db",
    "spoilt": "postgresql+psycopg//monitor:{}@127.0.0.1/db",
    "foreign": "oracle://monitor:{}@127.0.0.1/db",
}
"""Sources, each of which fails in its own way."""


def secret_fields(shape: type[BaseModel]) -> list[str]:
    """Keys of a shape that may be secrets, those of its tables within included."""
    found = []
    for name, info in shape.model_fields.items():
        key = info.alias or name
        if _mentions(info.annotation, Reference):
            found.append(key)
        for inner in _shapes(info.annotation):
            found += [f"{key}.{rest}" for rest in secret_fields(inner)]
    return found


def _mentions(kind: Any, wanted: type) -> bool:
    return kind is wanted or any(_mentions(part, wanted) for part in get_args(kind))


def _shapes(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [shape for part in get_args(kind) for shape in _shapes(part)]


@dataclass
class Planted:
    """The settings as text, and the environment that its secrets are read from."""

    toml: str = 'rules = ["rules/*.yaml"]\nfallback = "email"\n'
    env: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    """By the key that takes each."""

    def plant(self, key: str, form: str = "{}") -> str:
        """TOML of a secret at a key; the word may be a part of it."""
        name = re.sub(r"\W", "_", key).upper()
        made = self.words.setdefault(key, word(len(self.words)))
        quoted = made if form == "{}" else re.sub(r"[/+=?]", lambda found: f"%{ord(found[0]):02X}", made)
        self.env[name] = form.format(quoted)
        return f'{{env = "{name}"}}'


def planted(standin: Echo) -> Planted:
    """Every receiver of every kind, five sources, and an OpenID provider, all at one address that takes nothing."""
    made = Planted()
    for name, url in URLS.items():
        made.toml += f'[sources.{name}]\nkind = "sql"\nurl = {made.plant(f"sources.{name}.url", url)}\n'
    for kind, shape in RECEIVERS.items():
        made.toml += f'[receivers.{kind}]\nkind = "{kind}"\n{RECEIVER_TOML[kind]}\n'
        for key in secret_fields(shape):
            if (kind, key) in IN_A_URL or key != "url":
                made.toml += f"{key} = {made.plant(f'receivers.{kind}.{key}', IN_A_URL.get((kind, key), '{}'))}\n"
    made.toml += '[web]\naccess = "oidc"\npublic_url = "http://127.0.0.1:8080"\n'
    made.toml += f"session_key = {made.plant('web.session_key', '{}-and-so-long-that-nobody-guesses')}\n"
    made.toml += '[web.roles]\nviewer = ["*"]\n[web.oidc]\nissuer = "@URL@"\nclient_id = "slicewatch"\n'
    made.toml += f"client_secret = {made.plant('web.oidc.client_secret')}\n"
    made.toml += f"[heartbeat]\nurl = {made.plant('heartbeat.url', '@URL@/beat/{}')}\n"
    made.toml += f"fail_url = {made.plant('heartbeat.fail_url', '@URL@/fail/{}')}\n"
    made.toml += f'[tracing]\nendpoint = "@URL@"\nheaders = {made.plant("tracing.headers", "authorization={}")}\n'
    made.toml = standin.at(made.toml)
    made.env = {name: standin.at(value) for name, value in made.env.items()}
    return made


# --- what it meets ---------------------------------------------------------------------------------------------


@dataclass
class Echo(Loopback):
    """A server that answers whatever it is sent with all of it: in HTTP with a status, else as it comes."""

    status: int | None = 500
    port: int = 0
    seen: bytes = b""

    def at(self, text: str) -> str:
        """A text with this server's address in it."""
        return text.replace("@URL@", f"http://127.0.0.1:{self.port}").replace("@PORT@", str(self.port))

    def server(self, address: tuple[str, int]) -> TCPServer:
        made = _Server(address, _Handler)
        made.echo = self
        return made


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    echo: Echo


class _Handler(StreamRequestHandler):
    """One request, or what comes within a moment."""

    def handle(self) -> None:
        echo: Echo = self.server.echo  # type: ignore[attr-defined]
        self.connection.settimeout(0.5)
        text = b""
        try:
            while not (b"\r\n\r\n" in text and len(text) >= _length(text)):
                piece = self.connection.recv(65_536)
                if not piece:
                    break
                text += piece
        except OSError:
            pass
        echo.seen += text
        try:
            if echo.status is None:
                self.connection.sendall(text or b"nothing came\r\n")
                return
            head = f"HTTP/1.1 {echo.status} No\r\nContent-Length: {len(text)}\r\nConnection: close\r\n".encode()
            line = text.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            where = f"Location: /elsewhere{line[1] if len(line) > 1 else ''}\r\n".encode("latin-1")
            self.connection.sendall(head + where + b"\r\n" + text)
        except OSError:
            pass


def _length(text: bytes) -> int:
    head, _, _ = text.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: *(\d+)", head)
    return len(head) + 4 + (int(found[1]) if found else 0)


# --- where it is looked for ------------------------------------------------------------------------------------


def traces(text: str | bytes, words: Mapping[str, str]) -> list[str]:
    """Keys whose secret stands in a text: as it is, as in a URL, in JSON, or in base64 at any of its three alignments."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return [key for key, value in words.items() if any(form in raw for form in forms(value))]


def forms(value: str) -> list[bytes]:
    core = value[:8].encode()
    found = [core, core.lower(), core.hex().encode()]
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + value.encode())
        # The first and the last group also hold what stands around it.
        inner = whole[(4 if shift else 0) : -4]
        found += [inner, inner.replace(b"+", b"-").replace(b"/", b"_")]
    return found


def test_what_is_looked_for_is_found():
    """A secret that is there in any of its forms is told of."""
    value = word(7)
    words = {"key": value}
    login = base64.b64encode(f"me:{value}".encode())
    for text in (
        value,
        httpx.QueryParams({"a": value}),
        json.dumps({"a": value}),
        login.decode(),
        repr(value.encode()),
    ):
        assert traces(str(text), words) == ["key"]
    assert traces("nothing of it", words) == []


def test_every_key_that_takes_a_secret_is_planted():
    """Of the shapes of all receivers and sources, the store's and the web's."""
    with Echo() as standin:
        given = set(planted(standin).words) | {"store.url"}
    wanted = {f"receivers.{kind}.{key}" for kind, shape in RECEIVERS.items() for key in secret_fields(shape)}
    wanted |= {f"sources.*.{key}" for shape in SOURCES.values() for key in secret_fields(shape)}
    wanted |= set(secret_fields(_RootShape))
    assert {re.sub(r"^sources\.\w+\.", "sources.*.", key) for key in given} == wanted
    assert set(RECEIVER_TOML) == set(RECEIVERS)


def test_settings_know_all_their_secrets(tmp_path):
    """`Settings.secrets` leaves none out: by it they are kept from the log."""
    with Echo() as standin:
        made = planted(standin)
    settings = settings_of(tmp_path, made)
    assert {secret.key for secret in settings.secrets()} == {*made.words, "store.url"}


def settings_of(folder: Path, made: Planted) -> Settings:
    (folder / "slicewatch.toml").write_text(made.toml)
    return load_settings(folder / "slicewatch.toml", made.env)


# --- everything fails ------------------------------------------------------------------------------------------


@dataclass
class Found:
    """What was printed, logged, answered and stored, by where it was found."""

    words: Mapping[str, str]
    texts: dict[str, bytes] = field(default_factory=dict)

    def add(self, where: str, text: str | bytes) -> None:
        self.texts[f"{len(self.texts):03} {where}"] = text.encode("utf-8", "replace") if isinstance(text, str) else text

    def leaks(self) -> dict[str, list[str]]:
        return {where: keys for where, text in self.texts.items() if (keys := traces(text, self.words))}


@pytest.fixture
def standin() -> Iterator[Echo]:
    with Echo() as echo:
        yield echo


@pytest.fixture
def made(standin: Echo) -> Planted:
    return planted(standin)


@pytest.fixture
def place(tmp_path: Path, made: Planted) -> Place:
    """A rule for each source, and one over files whose loss everybody is told of."""
    place = Place(tmp_path / "place")
    lake = '[sources.lake]\nkind = "duckdb"\ntables.playback = "lake/*.parquet"\n'
    place.write("slicewatch.toml", made.toml + lake)
    everybody = f"    notify: [{', '.join(RECEIVERS)}]\n"
    place.write("rules/playback.yaml", RULE + everybody)
    for name in URLS:
        place.write(
            f"rules/{name}.yaml", RULE.replace("playback_volume", name).replace("lake.", f"{name}.") + everybody
        )
    place.write_events(events(END))
    return place


SOAKED = [pytest.param(status, marks=pytest.mark.soak) for status in (400, 302, 500)]


@pytest.mark.parametrize("status", [403, None, *SOAKED], ids=str)
def test_nothing_that_is_told_holds_a_secret(place, made, standin, status):
    """Whatever the other side answers, all of the request in it: commands, log, store, pages and API stay clean."""
    standin.status = status
    found = Found(made.words)
    evaluate(place, found, made)
    run(place, found, "check", "--online", env=made.env)
    for kind in RECEIVERS:
        command(place, found, "send-test", kind, env=made.env)
    look_around(place, found, made)
    assert found.leaks() == {}
    assert traces(standin.seen, made.words), "nobody was asked: what was searched proves nothing"


def test_nor_where_nobody_answers(place, made, standin):
    """Every connection is refused."""
    found = Found(made.words)
    with standin.stopped():
        evaluate(place, found, made)
        run(place, found, "check", "--online", env=made.env)
        look_around(place, found, made)
    assert found.leaks() == {}


@pytest.mark.parametrize("form", ["text", "json"])
def test_nor_does_the_daemon_print_one(place, made, form):
    """As a process of its own, whose sources and receivers all fail and whose pages nobody can sign in to."""
    found = Found(made.words)
    env = os.environ | made.env
    text = place.config.read_text().replace(
        "[web]", f'[log]\nformat = "{form}"\n[web]\nlisten = "127.0.0.1:{free_port()}"'
    )
    place.config.write_text(text)
    process = subprocess.Popen(
        [PROGRAM, "run", "--config", str(place.config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    )
    read = bytearray()
    reader = threading.Thread(target=lambda: [read.extend(line) for line in iter(process.stdout.readline, b"")])
    reader.start()
    try:
        until = time.monotonic() + SLOW
        while read.count(b"could not ask") < len(URLS) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.wait(SLOW)
    finally:
        process.kill()
        reader.join(SLOW)
        process.stdout.close()
    found.add("run", bytes(read))
    stored(place, found)
    assert read.count(b"could not ask") >= len(URLS), bytes(read)
    assert found.leaks() == {}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def evaluate(place: Place, found: Found, made: Planted) -> None:
    """Two evaluations of every rule, and one attempt at each delivery, with what the daemon would log of them."""
    log, out = StringIO(), StringIO()
    handler = logging.StreamHandler(log)
    logger = logging.getLogger("slicewatch")
    logger.addHandler(handler)
    try:
        with App.open(place.config, made.env, out) as app:
            for moment in (END - 4 * HOUR, END - 3 * HOUR):
                for rule in app.rules.rules:
                    log_outcome(app.tick(rule, moment))
                done = app.deliver(lambda at=moment: at, lambda _: None, moment + timedelta(seconds=1), "test")
                for outcome in done:
                    log_delivery(outcome)
    finally:
        logger.removeHandler(handler)
    found.add("log", log.getvalue())
    found.add("console", out.getvalue())


def run(place: Place, found: Found, name: str, *args: str, env: Mapping[str, str]) -> None:
    done = place.run(name, *args, **env)
    found.add(f"{name} {' '.join(args)}", done.output + done.stderr)


def command(place: Place, found: Found, name: str, *args: str, env: Mapping[str, str]) -> None:
    """`send-test` and the like, which take their arguments first."""
    from click.testing import CliRunner

    from monitor.cli import slicewatch

    done = CliRunner(env=dict(env)).invoke(slicewatch, [name, *args, "--config", str(place.config)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    found.add(f"{name} {' '.join(args)}", done.output + done.stderr)


def look_around(place: Place, found: Found, made: Planted) -> None:
    """What is told of what has happened: by commands, by pages, by the store."""
    for name in ("status", "deliveries"):
        run(place, found, name, env=made.env)
        run(place, found, name, "--json", env=made.env)
    incidents = stored(place, found)
    assert len(incidents) > len(URLS), found.texts
    for incident in incidents:
        command(place, found, "explain", incident, env=made.env)
    pages(place, found, made, incidents[0])


def stored(place: Place, found: Found) -> list[str]:
    state = store.Store.open(f"sqlite:///{place.folder / 'slicewatch.db'}")
    with closing(state), state.read() as tx:
        for table, rows in store.dump(tx).items():
            found.add(f"table {table}", repr(rows))
        incidents = [item.id for item in store.incidents(tx)]
    for path in place.folder.glob("slicewatch.db*"):
        found.add(f"file {path.name}", path.read_bytes())
    return incidents


def pages(place: Place, found: Found, made: Planted, incident: str) -> None:
    """Every address without a name in it, an incident's and a rule's, to somebody signed in; and the doors for strangers."""
    text = place.config.read_text()
    inside = re.sub(r'access = "oidc"\n|\[web\.roles\]\nviewer = .*\n|\[web\.oidc\]\n(\w+ = .*\n)+', "", text)
    for name, content, door in (
        ("inside", inside, ()),
        ("outside", text, ("/sign-in", "/auth/callback?code=x&state=y")),
    ):
        (place.folder / f"{name}.toml").write_text(content)
        with ExitStack() as stack:
            app = stack.enter_context(App.open(place.folder / f"{name}.toml", made.env, StringIO()))
            access = open_access(app.settings, app.state, "127.0.0.1:0", lambda: datetime.now(UTC))
            web = stack.enter_context(web_app(app, access.door, lambda: END, access.key, access.gate))
            server = stack.enter_context(closing(WebServer(web, "127.0.0.1", 0)))
            server.start()
            routes = sorted({entry.path for entry in entries(web.routes) if "GET" in entry.methods})
            for route in (*routes, *door):
                path = addressed(route, incident)
                answer = httpx.get(server.address + path, timeout=60)
                found.add(f"{name} {path}", repr(answer.headers.raw).encode() + answer.content)
            assert any(b"warehouse" in text for where, text in found.texts.items() if " inside " in where)


def addressed(route: str, incident: str) -> str:
    """An address of a route."""
    known = {"name": incident, "name:path": "warehouse", "incident": incident, "rule": "warehouse"}
    return re.sub(r"\{([\w:]+)\}", lambda part: known.get(part[1], "x"), route)
