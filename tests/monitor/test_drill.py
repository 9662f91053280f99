"""A drill loses one slice after the other, and says which losses would have been told."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from dashboards.drill import drill_text
from monitor import store
from monitor.buckets import to_datetime
from monitor.drill import Drill, Loss, NothingToDrillError, report_of, sample, scene_of, without
from monitor.replay import Replay
from tests.monitor.world import WorldSource, cause, rule_of, world

DIMENSIONS = {"device": ("phone", "tablet", "tv", "web", "watch"), "country": ("NO", "SE", "DK", "DE", "FI", "IS")}
MADE = world(DIMENSIONS, days=30, volume=600.0, spread=1.6)
FIRST = 28 * 24 + 8


def scene(made=MADE, buckets: int = 6, **rule):
    starts = [to_datetime(int(made.starts[column])) for column in (FIRST, FIRST + buckets)]
    state = store.Store.open("sqlite://")
    replay = Replay(rule_of(made, **rule), WorldSource(made), state, *starts)
    for _ in replay.run():
        pass
    try:
        return scene_of(replay)
    finally:
        state.close()


@pytest.fixture(scope="module")
def plain():
    """Six hours of ordinary history."""
    return scene()


@pytest.fixture(scope="module")
def drilled(plain):
    """Every slice lost for six hours."""
    trial = Drill(plain, Loss(1.0, 6))
    rows = sample(trial.scene, None).tolist()
    return report_of(trial, list(trial.run(rows)), len(rows))


def test_large_losses_are_told_soon_under_their_name_and_tiny_ones_are_missed(drilled):
    """The heaviest slices are caught in the first two hours as what they are; the lightest are not noticed in six."""
    large, small = drilled.drilled[1:5], drilled.drilled[-3:]
    assert all(item.exact and item.after <= timedelta(hours=2) for item in large)
    assert [item.cause for item in large] == [item.slice for item in large]
    assert [item.caught for item in small] == [False] * 3
    assert [item.usual for item in drilled.drilled] == sorted((item.usual for item in drilled.drilled), reverse=True)


def test_the_blind_spots_foresaw_it(drilled):
    """Of what was caught nearly all was said to be noticed, of what was missed nearly all was not."""
    agreement = drilled.agreement
    assert agreement.sensitivity is not None
    assert agreement.specificity is not None
    assert agreement.sensitivity >= 0.85
    assert agreement.specificity >= 0.75  # of about ten slices here; docs/blindspots.md has hundreds


def test_the_text_counts_by_size(drilled):
    """Every slice is in one class of size, caught or missed, and the table of the blind spots adds up."""
    lines = drill_text(drilled).splitlines()
    caught = sum(item.caught for item in drilled.drilled)
    assert f"every slice lost 100% from {drilled.stretch.start:%Y-%m-%d %H:%M}" in lines[1]
    assert lines[2].startswith(f"  caught: {caught} of {len(drilled.drilled)}")
    by_size = [line.split() for line in lines if ("%" in line and "to 1" in line) or line.startswith("  less than 1")]
    assert by_size
    agreement = drilled.agreement
    assert agreement.both + agreement.unforeseen == caught


def test_a_smaller_loss_is_seen_by_fewer(plain):
    """Thinning is by event and the same in every run; a third less of a large slice is not overwhelming in an hour."""
    made = plain
    rows = sample(made, 4).tolist()
    part = without(made, rows[1], Loss(0.3, 6))
    assert np.array_equal(part, without(made, rows[1], Loss(0.3, 6)), equal_nan=True)
    members = made.lattice.leaves_of(rows[1])
    left = part[0][members, made.begin :].sum() / made.values[0][members, made.begin :].sum()
    assert left == pytest.approx(0.7, abs=0.05)
    assert np.array_equal(part[0][:, : made.begin], made.values[0][:, : made.begin])
    found = list(Drill(made, Loss(0.3, 6)).run(rows))
    assert all(item.after is None or item.after > timedelta(hours=1) for item in found)


def test_what_fires_anyway_is_nobodys_merit():
    """An outage that is in the data is not counted as the catch of another slice that is lost."""
    broken = MADE.scaled(0.0, FIRST, FIRST + 6, device="phone")
    trial = Drill(scene(broken), Loss(1.0, 6))
    small = sample(trial.scene, None).tolist()[-1]
    (item,) = trial.run([small])
    assert not item.caught
    assert cause(device="phone") in {name for _, name in trial._undisturbed()}


def test_a_sample_is_heaviest_first_or_spread(plain):
    """So many of the heaviest, or as many from the heaviest to the lightest; what never has events is not lost."""
    every = sample(plain, None)
    assert sample(plain, 5).tolist() == every[:5].tolist()
    spread = sample(plain, 5, spread=True)
    assert (spread[0], spread[-1], len(spread)) == (every[0], every[-1], 5)


def test_without_history_there_is_nothing_to_lose():
    """An empty table is an error that says so, not a perfect score."""
    empty = MADE.scaled(0.0, 0, None)
    with pytest.raises(NothingToDrillError, match="no events before"):
        scene(empty)
