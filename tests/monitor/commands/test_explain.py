"""`slicewatch explain`: why a slice was, or was not, alarmed, from counts to deliveries."""

from __future__ import annotations

import json

import pytest

from monitor.commands.explain import slice_called
from rules.model import Rule, SourceRef, Timestamp
from rules.problem import Place
from rules.slices import Slice
from tests.monitor.commands.place import HOUR, OUTAGE, at

pytestmark = pytest.mark.xdist_group("commands")

LAST = (OUTAGE[1] - HOUR).isoformat()
"""In the last bucket of the outage, which the second evaluation judged."""


def explained(place, *target: str) -> dict:
    """What `--json` prints."""
    return json.loads(place.run("explain", *target, "--json").stdout)


def test_an_incident_is_explained_from_its_counts_to_its_delivery(told):
    """The chain of the bucket at which it was raised: nothing came, beyond the threshold, told, delivered."""
    (view,) = told.lines("status")
    (incident,) = view["rules"][0]["open"]
    found = explained(told, incident["id"])
    (chain,) = found["chains"]
    assert (chain["slice"], chain["start"]) == ({"device": "ios"}, "2026-03-04T06:00:00Z")
    assert chain["conclusion"] == "alarmed, and told as a cause of its own"
    assert [read["observed"] for read in chain["reads"]] == [0.0]
    assert len([past for past in chain["past"] if past["observed"]]) == 4
    assert max(window["surprise"] for window in chain["windows"]) > chain["threshold"]
    first = chain["windows"][0]
    assert first["observed"] == 0
    assert first["low"] < first["expected"] < first["high"]
    (same,) = found["incidents"]
    assert same["id"] == incident["id"]
    assert [d["reason"] for d in same["decisions"] if d["send"]] == ["new"]
    assert {part["state"] for part in same["deliveries"]} == {"done"}
    assert "device = 'ios'" in chain["query"]


def test_what_an_incident_leaves_to_be_loaded_again_is_csv(told):
    """So far, of one that is open; and of nothing else than an incident."""
    (view,) = told.lines("status")
    (incident,) = view["rules"][0]["open"]
    head, line = told.run("explain", incident["id"], "--csv").stdout.splitlines()
    assert head == "rule,source,metric,device,country,start,end,expected,observed,lost"
    assert line == (
        "playback_volume,lake.playback,sum(events),ios,,2026-03-04T06:00:00Z,2026-03-04T09:00:00Z,"
        f"{incident['expected']:.0f},0,{incident['expected']:.0f}"
    )
    refused = told.run("explain", "playback_volume", "total", LAST, "--csv")
    assert refused.exit_code == 2
    assert "--csv is of one INCIDENT" in refused.stderr


def test_a_child_is_explained_by_its_cause(told):
    """Ios in Norway is alarmed, not told: device=ios explains it."""
    (chain,) = explained(told, "playback_volume", "device=ios,country=NO", LAST)["chains"]
    assert chain["conclusion"] == "alarmed, and explained by device=ios"
    assert chain["explained_by"] == {"device": "ios"}


def test_why_there_was_no_alert(told):
    """A healthy total, a slice that grew under a rule for drops, and one never seen say at which step they fell out."""
    (total,) = explained(told, "playback_volume", "total", LAST)["chains"]
    assert total["conclusion"] == "no alarm: in no window is it as unlikely as the alert budget asks"
    (grew,) = explained(told, "playback_volume", "device=web", LAST)["chains"]
    assert grew["conclusion"] == "no alarm: it would be one, and the rule sends direction: drop"
    assert min(window["p"] for window in grew["windows"]) < 1e-9
    (unknown,) = explained(told, "playback_volume", "device=fridge", LAST)["chains"]
    assert unknown["conclusion"].startswith("not tested: it was never seen")
    assert unknown["windows"] == []


def test_a_bucket_never_read_is_unknown(told):
    """Unknown is not zero: nothing is concluded from a bucket that nobody asked for."""
    (chain,) = explained(told, "playback_volume", "device=ios", (OUTAGE[1] + 5 * HOUR).isoformat())["chains"]
    assert chain["conclusion"].startswith("unknown: the bucket was never read")


