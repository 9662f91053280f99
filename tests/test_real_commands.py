"""The commands that make rules trusted, on the real data, nothing tuned."""

from __future__ import annotations

import json

import pytest

from tests.monitor.commands.place import Place
from tests.scenarios import USAGOV, WASHINGTON_BIKE, untouched_workspace

pytestmark = [pytest.mark.shared, pytest.mark.xdist_group("real commands")]

SANDY = """\
    known:
      - {name: hurricane Sandy, from: 2012-10-28T16:00, to: 2012-10-30T13:00, kind: drop}
"""
TESTS = """\
    tests:
      - name: casual riders are lost
        history: {at: 2012-10-24T12:00}
        given: {drop: {rider: casual}, buckets: 4}
        expect: {firing: [{rider: casual}], kind: drop}
      - name: twice as many riders are no loss
        history: {at: 2012-10-24T12:00}
        given: {spike: {}, to: x2, buckets: 4}
        expect: {firing: []}
"""


@pytest.fixture(scope="module")
def bikes(tmp_path_factory) -> Place:
    """Rides in Washington, with what people know of the hurricane."""
    folder = tmp_path_factory.mktemp("bikes")
    place = Place(untouched_workspace(WASHINGTON_BIKE, folder).parent)
    (rule,) = (folder / "rules").glob("*.yaml")
    rule.write_text(rule.read_text() + SANDY + TESTS)
    return place


@pytest.mark.soak
def test_a_backtest_finds_the_hurricane_that_people_know_of(bikes):
    """It is told, within hours, and is all that is told in those days but what came of it."""
    (report,) = bikes.lines("backtest", "--from", "2012-10-28", "--to", "2012-10-30T12:00")
    assert report["recall"] == 1.0
    assert [label["name"] for label in report["known"]] == ["hurricane Sandy"]
    assert report["noise"]["unlabelled"] <= 1


def test_blind_spots_and_drills_of_bikes(bikes):
    """Three slices, all protected: each is told when it is lost, as foreseen."""
    (spots,) = bikes.lines("blindspots", "washington_rides", "--at", "2012-10-24T12:00")
    assert all(spot["silence_seconds"] for spot in spots["slices"])
    (report,) = bikes.lines("drill", "washington_rides", "--at", "2012-10-24T12:00")
    assert (report["slices"], report["caught"], report["blindspots"]["both"]) == (3, 3, 3)


def test_tests_of_a_rule_on_recorded_bikes(bikes):
    """Recorded events lose what the test says, and the rule tells it."""
    run = bikes.run("test")
    assert (run.exit_code, run.stdout.splitlines()[-1]) == (0, "2 passed"), run.stdout


def test_an_hour_of_bikes_is_explained(bikes):
    """The chain of the total: what was counted, what was expected of it, and that it is no alarm."""
    assert bikes.run("once", "washington_rides", "--at", "2012-10-24T12:00").exit_code == 0
    run = bikes.run("explain", "washington_rides", "total", "2012-10-24T11:00", "--json")
    (chain,) = json.loads(run.stdout)["chains"]
    hour = next(window for window in chain["windows"] if window["buckets"] == 1)
    assert chain["reads"][0]["observed"] == hour["observed"] > 100
    assert 0.5 < hour["observed"] / hour["expected"] < 2.0
    assert [len(chain["past"]), chain["conclusion"]] == [
        4,
        "no alarm: in no window is it as unlikely as the alert budget asks",
    ]


def test_a_rule_for_government_visits_is_suggested(tmp_path):
    """Days, the three dimensions there are, and the visits summed: a row stands for many."""
    place = Place(untouched_workspace(USAGOV, tmp_path).parent)
    run = place.run("suggest", "open_data.os_browser", "--no-trial", "--json")
    found = json.loads(run.stdout)
    assert (found["timestamp"], found["sum"], found["time_bucket_seconds"]) == ("date", "visits", 86_400.0)
    assert set(found["dimensions"]) == {"agency", "os", "browser"}
