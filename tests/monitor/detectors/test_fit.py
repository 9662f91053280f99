"""What history teaches: means, dispersion, who is old enough, and the threshold that a budget buys."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.buckets import DAY, Grid
from monitor.detectors.budget import MOST_EARNED, earned, threshold_of
from monitor.detectors.fit import Fit, level_span, windows_of
from monitor.detectors.learn import fit, parts_of
from monitor.detectors.past import ORDINARY, surprises
from monitor.lattice import Lattice
from monitor.statistics.calibration import NOMINAL
from monitor.statistics.constants import COLD_ALPHA
from monitor.statistics.negbin import lower_tail
from tests.monitor.world import CROSS, HOUR, World, cause, world

FULL = 28 * 24


@cache
def cross() -> World:
    return world(CROSS)


@cache
def learned() -> Fit:
    return cross().fit(FULL)


def row(lattice: Lattice, **terms) -> int:
    """The row of a slice."""
    return next(n for n in range(len(lattice)) if lattice.slice_of(n) == cause(**terms))


@pytest.mark.parametrize(
    ("seconds", "widths", "span"),
    [
        (300, (1, 3, 12, 72, 288), 576),
        (900, (1, 3, 4, 24, 96), 192),
        (HOUR, (1, 3, 6, 24), 48),
        (6 * HOUR, (1, 4), 8),
        (DAY, (1, 2, 3, 7), 7),
    ],
)
def test_windows_and_level_are_stretches_of_time(seconds, widths, span):
    """5 min to 24 h, 1 to 24 h, or 1 to 7 days, in whole buckets; the level from two days or a week before."""
    grid = Grid(seconds)
    assert windows_of(grid) == widths
    assert level_span(grid) == span


def test_the_mean_is_what_the_world_was_made_of():
    """Every slice's seasonal mean is the true one within a tenth, the total's within a few percent."""
    made, found = cross(), learned()
    true = made.lattice().rollup(made.mean[:, FULL - 168 : FULL])
    assert found.mean.shape == true.shape
    np.testing.assert_allclose(found.mean.mean(axis=1), true.mean(axis=1), rtol=0.1)
    np.testing.assert_allclose(found.mean[0], true[0], rtol=0.08)


def test_the_dispersion_is_what_the_world_was_made_of():
    """One-hour windows of leaves of alpha .05 give that and a little more: the mean they are held to is uncertain."""
    noisy = world(CROSS, alpha=0.05, volume=200_000)
    lattice = noisy.lattice(3)
    found = noisy.fit(FULL, lattice)
    leaves = lattice.size == 3
    assert 0.05 <= np.median(found.alpha[leaves, 0]) <= 0.08


def test_a_fit_survives_storage():
    """Bytes and back: what judging uses is exactly what a restart would read; equal fits are equal bytes."""
    found = learned()
    again = Fit.from_bytes(found.to_bytes())
    assert again.to_bytes() == found.to_bytes()
    assert again.tails == found.tails
    assert again.windows == found.windows
    assert again.threshold == found.threshold
    for name in ("mean", "leaf_mean", "alpha", "alpha_plain", "eligible", "plain", "class_edges"):
        assert (getattr(again, name) == getattr(found, name)).all(), name
    for name in ("whole", "region", "regional"):
        assert (getattr(again.references, name) == getattr(found.references, name)).all(), name
    assert cross().fit(FULL).to_bytes() == found.to_bytes()


def test_flagged_cells_teach_nothing():
    """Days at half the volume that were flagged leave mean and dispersion as if they had not been."""
    made = cross().scaled(0.5, 200, 260, device="tv")
    lattice, series = made.lattice(), made.series(FULL)
    flagged = series.flagged.copy()
    flagged[np.ix_(made.inside(device="tv"), range(200, 260))] = True
    clean = learned()
    honest = fit(lattice, replace(series, flagged=flagged), int(made.starts[FULL]), made.context(lattice))
    blind = fit(lattice, series, int(made.starts[FULL]), made.context(lattice))
    tv = row(lattice, device="tv")
    assert honest.alpha[tv, 0] < 2 * clean.alpha[tv, 0] + 0.001
    assert blind.alpha[tv, 0] > 5 * honest.alpha[tv, 0]
    np.testing.assert_allclose(honest.mean[tv], clean.mean[tv], rtol=0.15)


def test_an_outage_that_nobody_flagged_teaches_nothing():
    """Two days without a device once in the past: mean, dispersion and tails as without them, its countries' too."""
    clean, dark = learned(), cross().scaled(0.0, 200, 248, device="tv").fit(FULL)
    lattice = cross().lattice()
    some = [row(lattice, device="tv"), row(lattice, country="NO"), 0]
    np.testing.assert_allclose(dark.mean[some], clean.mean[some], rtol=0.15)
    np.testing.assert_allclose(dark.alpha[some], clean.alpha[some], rtol=0.5, atol=1e-4)
    assert dark.threshold == pytest.approx(clean.threshold, abs=1.0)


