"""What Prometheus scrapes, and what is built on it, speak of the same metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rules.yaml_text import read_yaml

pytestmark = pytest.mark.xdist_group("web")

ROOT = Path(__file__).resolve().parents[3]
NAME = re.compile(r"\bslicewatch_[a-z0-9_]+")


def metrics(site) -> dict[str, list]:
    """Samples by name, as Prometheus reads them."""
    answer = site.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {family.name: family.samples for family in text_string_to_metric_families(answer.text)}


def test_an_open_incident_and_the_state_of_its_rule_are_there(site):
    """By rule and severity; just one state of a rule holds."""
    found = metrics(site)
    opened = {sample.labels["severity"]: sample.value for sample in found["slicewatch_open_incidents"]}
    assert opened == {"info": 0, "warning": 0, "critical": 1}
    assert [s.labels["health"] for s in found["slicewatch_rule_health"] if s.value] == ["firing"]
    assert found["slicewatch_rule_behind_seconds"][0].value == 0
    assert found["slicewatch_daemons"][0].value == 0


def test_the_dashboard_for_grafana_asks_for_metrics_that_there_are(site):
    """Every expression of the example."""
    board = json.loads((ROOT / "examples/grafana/slicewatch.json").read_text())
    asked = {name for panel in board["panels"] for t in panel["targets"] for name in NAME.findall(t["expr"])}
    assert asked
    assert asked <= set(metrics(site))


def test_the_alerts_for_prometheus_ask_for_metrics_that_there_are(site):
    """Every expression of the example."""
    found = read_yaml((ROOT / "examples/prometheus/slicewatch.rules.yaml").read_text(), "rules").data
    rules = [rule for group in found["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in NAME.findall(rule["expr"])}
    assert len(rules) == 5
    assert asked <= set(metrics(site))
