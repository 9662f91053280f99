"""What Prometheus scrapes, and what is built on it: the same metrics, and alerts that fire when they should and only then."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from dashboards.read import CanaryState, Health
from dashboards.views.health import WorkLine
from dashboards.views.readings import Readings, ReceiverReadings, RuleReadings
from dashboards.web.pages.metrics import Read
from monitor import store
from monitor.app import App
from monitor.serving.wiring import ports_of
from monitor.views.readings import ReadingsOfStore
from rules.model import Severity
from rules.yaml_text import read_yaml
from tests.promql import Scrapes, evaluate

pytestmark = pytest.mark.xdist_group("web")

ROOT = Path(__file__).resolve().parents[3]
NAME = re.compile(r"\bslicewatch_[a-z0-9_]+")
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

WORK = WorkLine(
    rule="orders",
    source="shop.orders",
    health=Health.FINE,
    last_run=NOW - HOUR,
    behind=HOUR,
    due=HOUR,
    median_seconds=1.0,
    longest_seconds=2.0,
    query_seconds=0.5,
    rows=10,
    open=((Severity.CRITICAL, 0),),
)
RULE = RuleReadings(
    work=WORK,
    last_success=NOW - HOUR,
    schedule=HOUR,
    late_since=NOW - timedelta(minutes=10),
    missing=1,
    evaluations=(("ok", 9.0),),
    slices=(("judged", 40.0), ("unlearned", 2.0)),
)
RECEIVER = ReceiverReadings(
    "oncall", 1, 0, NOW - timedelta(minutes=9), 3, 0.5, (("sent", 3.0), ("retried", 3.0), ("dead", 0.0))
)
FINE = Readings(
    now=NOW,
    version="1.0",
    daemons=2,
    store_bytes=1_000,
    failed=(("blind", 0), ("late", 0)),
    oldest_queued=NOW - timedelta(minutes=50),
    rules=(RULE,),
    receivers=(RECEIVER,),
    heartbeats=(("sent", 100.0), ("withheld", 1.0), ("failed", 1.0)),
    reloads=(("ok", 2.0),),
    reloaded=(NOW - HOUR, True),
    broken_files=0,
    store_errors=2.0,
    clock_off=29.0,
    threads=(("follow", NOW - timedelta(minutes=14)),),
    canary=CanaryState(NOW - HOUR, True, "", NOW - HOUR, 20.0),
)
"""All is well, if by little."""


def text_of(readings: Readings) -> str:
    registry = CollectorRegistry()
    registry.register(Read(readings))
    return generate_latest(registry).decode()


def samples(text: str) -> dict[str, list]:
    """By their full names, as Prometheus reads them; each metric is there, with or without any."""
    found: dict[str, list] = {}
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name + ("_total" if family.type == "counter" else ""), [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def scraped(site) -> dict[str, list]:
    answer = site.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return samples(answer.text)


# --- what is told ------------------------------------------------------------------------------------------------


def test_an_open_incident_and_the_state_of_its_rule_are_there(site):
    """By rule and severity; just one state of a rule holds; what the daemons counted is added up."""
    with site.app.state.write() as tx:
        store.add_tallies(tx, [store.Tally("evaluations", "playback_volume", "ok", 7.0)], site.now)
        store.add_tallies(tx, [store.Tally("evaluations", "a rule that is gone", "ok", 7.0)], site.now)
    found = scraped(site)
    opened = {sample.labels["severity"]: sample.value for sample in found["slicewatch_open_incidents"]}
    assert opened == {"info": 0, "warning": 0, "critical": 1}
    assert [s.labels["health"] for s in found["slicewatch_rule_health"] if s.value] == ["firing"]
    assert found["slicewatch_rule_behind_seconds"][0].value == 0
    assert found["slicewatch_daemons"][0].value == 0
    assert found["slicewatch_rule_overdue_seconds"][0].value == 0
    last = found["slicewatch_rule_last_success_timestamp_seconds"][0].value
    assert last == found["slicewatch_rule_last_run_timestamp_seconds"][0].value
    (evaluated,) = found["slicewatch_rule_evaluations_total"]
    assert (evaluated.labels, evaluated.value) == ({"rule": "playback_volume", "result": "ok"}, 7.0)
    assert found["slicewatch_canary_up"] == []


def test_what_was_missed_is_told_by_the_schedule(site):
    """Two hours later nobody has evaluated anything."""
    site.now += 2 * HOUR
    found = scraped(site)
    assert found["slicewatch_rule_missed_evaluations"][0].value == 2
    assert found["slicewatch_rule_overdue_seconds"][0].value == 3_600
    assert found["slicewatch_rule_schedule_seconds"][0].value == 3_600


def test_metrics_are_named_as_prometheus_advises():
    """Each with help and type, base units, `_total` for what only grows, and nothing that ends so and does not."""
    for family in text_string_to_metric_families(text_of(FINE)):
        assert family.documentation.endswith("."), family.name
        assert family.type in {"gauge", "counter"}
        assert not re.search(r"_(ms|minutes|hours|kb|mb|count|total)$", family.name), family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")


def test_the_number_of_series_is_bounded():
    """By the rules and receivers there are: nothing is told of each slice, incident or daemon."""
    labels = {key for found in samples(text_of(FINE)).values() for sample in found for key in sample.labels}
    assert labels == {"version", "rule", "receiver", "result", "state", "health", "severity", "outcome", "thread"}


def test_counts_go_on_over_restarts(tmp_path):
    """What several processes counted, one after another and side by side, adds up; what could not be kept is kept later."""
    (tmp_path / "slicewatch.toml").write_text('rules = ["*.yaml"]\n[receivers.oncall]\nkind = "console"\n')
    values = []
    for n in range(3):
        with App.open(tmp_path / "slicewatch.toml", {}, StringIO()) as app:
            app.tally.add("deliveries", "oncall", "sent", by=n + 1)
            app.tally.keep(app.state, NOW)
            (receiver,) = ReadingsOfStore(app).readings(NOW).receivers
            values.append(dict(receiver.deliveries)["sent"])
            app.tally.add("deliveries", "oncall", "sent")
            with closing(store.Store.open("sqlite://")) as broken:
                with broken.write() as tx:
                    tx.connection.exec_driver_sql("DROP TABLE slicewatch_tally")
                with pytest.raises(store.StoreError):
                    app.tally.keep(broken, NOW)
            app.tally.keep(app.state, NOW)
    assert values == [1, 4, 8]


@pytest.mark.parametrize("page", ["readings", "overview", "health", "rules"])
def test_many_rules_cost_no_more_queries_than_a_few(tmp_path, page):
    """A page of a hundred rules asks the store as often as one of two."""
    asked = {}
    for many in (2, 100):
        folder = tmp_path / str(many)
        folder.mkdir()
        rules = [
            f"  - name: r{n}\n    source: shop.t{n}\n    timestamp: at\n    dimensions: [a]\n" for n in range(many)
        ]
        (folder / "r.yaml").write_text("rules:\n" + "".join(rules))
        (folder / "slicewatch.toml").write_text(
            'rules = ["*.yaml"]\n[sources.shop]\nkind = "sql"\nurl = "sqlite:///shop.db"\n[receivers.c]\nkind = "console"\n'
        )
        with App.open(folder / "slicewatch.toml", {}, StringIO()) as app, ports_of(app, waits=False) as ports:
            with app.state.write() as tx:
                for rule in app.rules.rules:
                    store.record_run(tx, rule.name, int(NOW.timestamp()), "blind", "refused")
            statements, here = [], threading.get_ident()

            def note(_connection, _cursor, statement, *_, to=statements, me=here):
                if threading.get_ident() == me:  # what is made aside is made for later
                    to.append(statement)

            event.listen(app.state._engine, "before_cursor_execute", note)
            match page:
                case "readings":
                    ports.readings.readings(NOW)
                case "overview":
                    ports.overview.overview(NOW, None)
                case "health":
                    ports.health.health(NOW)
                case _:
                    ports.rules.rules(NOW)
            asked[many] = len(statements)
    assert asked[2] > 0
    assert asked[100] == asked[2]


# --- what is built on it -----------------------------------------------------------------------------------------


def example_alerts() -> dict[str, Mapping[str, Any]]:
    found = read_yaml((ROOT / "examples/prometheus/slicewatch.rules.yaml").read_text(), "rules").data
    return {rule["alert"]: rule for group in found["groups"] for rule in group["rules"]}


ALERTS = example_alerts()


def test_the_dashboard_for_grafana_asks_for_metrics_that_there_are():
    """Every expression of the example, and the labels that it narrows down by."""
    board = json.loads((ROOT / "examples/grafana/slicewatch.json").read_text())
    asked = {name for panel in board["panels"] for t in panel["targets"] for name in NAME.findall(t["expr"])}
    assert asked
    assert asked <= set(samples(text_of(FINE)))


@pytest.mark.parametrize("name", ALERTS)
def test_the_alerts_for_prometheus_ask_for_metrics_that_there_are(name):
    """Every expression of the example; each says how grave it is and what it means, with labels that its metric has."""
    alert, known = ALERTS[name], samples(text_of(FINE))
    asked = NAME.findall(alert["expr"])
    assert set(asked) <= set(known)
    assert alert["labels"]["severity"] in {"warning", "critical"}
    labels = {key for metric in asked for sample in known[metric] for key in sample.labels}
    assert set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"])) <= labels


def ill(**changes: Any) -> Readings:
    return replace(FINE, **changes)


def rule(**changes: Any) -> Readings:
    return replace(FINE, rules=(replace(RULE, **changes),))


def work(**changes: Any) -> Readings:
    return rule(work=replace(WORK, **changes))


def receiver(**changes: Any) -> Readings:
    return replace(FINE, receivers=(replace(RECEIVER, **changes),))


WRONG = {
    "SlicewatchDown": ill(daemons=0),
    "SlicewatchRuleNotWatched": work(health=Health.UNKNOWN),
    "SlicewatchRuleNeverRan": work(health=Health.NEVER_RUN),
    "SlicewatchRuleOverdue": rule(late_since=NOW - 2 * HOUR - timedelta(minutes=16)),
    "SlicewatchBehind": work(behind=3 * HOUR + timedelta(seconds=1)),
    "SlicewatchMessagesNotSent": receiver(due_since=NOW - timedelta(minutes=11)),
    "SlicewatchMessagesWait": ill(oldest_queued=NOW - timedelta(minutes=61)),
    "SlicewatchMessagesGivenUp": receiver(dead=1),
    "SlicewatchReceiverFailing": receiver(deliveries=(("sent", 3.0), ("retried", 14.0), ("dead", 0.0))),
    "SlicewatchStoreFailing": ill(store_errors=8.0),
    "SlicewatchReloadFailing": ill(broken_files=1),
    "SlicewatchThreadStuck": ill(threads=(("follow", NOW - timedelta(minutes=16)),)),
    "SlicewatchHeartbeatWithheld": ill(heartbeats=(("withheld", 7.0),)),
    "SlicewatchHeartbeatNotTaken": ill(heartbeats=(("failed", 7.0),)),
    "SlicewatchCanaryLost": ill(canary=CanaryState(NOW, False, "nobody noticed", NOW - 25 * HOUR, 20.0)),
    "SlicewatchNoCanary": ill(canary=CanaryState(NOW - 50 * HOUR, True, "", NOW - 49 * HOUR, 20.0)),
    "SlicewatchRulesUnchecked": ill(unchecked=1),
    "SlicewatchRuleParked": ill(parked=(("orders", 3),)),
    "SlicewatchClockOff": ill(clock_off=31.0),
}
"""What each alert is about, wrong by little."""


def firing(readings: Readings) -> set[str]:
    """The alerts that would fire after a while in which things stood so, and counts grew from what they are where all is well."""
    scrapes = Scrapes.of(NOW.timestamp(), text_of(readings), text_of(FINE))
    return {name for name, alert in ALERTS.items() if evaluate(alert["expr"], scrapes)}


def test_no_alert_fires_where_all_is_well():
    """Not by a hair."""
    assert firing(FINE) == set()


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_fires_where_something_is_wrong_and_no_other_does(name):
    """By its threshold."""
    assert firing(WRONG[name]) == {name}


def test_nothing_to_scrape_is_an_alert():
    """A daemon that is gone exposes nothing at all."""
    assert evaluate(ALERTS["SlicewatchDown"]["expr"], Scrapes.of(0.0, "")) == {frozenset(): 1.0}


def test_a_reload_that_failed_is_an_alert():
    """Though no file is broken now: what was asked for is not in force."""
    assert firing(ill(reloaded=(NOW, False))) == {"SlicewatchReloadFailing"}
