"""`slicewatch drill` and `slicewatch blindspots`: the recall of a rule, measured and foreseen."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.xdist_group("commands")

NOON = ("--at", "2026-03-03T12:00")


def test_a_drill_says_what_was_caught_and_how_far_it_was_foreseen(fresh):
    """One JSON object; large slices are told in an hour, the store is not touched."""
    run = fresh.run("drill", "playback_volume", *NOON, "--slices", "3", "--json")
    assert run.exit_code == 0, run.stderr
    report = json.loads(run.stdout)
    assert (report["from"], report["to"], report["loss"]) == ("2026-03-03T12:00:00Z", "2026-03-03T18:00:00Z", 1.0)
    assert [item["slice"] for item in report["drilled"]][:2] == [{}, {"device": "ios"}]
    assert [item["told_after_seconds"] for item in report["drilled"]] == [3600.0] * 3
    assert report["caught"] == report["blindspots"]["both"] == 3
    assert not list(fresh.folder.glob("slicewatch.db*"))


def test_a_loss_ends_with_the_newest_events(fresh):
    """Without --at; a part of a loss and its length are read as people write them."""
    run = fresh.run("drill", "playback_volume", "--slices", "1", "--loss", "50%", "--lasting", "2h")
    assert "1 of 28 slices lost 50% from 2026-03-04 10:00 to 2026-03-04 12:00 UTC" in run.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--loss", "150%"), "is not a share such as 50% or 0.5"),
        (("--lasting", "soon"), "is not a duration such as 6h or 1d"),
        (("--at", "2020-01-01"), "no events before 2020-01-01 00:00 UTC"),
    ],
    ids=["loss", "lasting", "before the data"],
)
def test_what_cannot_be_drilled_is_2(fresh, words, said):
    """With a line that says what to write instead."""
    run = fresh.run("drill", "playback_volume", *words)
    assert (run.exit_code, run.stdout) == (2, "")
    assert said in run.stderr


def test_blind_spots_are_told_by_dimensions_and_by_slice(told):
    """From what the daemon has learned; where it has learned nothing of it, from the source, to the same effect."""
    stored = json.loads(told.run("blindspots", "playback_volume", "--json").stdout)
    asked = json.loads(told.run("blindspots", "playback_volume", "--at", "2026-03-04T00:00", "--json").stdout)
    assert stored == asked
    assert [row["dimensions"] for row in stored["cover"]] == [[], ["device"], ["country"], ["device", "country"]]
    assert stored["cover"][0] == {"dimensions": [], "slices": 1, "protected": [1, 1, 1], "traffic": [1.0, 1.0, 1.0]}
    assert stored["slices"][0]["slice"] == {}
    assert all(spot["silence_seconds"] <= 86_400 for spot in stored["slices"][:10])


def test_the_text_of_blind_spots_names_what_is_not_protected(fresh):
    """Cover, smallest losses, and either the unprotected slices or that there are none; nothing is stored."""
    run = fresh.run("blindspots", "playback_volume")
    assert run.exit_code == 0
    assert "total silence is noticed, slices and share of events:" in run.stdout
    assert ("every slice is protected" in run.stdout) or ("not protected:" in run.stdout)
