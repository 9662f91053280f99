"""`kill -9` at every commit, at every send and at random times; then a restart, and nothing is lost or told twice.

What was under way, taken by Slack perhaps and not yet noted as sent, is looked for: only edits and uploads are made again.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.crash.bench import KILLED, Bench, Told
from tests.crash.conftest import Stage
from tests.crash.undisturbed import Stretch, Undisturbed

POINTS = Path(__file__).with_name("points")
INCIDENT = (POINTS / "incident.txt").read_text(encoding="utf-8").splitlines()
HISTORY = (POINTS / "history.txt").read_text(encoding="utf-8").splitlines()

# Each story is told undisturbed once, by one worker.
of_the_incident = pytest.mark.xdist_group("incident's story")
of_the_history = pytest.mark.xdist_group("history's story")


@of_the_incident
def test_all_points_of_an_incident_are_named(incident: Stage) -> None:
    """`points/incident.txt` lists every commit, send and request there is, so that none goes untried."""
    assert incident.undisturbed.points(1) == INCIDENT


@of_the_history
def test_all_points_of_a_new_store_are_named(history: Stage) -> None:
    """`points/history.txt` lists every commit from an empty folder to the first evaluation."""
    assert history.undisturbed.points(0) == HISTORY


@of_the_incident
def test_the_story_has_all_that_can_go_wrong(incident: Stage) -> None:
    """It fires, widens and resolves, with a chart under the first two and a file under the last; every one has its calls."""
    told = [(call.method, call.what.split(":")[0]) for call in incident.undisturbed.told]
    chart = [("files.getUploadURLExternal", told[1][1]), ("files.completeUploadExternal", "")]
    assert told[0] == ("chat.postMessage", "CRITICAL playback")
    assert [method for method, _ in told] == [
        "chat.postMessage",
        *[method for method, _ in chart],
        "chat.update",
        "chat.postMessage",
        *[method for method, _ in chart],
        "chat.update",
        "chat.postMessage",
        *[method for method, _ in chart],
    ]
    assert told[-4][1] == "RESOLVED playback"
    assert told[-2][1].startswith("reprocess-")


@of_the_incident
@pytest.mark.parametrize("point", INCIDENT)
def test_killed_within_an_incident(incident: Stage, point: str) -> None:
    """Store and messages are those of the undisturbed story; of a send under way no post is repeated."""
    _killed_at(incident.bench, incident.undisturbed, point)


@of_the_history
@pytest.mark.parametrize("point", HISTORY)
def test_killed_before_the_first_evaluation(history: Stage, point: str) -> None:
    """Reading the history goes on where it was, and comes to the same."""
    _killed_at(history.bench, history.undisturbed, point)


def _killed_at(on: Bench, undisturbed: Undisturbed, point: str) -> None:
    stretch = undisturbed.stretch_of(point)
    on.go_back(stretch.begin)
    name = point.partition(" ")[2]
    during = stretch.call(point) if name.startswith("during") else None
    assert on.live(stretch.ticks, kill_at=name, kill_at_call=during) == KILLED
    assert on.trace[-1] == name.replace("during", "before", 1)
    told = undisturbed.told_after(stretch, on.trace, len(on.told()))
    _goes_on(on, stretch)
    assert tuple(on.told()) == told


def _goes_on(on: Bench, stretch: Stretch) -> None:
    """A new process comes to the stretch's end, and the store is the same.

    The next stretch begins with that store, so the story goes on from there as it does undisturbed.
    """
    assert on.live(stretch.ticks) == 0
    assert on.rows() == stretch.rows


def _catches_up(on: Bench, undisturbed: Undisturbed) -> None:
    """A process that starts when the story is over judges all of it; what nobody has heard yet is told as one."""
    assert on.live(undisturbed.ticks, late=True) == 0
    found, wanted = on.rows(), dict(undisturbed.rows)
    outbox, told = found.pop("slicewatch_outbox"), wanted.pop("slicewatch_outbox")
    assert found == wanted
    assert [_item(row) for row in outbox] == [_item(row) for row in told]
    assert {row["state"] for row in outbox} <= {"done", "merged"}
    texts = sorted((row["seq"], row["state"]) for row in outbox if row["part"] == "text")
    assert [state for _, state in texts[-1:]] == ["done"] * bool(texts)
    posts = [call.what for call in on.told() if call.method == "chat.postMessage"]
    ends = [sum("RESOLVED playback" in what for what in told) for told in (posts, _posts(undisturbed))]
    assert ends[0] == ends[1]
    assert len(set(posts)) == len(posts)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    """What of a queued message does not depend on when it was sent, alone or with later ones."""
    return {name: row[name] for name in ("id", "incident", "receiver", "seq", "part", "rank", "attempts", "plain")}


def _posts(undisturbed: Undisturbed) -> list[str]:
    return [call.what for call in undisturbed.told if call.method == "chat.postMessage"]


@of_the_incident
@pytest.mark.parametrize("number", [1, 2, 3], ids=["opens", "widens", "resolves"])
def test_killed_at_random_times_of_an_incident(incident: Stage, number: int) -> None:
    """Eight times each; every fourth time the restart comes only when the story is over."""
    _at_random_times(incident, number, random.Random(number), times=8)


@of_the_history
def test_killed_at_random_times_of_a_new_store(history: Stage) -> None:
    """Thirty times, from before the tables are made."""
    _at_random_times(history, 0, random.Random(3), times=30)


@of_the_incident
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 20))
def test_killed_at_many_random_times(incident: Stage, seed: int) -> None:
    """Twenty times each from an empty folder to the end of the incident."""
    last = incident.undisturbed.stretches[-1]
    whole = replace(last, begin=incident.undisturbed.stretches[0].begin, told=0)
    _killed_in(incident, whole, random.Random(seed), times=20)


def _at_random_times(stage: Stage, number: int, chance: random.Random, times: int) -> None:
    _killed_in(stage, stage.undisturbed.stretches[number], chance, times)


def _killed_in(stage: Stage, stretch: Stretch, chance: random.Random, times: int) -> None:
    on, undisturbed = stage.bench, stage.undisturbed
    longest = _seconds(on, stretch)
    killed = 0
    for _ in range(10 * times):
        if killed == times:
            return
        on.go_back(stretch.begin)
        seconds = chance.uniform(0, longest)
        if on.live(stretch.ticks, kill_after=seconds) != KILLED:
            continue  # it had come to the end
        killed += 1
        trace = on.trace
        print(f"killed after {seconds:.3f} s, at {trace[-1:]}")  # noqa: T201  # shown where it fails
        if killed % 4 == 0:
            _catches_up(on, undisturbed)
        else:
            _goes_on(on, stretch)
            assert tuple(on.told()) in _possible(undisturbed, stretch, trace)
    assert killed == times, "the stretch ended before it could be killed"


def _seconds(on: Bench, stretch: Stretch) -> float:
    """What a stretch takes, at the machine's present pace."""
    on.go_back(stretch.begin)
    started = time.monotonic()
    assert on.live(stretch.ticks) == 0
    return time.monotonic() - started


def _possible(undisturbed: Undisturbed, stretch: Stretch, trace: list[str]) -> list[tuple[Told, ...]]:
    """What Slack may have been told: how much of a send it took before the death is not known.

    Nor is it, where a commit was under way, whether it was made.
    """
    whole = undisturbed.told[: stretch.told_after]
    return [whole, *(undisturbed.told_after(stretch, trace, calls) for calls in range(len(whole) + 1))]
