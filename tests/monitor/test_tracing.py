"""Spans: sent by OTLP to a real server, nested as things were done; nothing of it is loaded where nobody asks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from monitor.app import App
from monitor.settings import load_settings
from monitor.tracing import span, traced, tracing_to
from tests.monitor.test_heartbeat import ORDERS, shop
from tests.standins.beats import BeatStandin
from tests.standins.web import WebhookStandin

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
TOML = """\
rules = ["*.yaml"]

[sources.shop]
kind = "sql"
url = "sqlite:///shop.db"

[receivers.hook]
kind = "webhook"
url = {env = "HOOK"}
token = {env = "TOKEN"}
allow_private = true
pace = "0"

[tracing]
endpoint = "ENDPOINT"
headers = {env = "OTLP_HEADERS"}
"""


def received(collector: BeatStandin) -> list[Mapping]:
    """All spans: their names, ids, parents, attributes, and how they ended."""
    found = []
    for request in collector.beats("/v1/traces"):
        asked = ExportTraceServiceRequest.FromString(request.body)
        for resource in asked.resource_spans:
            service = {item.key: item.value.string_value for item in resource.resource.attributes}
            for item in (one for scope in resource.scope_spans for one in scope.spans):
                said = {a.key: a.value.string_value or a.value.int_value for a in item.attributes}
                found.append(
                    {
                        "name": item.name,
                        "id": item.span_id,
                        "parent": item.parent_span_id,
                        "failed": item.status.code == 2,
                    }
                    | {"service": service["service.name"], **said}
                )
    return found


@pytest.fixture
def world(tmp_path):
    """A shop with a rule, a receiver, and a collector of spans."""
    with BeatStandin() as collector, WebhookStandin() as hook:
        (tmp_path / "slicewatch.toml").write_text(TOML.replace("ENDPOINT", collector.url))
        (tmp_path / "orders.yaml").write_text(ORDERS)
        shop(tmp_path / "shop.db", NOW)
        env = {"HOOK": hook.url, "TOKEN": hook.token, "OTLP_HEADERS": "x-key=s%20cret,x-team=data"}
        with App.open(tmp_path / "slicewatch.toml", env, StringIO()) as app:
            yield app, collector, tmp_path


def test_an_evaluation_and_a_delivery_are_followed_through(world):
    """The tick holds its queries, what is judged and what is stored; a delivery names its incident and receiver."""
    app, collector, folder = world
    (rule,) = app.rules.rules
    with traced(app.settings.selfwatch.tracing):
        app.tick(rule, NOW)
        (folder / "shop.db").write_bytes(b"no database")
        app.tick(rule, NOW + timedelta(hours=1))
        app.deliver(lambda: NOW + timedelta(hours=1), lambda _: None, NOW + timedelta(hours=2), "test")
    spans = received(collector)
    assert {item["service"] for item in spans} == {"slicewatch"}
    ticks = [item for item in spans if item["name"] == "slicewatch.tick"]
    assert [(item["slicewatch.rule"], item["slicewatch.outcome"]) for item in ticks] == [
        ("orders", "ok"),
        ("orders", "blind"),
    ]
    assert ticks[0]["slicewatch.tick"] == NOW.isoformat()
    inside = {item["name"] for item in spans if item["parent"] == ticks[0]["id"]}
    assert inside == {"slicewatch.query", "slicewatch.judge", "slicewatch.store.write"}
    queries = [item for item in spans if item["name"] == "slicewatch.query"]
    assert [item["failed"] for item in queries if item["parent"] == ticks[1]["id"]] == [True]
    assert all(item["slicewatch.source"] == "shop.orders" for item in queries)
    assert sum(item["slicewatch.rows"] for item in queries if not item["failed"]) == 144
    (sent,) = [item for item in spans if item["name"] == "slicewatch.deliver"]
    assert sent["slicewatch.receiver"] == "hook"
    assert sent["slicewatch.incident"].startswith("sw-")
    (request, *_) = collector.beats("/v1/traces")
    assert (request.headers["x-key"], request.headers["x-team"]) == ("s cret", "data")


def test_a_collector_that_is_gone_holds_nothing_up(world, caplog):
    """What is evaluated is evaluated; its spans are lost."""
    app, collector, _ = world
    (rule,) = app.rules.rules
    with collector.stopped(), traced(app.settings.selfwatch.tracing):
        outcome = app.tick(rule, NOW)
        assert outcome.judged
    assert received(collector) == []
    assert "s cret" not in caplog.text


def test_without_being_asked_for_a_span_is_nothing():
    """It takes what is noted, lets errors pass, and costs no library."""
    with traced(None), span("tick", rule="r") as made:
        made.note(outcome="ok")
    with pytest.raises(ZeroDivisionError), span("tick"):
        raise ZeroDivisionError
    code = "import sys, monitor.scheduler, monitor.commands.run; sys.exit(any(name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')) for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_library_that_is_missing_is_told_with_what_to_do(world):
    """As a mistake in the settings."""
    _, _, folder = world
    code = (
        "import sys; sys.modules['opentelemetry.exporter'] = None\n"
        "from monitor.settings import SettingsError, load_settings\nfrom monitor.tracing import traced\n"
        "from pathlib import Path\n"
        f"plan = load_settings(Path({str(folder / 'slicewatch.toml')!r}), {{}}).selfwatch.tracing\n"
        "try:\n    traced(plan).__enter__()\nexcept SettingsError as error:\n    print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "[tracing] needs opentelemetry.exporter.otlp, which is not installed" in found.stdout
    assert "pip install 'slicewatch[otel]'" in found.stdout


def test_a_tracer_is_in_force_for_a_while_only(tmp_path):
    """Whatever ends it."""
    (tmp_path / "slicewatch.toml").write_text('rules = ["*.yaml"]\n')
    assert load_settings(tmp_path / "slicewatch.toml", {}).selfwatch.tracing is None
    names = []

    class Tracer:
        def span(self, name, attributes):  # noqa: ARG002  # as the Protocol
            names.append(name)
            return nullcontext()

    with tracing_to(Tracer()), span("inside"):
        pass
    with span("after"):
        pass
    assert names == ["inside"]
