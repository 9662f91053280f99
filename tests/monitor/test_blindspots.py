"""Blind spots are what judging does, turned round: the smallest loss told is the smallest loss that alarms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.blindspots import Curve, Ground, sight
from monitor.buckets import DAY, Grid
from monitor.detectors.judge import surprise
from monitor.statistics import constants as k
from monitor.statistics.negbin import lower_tail
from rules.model import Bound, Bounds
from tests.monitor.world import CROSS, world

MADE = world(CROSS, days=29, volume=800.0, alpha=0.01)
LATTICE = MADE.lattice()
FIT = MADE.fit(28 * 24, LATTICE)
CONTEXT = MADE.context(LATTICE)
ROWS = np.arange(len(LATTICE))


def alarms(row: int, place: int, age: int, share: float) -> bool:
    """Whether a slice that lost a share of what is expected, `age` buckets ago, alarms: by the judge itself."""
    ends = [(place + age - 1 - back) % 168 for back in range(max(FIT.windows))]
    mean = FIT.mean[row][ends].astype(float)
    left = np.where(np.arange(len(ends)) < age, mean * (1.0 - share), mean)
    mu = np.array([mean[:width].sum() for width in FIT.windows])
    y = np.array([left[:width].sum() for width in FIT.windows])
    drop, _ = surprise(FIT, y[None], mu[None], np.ones(len(mu)), np.array([row]))
    told = (drop[0] >= FIT.threshold) & (mu - y >= CONTEXT.min_change * mu)
    if age == 1:
        rare = lower_tail(y[:1], mu[:1], FIT.alpha[row, :1])[0] < k.OVERWHELMING_P
        told &= bool(rare and y[0] < k.OVERWHELMING_RATIO * mu[0])
    return bool(told.any())


@given(st.sampled_from(ROWS.tolist()), st.integers(0, 167), st.integers(1, 24))
@settings(max_examples=80, deadline=None)
def test_a_little_more_than_what_is_needed_alarms_and_a_little_less_does_not(row, place, age):
    """At every slice, time to begin and age; where not even silence is enough, silence does not alarm."""
    mean = Curve.of(FIT.mean[[row]].astype(float))
    level = np.ones((1, len(FIT.windows)))
    calm = np.array([False])
    ground = Ground(FIT, CONTEXT, np.array([row]), mean, mean, level, np.array([place]), calm)
    needed = float(ground.needed(age)[0, 0])
    if np.isinf(needed):
        assert not alarms(row, place, age, 0.999)
    else:
        assert alarms(row, place, age, min(1.02 * needed, 1.0))
        assert not alarms(row, place, age, 0.98 * needed)


def test_waiting_never_hides_what_was_seen():
    """What is noticed within an hour is noticed within six; larger slices lose less before it shows."""
    seen = sight(FIT, LATTICE, CONTEXT)
    one, six, day = (seen.least(hours) for hours in (1, 6, 24))
    assert ((day <= six) & (six <= one)).all()
    order = np.argsort(FIT.volume)
    small, large = order[:10], order[-10:]
    assert np.median(day[small]) > np.median(day[large])
    assert (seen.silence[large] <= 2).all()


def test_a_loss_shows_in_the_slices_it_is_a_part_of():
    """A slice that is not judged itself is noticed by what its dimension misses: half of it is half a loss there."""
    blind = LATTICE.size == 2
    fit = replace(FIT, eligible=FIT.eligible & ~blind)
    seen = sight(fit, LATTICE, CONTEXT)
    for row in np.flatnonzero(blind)[:8]:
        inside = set(LATTICE.leaves_of(row).tolist())
        parents = [p for p in np.flatnonzero(LATTICE.size == 1) if inside <= set(LATTICE.leaves_of(p).tolist())]
        least = min(seen.least(24)[p] * fit.volume[p] / fit.volume[row] for p in parents)
        if least < 0.95:
            assert seen.least(24)[row] <= least * 1.02


def test_what_takes_the_common_mode_with_it_is_excused():
    """A loss of everything is judged plainly only: where that test is blind, nothing is seen of it in any other slice."""
    deaf = replace(FIT, unrest_plain=np.full_like(FIT.unrest_plain, 1e6))
    assert (sight(FIT, LATTICE, CONTEXT).silence[0] <= 2).all()
    seen = sight(deaf, LATTICE, CONTEXT)
    assert np.isinf(seen.silence[0]).all()
    assert np.isfinite(seen.silence[np.argsort(-FIT.volume)[1]]).all()


def test_what_is_ignored_or_too_small_is_a_blind_spot():
    """Silence of a slice that nobody tests, or that chance silences often, is never noticed."""
    nobody = replace(FIT, eligible=np.zeros_like(FIT.eligible))
    assert np.isinf(sight(nobody, LATTICE, CONTEXT).silence).all()
    tiny = replace(FIT, mean=FIT.mean * 1e-4, leaf_mean=FIT.leaf_mean * 1e-4)
    assert np.isinf(sight(tiny, LATTICE, CONTEXT).silence).all()


def test_counts_that_are_held_back_are_not_seen_to_go():
    """Where silence may be suppression, losing everything looks like being suppressed."""
    hidden = replace(FIT, held_back=np.full(len(FIT.held_back), 1e9))
    assert np.isinf(sight(hidden, LATTICE, CONTEXT).silence).all()


@pytest.mark.parametrize(("low", "needed"), [(Bound(0.6, of_last_week=True), 0.4), (Bound(0.0), np.inf)])
def test_fixed_bounds_see_what_they_say(low, needed):
    """Below 60 % of last week is a loss of 40 %; a bound of nothing sees nothing."""
    fit = replace(FIT, bounds=Bounds(low=low), windows=(1,), alpha=FIT.alpha[:, :1], alpha_plain=FIT.alpha_plain[:, :1])
    assert sight(fit, LATTICE, CONTEXT).least(1)[1] == pytest.approx(needed)


def test_days_are_buckets_like_any():
    """A daily rule sees large slices go within a day or two, at the ages it has."""
    made = world(CROSS, days=60, volume=50_000.0, grid=Grid(DAY))
    lattice = made.lattice()
    seen = sight(made.fit(57, lattice), lattice, made.context(lattice))
    assert seen.ages.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert (seen.silence[0] <= 2).all()