def test_an_incident_of_a_removed_rule_is_still_told(told):
    """Its counts are of no rule any more; what became of it, and who heard of it, stands."""
    (view,) = told.lines("status")
    (incident,) = view["rules"][0]["open"]
    file = told.folder / "rules" / "playback.yaml"
    text = file.read_text()
    try:
        told.write("rules/playback.yaml", "rules: []\n")
        found = explained(told, incident["id"])
        assert found["chains"] == []
        assert [one["id"] for one in found["incidents"]] == [incident["id"]]
        assert "playback_volume is no rule any more" in told.run("explain", incident["id"]).stdout
    finally:
        told.write("rules/playback.yaml", text)


def test_what_was_marked_stands_beside_it(told):
    """A release before the outage is named; the marks are listed, and what is of no rule is refused."""
    answer = told.run("mark", "app 7.3 released", "--at", (OUTAGE[0] - HOUR / 3).isoformat(), "--as", "Kari").stdout
    assert answer.endswith("app 7.3 released, by Kari\n")
    found = explained(told, "playback_volume", "device=ios", OUTAGE[0].isoformat())
    assert [mark["text"] for mark in found["marks"]] == ["app 7.3 released"]
    text = told.run("explain", "playback_volume", "device=ios", OUTAGE[0].isoformat()).stdout
    assert "changed    2026-03-04T05:40:00Z app 7.3 released, by Kari" in text
    refused = told.run("mark", "app 8", "--rule", "playback_volum")
    assert refused.exit_code == 2
    assert "did you mean 'playback_volume'?" in refused.stderr
    assert told.run("mark", "--remove", answer.split()[0]).stdout == ""
    assert explained(told, "playback_volume", "device=ios", OUTAGE[0].isoformat())["marks"] == []


def test_explaining_changes_nothing_and_needs_no_source(told):
    """The store stays as it is row by row, and the lake may be gone."""
    before = told.dump()
    (told.folder / "lake" / "events.parquet").unlink()
    text = told.run("explain", "playback_volume", "device=ios", LAST).stdout
    assert told.dump() == before
    for word in (
        "counts     0 ",
        "history    ",
        "expected   ",
        "threshold  ",
        "tested     1 bucket: 0 of ",
        "query",
        "incident   sw-",
    ):
        assert word in text


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (("sw-none",), "no incident is called 'sw-none'"),
        (("playback_volume", "total"), "name an incident, or a rule, a slice and a time"),
        (("playback_volum", "total", LAST), "did you mean 'playback_volume'?"),
        (("playback_volume", "devise=ios", LAST), "did you mean 'device'?"),
        (("playback_volume", "total", "yesterday"), "'yesterday' is not a time"),
    ],
)
def test_a_wrong_target_says_what_to_do(told, target, says):
    """Usage errors with a hint, exit code 2, no traceback."""
    run = told.run("explain", *target)
    assert run.exit_code == 2
    assert says in run.stderr


def test_before_anything_was_counted_it_says_so(fresh):
    """No history: nothing to explain."""
    run = fresh.run("explain", "playback_volume", "total", *at(OUTAGE[0])[1:])
    assert run.exit_code == 2
    assert "has counted nothing yet" in run.stderr


def test_slices_as_people_write_them():
    """Commas within values, NULL and quoted words; terms come in the rule's order."""
    rule = Rule("r", SourceRef("lake", ("t",)), Timestamp("at"), ("device", "country"), Place("r.yaml", 1, 1))
    assert slice_called(rule, "total") == Slice()
    assert slice_called(rule, "country=a, b,device=x=y") == Slice.of({"device": "x=y", "country": "a, b"})
    assert slice_called(rule, "country=NULL") == Slice.of({"country": None})
    assert slice_called(rule, "country='NULL'") == Slice.of({"country": "NULL"})
    assert slice_called(rule, "country=''") == Slice.of({"country": ""})
