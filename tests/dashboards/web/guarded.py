"""A world whose pages are served as `[web]` of its settings says, by the door that the program itself opens."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import httpx

from alerts.model import Actor
from dashboards.views.tokens import NewToken, Wanted
from dashboards.web.access.gate import Gate
from dashboards.web.access.guard import Entry, entries
from dashboards.web.access.limits import Limiter, Limits
from monitor import store
from monitor.app import App
from monitor.serving.access import open_access
from monitor.serving.server import WebServer
from monitor.serving.wiring import web_app
from monitor.token_desk import Tokens
from tests.dashboards.web.conftest import World

ROOT = Actor("cli", "root", "Root")
PROXY = """
[web]
access = "proxy"
[web.proxy]
networks = ["127.0.0.1/32"]
user_header = "Remote-User"
groups_header = "Remote-Groups"
name_header = "Remote-Name"
[web.roles]
viewer = ["staff"]
responder = ["oncall"]
admin = ["platform", "user:kari@example.com"]
"""
GROUPS = {"viewer": "staff", "responder": "oncall", "admin": "platform"}


@dataclass
class Guarded:
    """A site that knows people; `now` is its real clock, which a test moves on."""

    app: App
    url: str
    now: datetime
    routes: list[Entry] = field(default_factory=list)

    def client(self, **headers: str) -> httpx.Client:
        """A browser without one: it keeps cookies."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def as_(self, role: str) -> httpx.Client:
        """Somebody of a role, let through by the proxy."""
        return self.client(**{"Remote-User": f"{role}@example.com", "Remote-Groups": GROUPS[role]})

    def token(self, role: str = "viewer", *scopes: str, lasting: timedelta | None = None) -> NewToken:
        """A new token."""
        expires = None if lasting is None else self.now + lasting
        return Tokens(self.app.state).give(Wanted("a script", role, scopes, expires), ROOT, self.now)

    def acts(self, subject: str) -> list[tuple[str, str, str]]:
        """What the log of actions holds of a subject: action, who, detail."""
        with self.app.state.read() as tx:
            return [(act.action, act.by.id, act.detail) for act in store.actions(tx, subject)]


@contextmanager
def guarded(world: World, folder: Path, web: str, port: int = 0, limits: Limits | None = None) -> Iterator[Guarded]:
    """A copy of a world, served on a port as `web` (TOML) says."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(world.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("lake"))
    config = folder / "slicewatch.toml"
    config.write_text(config.read_text() + web)
    with ExitStack() as stack:
        app = stack.enter_context(App.open(config, {}, StringIO()))
        site = Guarded(app, "", world.now)
        access = open_access(app.settings, app.state, "127.0.0.1:0", lambda: site.now)
        gate = Gate(**{**vars(access.gate), "limits": limits or lenient()})
        served = stack.enter_context(web_app(app, access.door, lambda: world.now, access.key, gate))
        site.routes = entries(served.routes)
        server = stack.enter_context(closing(WebServer(served, "127.0.0.1", port)))
        server.start()
        site.url = server.address
        yield site


def empty_world(folder: Path) -> World:
    """One without rules: who gets in does not depend on what there is to see, and its pages are quick."""
    (folder / "rules").mkdir(parents=True)
    (folder / "slicewatch.toml").write_text('rules = ["rules/*.yaml"]\n')
    return World(folder, datetime(2026, 3, 4, 12, tzinfo=UTC))


def lenient() -> Limits:
    """For tests that ask more than people do."""
    return Limits(*(Limiter(rate=10_000, burst=10_000) for _ in range(3)))


def free_port() -> int:
    """One that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
