"""The pages while PostgreSQL is away."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from io import StringIO

import httpx
import pytest

from dashboards.web.access.doors import Loopback
from monitor.app import App
from monitor.claims import Claims
from monitor.presence import Presence
from monitor.serving.server import WebServer
from monitor.serving.wiring import web_app
from tests.replicas.place import Shared, hours_ago
from tests.replicas.server import Server

pytestmark = pytest.mark.xdist_group("postgres of the replicas")


def test_pages_say_that_the_store_is_away_and_come_back_with_it(
    server: Server, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A status that says "try again", for people and programs, a line in the log, and no traceback."""
    shared = Shared.make(tmp_path_factory.mktemp("pages"), server, "pages")
    shared.evaluated(hours_ago(0))
    with (
        App.open(shared.place.config, {}, StringIO()) as app,
        web_app(app, Loopback(), lambda: datetime.now(UTC), b"k" * 32) as web,
        closing(WebServer(web, "127.0.0.1", 0)) as pages,
        httpx.Client(base_url=pages.address, trust_env=False) as ask,
    ):
        pages.start()
        assert {ask.get(path).status_code for path in PATHS} == {200}
        server.stop()
        try:
            away = [ask.get(path) for path in PATHS]
        finally:
            server.start()
        assert [answer.status_code for answer in away] == [503] * len(PATHS)
        assert all(answer.headers["retry-after"] == "10" for answer in away)
        assert away[-1].json()["error"].startswith("the store does not answer at present")
        assert "the store does not answer at present" in away[0].text
        assert caplog.text.count("/rules is not answered: store postgresql") == 1
        assert "Traceback" not in caplog.text
        assert {ask.get(path).status_code for path in PATHS} == {200}


PATHS = ("/rules", "/health", "/", "/deliveries", "/api/v1/health")


def test_the_health_page_shows_every_daemon_its_work_and_its_clock(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of one whose machine's clock is off people read it there."""
    shared = Shared.make(tmp_path_factory.mktemp("health"), server, "health")
    now = datetime.now(UTC)
    with App.open(shared.place.config, {}, StringIO()) as app:
        one, two = Presence("one", 1, now), Presence("two", 2, now)
        one.say(app.state, now)
        two.say(app.state, now, now - hours_ago(1))
        Claims(app.state, one.id, lambda: now).take(shared.rule(), hours_ago(0))
        with (
            web_app(app, Loopback(), lambda: now, b"k" * 32) as web,
            closing(WebServer(web, "127.0.0.1", 0)) as pages,
            httpx.Client(base_url=pages.address, trust_env=False) as ask,
        ):
            pages.start()
            page, data = ask.get("/health").text, ask.get("/api/v1/health").json()
    assert page.count("at 1 of its runs") == 1
    assert page.count("machine&#39;s clock is") == 1
    assert {item["host"]: item["evaluating"] for item in data["daemons"]} == {"one": 1, "two": 0}
