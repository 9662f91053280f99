"""Which slices are alarmed at the newest bucket, and which are not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from monitor.buckets import DAY, Grid
from monitor.detectors.judge import Alarm, alarms, judge, surprise
from monitor.detectors.view import View
from monitor.statistics.negbin import lower_tail, silence, upper_tail
from tests.monitor.world import CROSS, World, cause, world

NOON = 28 * 24 + 12


@cache
def cross() -> World:
    return world(CROSS)


def alarmed(made: World, newest: int = NOON, *, down: bool = True, **fields) -> dict[str, Alarm]:
    """The strongest alarm of each slice at a column."""
    view = made.view(newest)
    return alarmed_in(view, made, down=down, **fields)


def alarmed_in(view: View, made: World, *, down: bool = True, **fields) -> dict[str, Alarm]:
    verdicts = judge(view, np.zeros(len(view.lattice), dtype=bool))
    found = alarms(view, verdicts, made.context(view.lattice, **fields), down=down)
    assert [a.surprise for a in found] == sorted((a.surprise for a in found), reverse=True)
    out: dict[str, Alarm] = {}
    for alarm in found:
        out.setdefault(view.lattice.slice_of(alarm.row).label(), alarm)
    return out


def test_ordinary_hours_raise_nothing():
    """A whole untouched day: no alarm in either direction."""
    for hour in range(0, 24, 3):
        view = cross().view(28 * 24 + hour)
        assert alarmed_in(view, cross()) == {}
        assert alarmed_in(view, cross(), down=False) == {}


def test_a_dead_device_is_alarmed_at_once():
    """Gone completely for one bucket is overwhelming: no second one is waited for."""
    assert "device=tv" in alarmed(cross().scaled(0.0, NOON, device="tv"))


def test_a_partial_loss_needs_two_buckets():
    """Down to a half: not alarmed in its first hour, alarmed in its second."""
    broken = cross().scaled(0.5, NOON, device="tv")
    assert "device=tv" not in alarmed(broken, NOON)
    assert "device=tv" in alarmed(broken, NOON + 1)


def test_one_bad_hour_that_is_over_is_not_alarmed():
    """The window still holds it, the newest bucket is fine."""
    assert alarmed(cross().scaled(0.0, NOON - 2, NOON, device="tv"), NOON) == {}


def test_an_unknown_bucket_before_is_no_second_bad_one():
    """Persistence needs two known bad buckets: unknown is not zero."""
    broken = cross().scaled(0.5, NOON, device="tv")
    view = broken.view(NOON)
    values = view.recent.values.copy()
    values[:, -2] = np.nan
    view = replace(view, recent=replace(view.recent, values=values))
    assert alarmed_in(view, broken) == {}


def test_small_changes_are_not_told():
    """A clear loss of 15 % stays below `min_change` 20 %, and is told where the rule asks for 10 %."""
    broken = world(CROSS, volume=2e6, alpha=1e-4).scaled(0.85, NOON - 8, country="SE")
    assert alarmed(broken) == {}
    assert "country=SE" in alarmed(broken, min_change=0.1)


def test_small_losses_are_not_told():
    """`min_loss` is in events."""
    broken = cross().scaled(0.0, NOON - 1, device="tv")
    lost = cross().values[0][broken.inside(device="tv"), NOON - 1 : NOON + 1].sum()
    assert "device=tv" in alarmed(broken, min_loss=lost / 3)
    assert alarmed(broken, min_loss=1e7) == {}


def test_growth_is_the_other_direction():
    """A slice that triples is a spike and no drop; its siblings are neither."""
    grown = cross().scaled(3.0, NOON - 2, country="FI")
    found = alarmed(grown, down=False)
    assert "country=FI" in found
    assert not any("country=SE" in name for name in found)
    assert alarmed(grown) == {}


def test_what_moves_everything_is_one_event_on_the_total():
    """Everything at 60 %: no pair stands out beside the common mode, the total is alarmed plainly."""
    found = alarmed(cross().scaled(0.6, NOON - 2))
    assert "total" in found
    assert not any("," in name for name in found)


def test_a_slice_is_found_under_what_moves_everything():
    """Weather takes 30 % of all, and one device is dead beside it: the device is alarmed the loudest but the total."""
    found = alarmed(cross().scaled(0.7, NOON - 3).scaled(0.0, NOON - 3, device="tv"))
    assert "device=tv" in found
    assert not any(name.startswith("device=phone,") for name in found)


def test_a_loss_hidden_in_the_total_is_found():
    """What the device lost the others gained: the device is alarmed, the total is not."""
    found = alarmed(cross().shared_out(NOON - 2, None, {"device": "tv"}, {"device": ("phone", "web", "tablet")}))
    assert "device=tv" in found
    assert "total" not in found


def test_small_slices_become_testable_in_longer_windows():
    """Two events an hour: three silent hours say nothing, a silent day does, and by its long windows only."""
    made = world(CROSS, volume=8.0, alpha=0.0005)
    assert alarmed(made.scaled(0.0, NOON - 2, device="tv")) == {}
    found = alarmed(made.scaled(0.0, NOON - 23, device="tv"))
    assert "device=tv" in found
    assert found["device=tv"].window == 3


def test_slices_that_are_not_eligible_are_not_tested():
    """A value of this week that dies raises nothing of its own."""
    made = cross().with_leaves([("watch", "NO", "1")])
    values = made.values.copy()
    values[:, made.inside(device="watch"), NOON - 100 : NOON - 3] = 3_000
    found = alarmed(replace(made, values=values))
    assert not any("watch" in name for name in found)


def test_one_day_bucket_is_evidence_where_it_is_ten_times_less_likely():
    """A day's buckets are long: a loss of half is told on its first day where it is far beyond the threshold."""
    days = world(CROSS, days=62, grid=Grid(DAY), volume=500_000, alpha=0.001)
    assert "country=SE" in alarmed(days.scaled(0.4, 60, country="SE"), 60)


