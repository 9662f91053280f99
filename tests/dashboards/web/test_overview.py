"""The first page says whether anything is wrong, and whether anything is not being watched."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO

import pytest

pytestmark = pytest.mark.xdist_group("web")


def test_the_open_incident_and_the_stable_total_stand_beside_each_other(site, tab):
    """What is wrong comes first; the rule's total, in words under its curve, is as expected."""
    tab.goto(site.url)
    row = tab.locator("table.incidents tbody tr")
    assert row.count() == 1
    assert "device=iphone" in row.inner_text()
    assert "critical" in row.inner_text()
    assert tab.locator(".tile.firing b").inner_text() == "1"
    assert "the last 72 buckets" in tab.locator("svg.spark title").first.text_content()


def test_times_are_shown_in_utc_or_in_the_readers_own(site, tab):
    """One switch for all of a page, remembered for the next."""
    tab.goto(site.url)
    shown = tab.locator("table.incidents time")
    assert shown.inner_text() == "4 Mar 2026 08:00 UTC"
    tab.get_by_role("button", name="UTC").click()
    assert "09:00" in shown.inner_text()
    tab.reload()
    assert "09:00" in tab.locator("table.incidents time").inner_text()


def test_what_was_not_evaluated_for_long_is_unknown_and_never_fine(site):
    """An hour without evaluations: the rule is overdue, and no tile calls it fine."""
    site.now += timedelta(hours=2)
    (rule,) = site.get("/api/v1/overview").json()["rules"]
    assert (rule["health"], rule["overdue"]) == ("unknown", True)
    assert rule["day_observed"] > 0
    site.now += timedelta(days=2)
    (rule,) = site.get("/api/v1/overview").json()["rules"]
    assert (rule["day_observed"], rule["day_expected"]) == (None, None)


def test_the_same_is_there_as_csv_and_as_json(site):
    """A row a rule, with the columns that the page shows."""
    (row,) = csv.DictReader(StringIO(site.get("/overview.csv").text))
    page = site.get("/api/v1/overview").json()
    assert (row["rule"], row["health"], row["open_incidents"]) == ("playback_volume", "firing", "1")
    assert float(row["observed_day"]) == pytest.approx(page["rules"][0]["day_observed"])


def test_an_owner_sees_their_rules_alone(site):
    """The filter stands in the address."""
    assert len(site.get("/api/v1/overview?owner=recs-data").json()["rules"]) == 1
    assert site.get("/api/v1/overview?owner=nobody").json()["rules"] == []


def test_a_page_of_another_name_that_points_here_gets_nothing(site):
    """Without sign-in only this machine's own names are answered, whatever a name resolves to."""
    assert site.get("/", headers={"Host": "evil.example"}).status_code == 401
