"""The pages on real data in which something goes missing: they open, their charts draw, and what is done there holds."""

from __future__ import annotations

from io import StringIO

import pytest

from alerts.model import State
from monitor import store
from monitor.app import App
from rules.slices import Slice
from tests.dashboards.web.conftest import World, serving
from tests.dashboards.web.visits import PLAIN, Shown, settle
from tests.scenarios import SCENARIOS, Scenario, workspace
from tests.standins.browser import unusable

pytestmark = [pytest.mark.shared, pytest.mark.xdist_group("real pages")]

BUCKETS_IN = 2
"""Evaluations after the loss began: its incident is open."""


def watched(scenario: Scenario, folder) -> World:
    """A scenario's data, and the evaluations until its loss has lasted some buckets."""
    config = workspace(scenario, folder)
    first = scenario.begins
    with App.open(config, {}, StringIO()) as app:
        (rule,) = app.rules.rules
        for bucket in range(BUCKETS_IN + 1):
            at = first + bucket * scenario.data.bucket
            app.tick(rule, at)
            app.deliver(lambda at=at: at, lambda _: None, at, "real")
    return World(folder, at)


@pytest.mark.parametrize("name", ["U1", pytest.param("N1", marks=pytest.mark.soak)])
def test_every_page_shows_real_data(name, tmp_path, tab):
    """Visits of government sites by day, bike trips by hour: all pages, the loss on them, and its acknowledgement."""
    scenario = SCENARIOS[name]
    (tmp_path / "served").mkdir()
    with serving(watched(scenario, tmp_path), tmp_path / "served") as site:
        rule, cause = scenario.data.rule, Slice.of(scenario.expected.cause)
        with site.app.state.read() as tx:
            (found,) = [item for item in store.open_incidents(tx, rule) if item.cause == cause]
        metric = found.metric
        for route, path in Shown(rule, found.id, cause, metric).visits(site.routes).items():
            assert tab.goto(site.url + path).status == 200, path
            settle(tab)
            assert tab.evaluate(PLAIN), route
            assert tab.locator(".chart").count() == tab.locator(".chart .main-svg:first-child").count(), route
            assert unusable(tab) == [], route

        tab.goto(f"{site.url}/slices?rule={rule}")
        assert cause.label() in tab.locator("table.heat tbody tr", has=tab.locator(".alarmed")).all_inner_texts()[0]
        tab.goto(site.url)
        tab.locator("table.incidents").get_by_role("link", name=cause.label()).click()
        tab.get_by_role("button", name="Acknowledge").click()
        tab.locator("[data-told]").wait_for()
        with site.app.state.read() as tx:
            assert store.incident(tx, found.id).state is State.ACKNOWLEDGED