@pytest.mark.parametrize("left_out", [False, True])
def test_references_that_are_causes_may_be_left_out(left_out):
    """Half of the references dead pull the common mode down; without them it is 1 again."""
    broken = cross().scaled(0.0, NOON - 2, version=("1", "2"))
    view = broken.view(NOON)
    rows = np.zeros(len(view.lattice), dtype=bool)
    if left_out:
        rows = view.overlapping(broken.inside(version=("1", "2")))
    common = view.common_by_bucket(rows)[0, -1]
    assert common == (pytest.approx(1.0, abs=0.1) if left_out else common)
    assert left_out or common < 0.5


def test_the_slices_tested_are_those_whose_silence_would_be_noticed():
    """Where everything stopped, slices whose silence would not be enough have no surprise, and all others have."""
    view = world(CROSS, volume=300.0).scaled(0.0, NOON - 5).view(NOON)
    verdicts = judge(view, np.zeros(len(view.lattice), dtype=bool))
    assert verdicts.drop.shape == (len(view.lattice), 4)
    tested = (verdicts.drop > 0) | (verdicts.spike > 0)
    assert 0 < tested.sum() < tested.size
    assert verdicts.expected[tested].min() > 5.0
    assert cause() == view.lattice.slice_of(0)


@pytest.mark.parametrize("down", [True, False])
def test_surprises_left_out_are_those_that_cannot_matter(down):
    """Beside the exact tail of every cell, none is missing that reaches the threshold, and none differs."""
    view = cross().view(NOON)
    fit, rng = view.fit, np.random.default_rng(0)
    _, mu = view.windows()
    mu = mu * rng.uniform(0.2, 5.0, mu.shape)
    y = np.round(mu * rng.uniform(0.0, 1.5, mu.shape) ** (2 if down else 3))
    found = surprise(fit, y, mu, np.ones(mu.shape[1]))[0 if down else 1]
    exact = np.zeros(mu.shape)
    classes = fit.volume_class()
    for n, w in np.ndindex(mu.shape):
        for plain in (False, True) if fit.plain[n] else (False,):
            tail = fit.tails_plain[w] if plain else fit.tails[w][classes[n]]
            alpha, unrest = (fit.alpha_plain, fit.unrest_plain) if plain else (fit.alpha, fit.unrest)
            cell = y[n, w : w + 1], mu[n, w : w + 1], alpha[n, w : w + 1]
            possible = -np.log(tail.survival(silence(*cell[1:]) / unrest[n, w]))[0]
            if fit.eligible[n] and possible >= fit.threshold and bool(y[n, w] < mu[n, w]) is down:
                p = (lower_tail if down else upper_tail)(*cell)
                exact[n, w] = max(exact[n, w], -np.log(tail.survival(-np.log(p) / unrest[n, w]))[0])
    told = exact >= fit.threshold
    assert 0.02 < told.mean() < 0.95
    np.testing.assert_allclose(found[told], exact[told], rtol=1e-9)
    assert (found[~told] < fit.threshold).all()
    rows = np.arange(0, len(mu), 3)
    np.testing.assert_array_equal(
        surprise(fit, y[rows], mu[rows], np.ones(mu.shape[1]), rows)[0 if down else 1], found[rows]
    )