def test_a_slice_is_judged_after_fourteen_days():
    """A value first seen 13 days ago is not eligible, one of 15 days is, and neither drags its siblings along."""
    made = cross().with_leaves([("watch", "NO", "1"), ("glasses", "NO", "1")])
    values = made.values.copy()
    values[:, made.inside(device="watch"), FULL - 15 * 24 :] = 50
    values[:, made.inside(device="glasses"), FULL - 13 * 24 :] = 50
    made = replace(made, values=values)
    lattice = made.lattice()
    found = made.fit(FULL, lattice)
    assert found.eligible[row(lattice, device="watch")]
    assert not found.eligible[row(lattice, device="glasses")]
    assert found.eligible[row(lattice, device="tv")]
    assert found.eligible[row(lattice, country="NO")]


def test_an_expected_slice_is_judged_from_its_first_day():
    """`slices.expected` needs no fourteen days; `slices.ignore` is never judged."""
    made = cross().with_leaves([("watch", "NO", "1")])
    values = made.values.copy()
    values[:, made.inside(device="watch"), FULL - 3 * 24 :] = 50
    made = replace(made, values=values)
    lattice = made.lattice()
    wanted, unwanted = np.zeros(len(lattice), dtype=bool), np.zeros(len(lattice), dtype=bool)
    wanted[row(lattice, device="watch")] = True
    unwanted[row(lattice, device="tv")] = True
    found = made.fit(FULL, lattice, expected=wanted, ignored=unwanted)
    assert found.eligible[row(lattice, device="watch")]
    assert not found.eligible[row(lattice, device="tv")]


def test_a_slice_silent_in_history_is_not_eligible():
    """Nothing in four weeks: retired, whatever it was before."""
    made = cross().with_leaves([("fax", "NO", "1")])
    lattice = made.lattice()
    assert not made.fit(FULL, lattice).eligible[row(lattice, device="fax")]


@pytest.mark.parametrize(("days", "stage"), [(1, 0), (2, 1), (13, 1), (14, 2), (27, 2), (28, 3)])
def test_the_stage_follows_the_days_known(days, stage):
    """0-1 days only total silence, 2-13 time of day, 14-27 weekday and weekend, from 28 everything."""
    made = cross()
    lattice = made.lattice()
    history = made.series(FULL)
    young = np.where(np.arange(FULL) < FULL - 24 * days, np.nan, history.values)
    found = fit(lattice, replace(history, values=young), int(made.starts[FULL]), made.context(lattice))
    assert found.stage == stage
    if stage < 3:
        assert (found.alpha == COLD_ALPHA).all()
        assert all(tail == NOMINAL for tails in found.tails for tail in tails)
        assert found.eligible[0]
        assert found.eligible[1:].any() == (stage > 0)
    by_day = found.mean[0].reshape(7, 24)
    alike = np.allclose(by_day[1], by_day[6], rtol=1e-6)
    assert alike == (stage < 2)


def test_without_any_history_nothing_is_expected():
    """A rule's first hour: no means, no eligible slice but the total, whose expectation is zero."""
    made = cross()
    lattice, history = made.lattice(), made.series(FULL)
    found = fit(
        lattice,
        replace(history, values=np.full_like(history.values, np.nan)),
        int(made.starts[FULL]),
        made.context(lattice),
    )
    assert found.stage == 0
    assert not found.mean.any()


def test_references_are_many_large_slices_of_one_cuboid():
    """The common mode is taken from slices that do not nest."""
    found, lattice = learned(), cross().lattice()
    whole = found.references.whole
    assert whole.sum() >= 8
    assert len(np.unique(lattice.cuboid[whole])) == 1
    assert (found.mean[whole].mean(axis=1) > 20).all()


def test_only_the_total_and_single_dimensions_are_also_judged_plainly():
    """Pairs are judged beside the common mode only."""
    assert (learned().plain == (cross().lattice().size <= 1)).all()


def test_the_threshold_follows_budget_and_tests():
    """Seven times the budget is ln 7 less surprise; two directions and two metrics cost ln 4 more."""
    found, context = learned(), cross().context(cross().lattice())
    base = threshold_of(found, context)
    loose = threshold_of(found, replace(context, false_incidents_per_week=7.0))
    assert base - loose == pytest.approx(np.log(7), abs=0.2)
    twice = threshold_of(found, replace(context, directions=2, metrics=2))
    assert twice - base == pytest.approx(np.log(4), abs=0.2)


def test_the_threshold_is_budget_over_testable_tests_a_week():
    """Where every slice is testable at every window the number is plain arithmetic."""
    busy = world({"device": ("a", "b"), "country": ("x", "y")}, volume=1e6)
    lattice = busy.lattice()
    found = busy.fit(FULL, lattice)
    tests = len(lattice) * len(found.windows) * 168
    bound = threshold_of(found, busy.context(lattice))
    assert bound == pytest.approx(np.log(tests / 1.0), abs=0.05)
    assert bound - MOST_EARNED <= found.threshold <= bound


