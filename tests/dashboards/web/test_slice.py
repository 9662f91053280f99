"""The page of one slice: its weeks, what would have fired at another sensitivity, what it is made of."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from io import StringIO
from urllib.parse import quote

import pytest

from alerts.silences import Scope
from monitor.acting import Desk
from rules.slices import Slice
from tests.dashboards.web.people import KARI
from tests.standins.browser import unusable

pytestmark = pytest.mark.xdist_group("web")


def path(days=7, **terms) -> str:
    key = quote(json.dumps(terms)) if terms else ""
    return f"/slices/one?rule=playback_volume&slice={key}&days={days}"


def test_the_slider_tells_at_once_what_would_have_fired(site, tab):
    """The outage fires at the rule's own budget; a larger one fires more; earlier weeks and parts are there on demand."""
    tab.goto(site.url + path(days=28, device="iphone"))
    tab.wait_for_selector("#slice-chart[data-ready]")
    said = tab.locator("#fired")
    assert "1 a week (medium), as the rule does" in said.inner_text()
    assert "3 of 672 buckets would have been, in 1 stretch." in said.inner_text()
    traces = "document.getElementById('slice-chart').data"
    fired = f"{traces}.find(t => t.meta === 'fired').x"
    assert tab.evaluate(fired) == ["2026-03-04 08:00", "2026-03-04 09:00", "2026-03-04 10:00"]

    tab.locator("#budget").focus()
    tab.keyboard.press("End")
    assert said.inner_text().startswith("50 a week")
    assert len(tab.evaluate(fired)) >= 3
    tab.get_by_role("button", name="Light or dark").click()
    tab.wait_for_function(f"{fired}.length >= 3")

    tab.get_by_label("the same hours of").check()
    assert set(tab.evaluate(f"{traces}.filter(t => t.meta === 'earlier').map(t => t.visible)")) == {True}
    tab.wait_for_selector("#parts .chart[data-ready]", timeout=60_000)
    assert unusable(tab) == []

    tab.get_by_role("link", name="every event").click()
    tab.wait_for_selector("#slice-chart[data-ready]")
    assert tab.locator("h1").inner_text() == "every event"


def test_what_was_out_of_the_ordinary_is_shaded_and_said(site):
    """The incident, what it left out of what is normal, a silence, and a known change."""
    desk = Desk(site.app)
    scope = Scope("playback_*", Slice.of({"device": "iphone"}))
    desk.silence(scope, KARI, site.now - timedelta(hours=1), site.now + timedelta(hours=1), "rolled back")
    desk.mark("app 7.3", site.now - timedelta(hours=4), Scope(), KARI, site.now)
    page = site.get("/api/v1" + path(device="iphone")).json()
    assert {item["kind"] for item in page["shaded"]} == {"incident", "flagged", "silenced"}
    assert [mark["text"] for mark in page["marks"]] == ["app 7.3"]
    assert [item["id"] for item in page["incidents"]] == [site.incident]
    other = site.get("/api/v1" + path(device="tablet")).json()
    assert other["shaded"] == other["incidents"] == []


def test_csv_holds_a_row_a_bucket(site):
    """With the threshold up to which each would have been alarmed."""
    rows = list(csv.DictReader(StringIO(site.get(path(device="iphone").replace("one?", "one.csv?")).text)))
    assert len(rows) == 7 * 24
    assert (rows[-1]["start"], rows[-1]["observed"]) == ("2026-03-04T10:00:00Z", "0.0")
    assert float(rows[-1]["alarmed_from_threshold"]) > 20


def test_a_slice_that_is_not_there_says_why(site):
    """Never seen, deeper than the rule looks, a dimension that it has not: a page each; what is no slice is an error."""
    assert "No such slice was ever seen" in site.get(path(device="fridge")).text
    deep = site.get(path(device="iphone", country="US", app_version="8.5"))
    assert (deep.status_code, "It names 3 dimensions, and the rule judges slices of up to 2" in deep.text) == (
        200,
        True,
    )
    assert "The rule has no dimension planet" in site.get(path(planet="mars")).text
    assert site.get("/slices/one?rule=nothing&slice=").status_code == 404
    for wrong in ("[1]", "{", '{"device":5}', '{"device":"\\ud800"}', "[" * 9_000):
        assert site.get("/slices/one?rule=playback_volume&slice=" + quote(wrong)).status_code == 422
    assert site.get(path(days=9)).status_code == 422
