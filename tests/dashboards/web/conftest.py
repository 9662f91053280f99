"""A demo lake whose iphone went dark some hours ago, watched, and served to a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import httpx
import pytest

from dashboards.web.access.doors import Loopback
from dashboards.web.access.guard import Entry, entries
from monitor import store
from monitor.app import App
from monitor.commands.demo import END
from monitor.demo import DEVICE_NAMES, write_demo_config, write_lake
from monitor.serving.server import WebServer
from monitor.serving.wiring import web_app
from tests.standins.browser import chromium, tab  # noqa: F401  # fixtures

EVENTS = 400_000
HOURS_IN = 3
"""Evaluations after the device went dark: its incident is open."""


@dataclass(frozen=True)
class World:
    """A folder with lake, rules, settings and store, as they stand at `now`."""

    folder: Path
    now: datetime

    @property
    def config(self) -> Path:
        return self.folder / "slicewatch.toml"


@dataclass
class Served:
    """An app whose pages are served; `now` can be moved on."""

    app: App
    url: str
    now: datetime
    routes: list[Entry] = field(default_factory=list)

    @property
    def incident(self) -> str:
        """The id of the open incident."""
        with self.app.state.read() as tx:
            (name,) = [item.id for item in store.open_incidents(tx, "playback_volume")]
        return name

    def get(self, path: str, **given) -> httpx.Response:
        """An answer, redirections not followed."""
        return httpx.get(self.url + path, timeout=30, **given)

    def send(self, method: str, path: str, **given) -> httpx.Response:
        """The same of any request."""
        return httpx.request(method, self.url + path, timeout=30, **given)


def build_world(folder: Path) -> World:
    """Five weeks of events, and the evaluations from before the outage until it has lasted some hours."""
    lake = write_lake(
        folder / "lake",
        seed=0,
        end=END,
        device="iphone",
        events=EVENTS,
        campaign=[n for n in DEVICE_NAMES if n != "iphone"][::2],
    )
    config = write_demo_config(folder, lake)
    now = lake.outage_start + timedelta(hours=HOURS_IN)
    with App.open(config, {}, StringIO()) as app:
        (rule,) = app.rules.rules
        for hour in range(-1, HOURS_IN):
            tick = lake.outage_start + timedelta(hours=hour + 1)
            app.tick(rule, tick)
            app.deliver(lambda at=tick: at, lambda _: None, tick + timedelta(seconds=1), "world")
    return World(folder, now)


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    """Made once for all tests of a worker: nobody writes to it."""
    return build_world(tmp_path_factory.mktemp("world"))


@contextmanager
def serving(world: World, folder: Path, door=None, now: datetime | None = None) -> Iterator[Served]:
    """A copy of a world (its store, settings and rules), served on a free port."""
    for name in ("slicewatch.toml", "slicewatch.db"):
        shutil.copy(world.folder / name, folder / name)
    shutil.copytree(world.folder / "rules", folder / "rules", dirs_exist_ok=True)
    with ExitStack() as stack:
        app = stack.enter_context(App.open(folder / "slicewatch.toml", {}, StringIO()))
        served = Served(app, "", now or world.now)
        web = stack.enter_context(web_app(app, door or Loopback(), lambda: served.now, b"k" * 32))
        served.routes = entries(web.routes)
        server = stack.enter_context(closing(WebServer(web, "127.0.0.1", 0)))
        server.start()
        served.url = server.address
        yield served


@pytest.fixture
def site(world, tmp_path) -> Iterator[Served]:
    """The world on a port of its own; what is done there is seen by one test alone."""
    with serving(world, tmp_path) as served:
        yield served