def test_a_calm_past_lowers_the_threshold_and_a_noisy_one_does_not_raise_it():
    """Of many episodes some are past incidents: what each test may cost is dear enough. Calm does not make all an alarm."""
    made = cross()
    context = made.context(made.lattice())
    noisy, calm = np.linspace(20.0, 8.0, 60), np.zeros(0)
    assert earned(10.0, noisy, 4.0, context) == 10.0
    assert earned(10.0, calm, 4.0, context) == 10.0 - MOST_EARNED


def test_more_slices_need_more_surprise():
    """A wider cube raises the threshold of all."""
    small = world({"device": ("a", "b"), "country": ("x", "y")}, volume=50_000)
    assert small.fit(FULL).threshold < learned().threshold


def test_surprises_are_the_tail_where_it_matters():
    """-ln P(NB <= y) for low counts, a small constant for ordinary ones, NaN for unknown."""
    y, mu = np.array([[100.0, 60.0, np.nan, 150.0]]), np.full((1, 4), 100.0)
    found = surprises(y, mu, np.array([0.0]))
    assert found[0, 0] == found[0, 3] < 1
    assert found[0, 1] == pytest.approx(11.3, abs=0.3)
    assert np.isnan(found[0, 2])


@given(st.floats(0.01, 1e6), st.floats(0.0, 4.0), st.floats(0.0, 1.0))
def test_no_surprise_of_three_nats_is_passed_over(mu, alpha, share):
    """Whatever the volume and the dispersion: what is left out of the exact tail is ordinary."""
    y = np.floor(mu * share)
    exact = -np.log(float(lower_tail(np.array(y), np.array(mu), np.array(alpha))))
    found = float(surprises(np.array([[y]]), np.array([[mu]]), np.array([alpha]))[0, 0])
    assert found == (pytest.approx(exact) if found != ORDINARY else ORDINARY)
    assert found != ORDINARY or exact < 3.0


def test_day_buckets_are_learned_by_weekday():
    """Eight weeks of days: seven places, windows of days, a full stage."""
    days = world(CROSS, days=60, grid=Grid(DAY), volume=300_000)
    found = days.fit(56)
    assert found.stage == 3
    assert found.mean.shape[1] == 7
    true = days.lattice().rollup(days.mean[:, 49:56])
    np.testing.assert_allclose(found.mean[0], true[0], rtol=0.05)


def test_parts_hold_every_slice_once_and_what_all_look_at():
    """Each slice is learned for itself in one part; the total leads each; volumes are spread evenly."""
    volume = np.random.default_rng(0).lognormal(2.0, 2.0, 1_000)
    shared = np.arange(1_000) < 20
    parts = parts_of(volume, shared, 100)
    assert sorted(np.concatenate([part.rows[part.own] for part in parts])) == list(range(1_000))
    assert all(part.rows[:20].tolist() == list(range(20)) for part in parts)
    medians = [np.median(volume[part.rows[part.own]]) for part in parts]
    np.testing.assert_allclose(medians, np.median(volume), rtol=0.1)
    assert [part.rows[0] for part in parts_of(volume, shared | True, 100)] == [0] * 10


@pytest.mark.parametrize("flagged", [False, True])
def test_learning_in_parts_is_learning(flagged):
    """In parts the means are the same, and what slices share is about the same: memory is all that it saves."""
    made = world({"device": [f"d{i:02}" for i in range(25)], "country": [f"c{i:02}" for i in range(16)]}, volume=60_000)
    lattice, history = made.lattice(), made.series(FULL)
    history.flagged[made.inside(device="d03"), 300:320] = flagged
    whole, parted = (
        fit(lattice, history, int(made.starts[FULL]), made.context(lattice), part=part) for part in (10_000, 150)
    )
    np.testing.assert_array_equal(parted.mean, whole.mean)
    np.testing.assert_array_equal(parted.eligible, whole.eligible)
    assert parted.threshold == pytest.approx(whole.threshold, abs=0.5)
    np.testing.assert_allclose(np.median(parted.alpha, axis=0), np.median(whole.alpha, axis=0), rtol=0.1)
    assert (parted.unrest >= 1.0).all()
    needed = [[tail.needed(15.0) for row in found.tails for tail in row] for found in (parted, whole)]
    # Thirty slices a class leave a single tail far from sure: it is their middle that has to agree.
    assert np.median(needed[0]) == pytest.approx(np.median(needed[1]), rel=0.1)


def test_stored_means_are_near_what_was_learned():
    """Sixteen bits keep a mean to a fiftieth of a percent of one more than it, from nothing to a billion."""
    mean = np.concatenate([[0.0], np.geomspace(1e-3, 1e9, 167)])[None].astype(np.float32)
    kept = replace(learned(), mean=mean).stored().mean
    np.testing.assert_allclose(kept + 1.0, mean + 1.0, rtol=2e-4)
    assert kept[0, 0] == 0.0
