"""Curves of arrival: what earlier reads teach of the share that is there, and how it is used."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.buckets import DAY, Grid
from monitor.completeness import FINAL, Curves, Reads, ages, learn
from monitor.detectors.model import LeafSeries
from monitor.fits import Learned, carry_over, pack, unpack
from monitor.ripeness import LAGS
from rules.model import Bounds
from tests.monitor.world import HOUR, World, coming, world

SMALL = {"device": ("phone", "tv"), "country": ("NO", "SE", "DK"), "version": ("1", "2")}
WIDTHS = (1, 3, 6, 24)
ON_TIME = {"phone": 0.9, "tv": 0.6}


@cache
def made() -> World:
    return world(SMALL, days=15)


def shares_of(some: World, on_time=None) -> np.ndarray:
    """[S, L]: phones are nine tenths punctual, televisions six; by the second class 97 % are there."""
    first = np.array([(on_time or ON_TIME)[terms[0]] for terms in some.terms])
    return np.stack([first, 0.97 - first, np.full(len(first), 0.02), np.full(len(first), 0.01)], axis=1)


def reads(some: World, shares: np.ndarray | None = None, *, own: bool = False, seed: int = 8) -> Reads:
    """What was there at each class, as after a backfill; `own` only what repeated reads up to the last hour saw."""
    parted = coming(some, shares_of(some) if shares is None else shares, seed)
    values = np.cumsum(parted, axis=0)[:, 0].astype(np.float32)
    if own:
        age = (some.starts[-1] - some.starts) // HOUR
        for lag, hours in enumerate((0, 3, 24, 72)):
            values[lag][:, age < hours] = np.nan
    return Reads(some.starts, values, np.zeros(values.shape[1:], dtype=bool))


def learned(some: World, read: Reads, grid: Grid | None = None) -> Curves:
    found = learn(some.lattice(), read, grid or Grid(HOUR), WIDTHS)
    assert found is not None
    return found


@pytest.mark.parametrize("own", [False, True])
def test_shares_are_those_the_events_came_by(own):
    """Every leaf and slice within two hundredths, from a backfill's reads and from the program's own."""
    curves = learned(made(), reads(made(), own=own))
    true = np.cumsum(shares_of(made()), axis=1)
    np.testing.assert_allclose(curves.leaf, true, atol=0.02)
    rows = {made().lattice().slice_of(n).label(): n for n in range(len(made().lattice()))}
    for device, share in ON_TIME.items():
        assert curves.slices[rows[f"device={device}"], 0] == pytest.approx(share, abs=0.01)
    assert (curves.leaf[:, FINAL] == 1).all()


def test_punctual_events_have_no_curve():
    """Where every class holds the same there is nothing to learn; nor where nothing was read twice."""
    punctual = np.eye(LAGS)[np.zeros(len(made().terms), dtype=int)]
    assert learn(made().lattice(), reads(made(), punctual), Grid(HOUR), WIDTHS) is None
    once = reads(made())
    once.values[:-1] = np.nan
    assert learn(made().lattice(), once, Grid(HOUR), WIDTHS) is None


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3), st.integers(0, 5), st.booleans())
@settings(max_examples=15, deadline=None)
def test_shares_rise_with_age_and_end_at_one(cuts, seed, own):
    """Whatever the shares: between 0 and 1, never falling from class to class, and no error below zero."""
    small = world({"device": ("a", "b"), "os": ("x", "y")}, days=6, volume=200.0, seed=seed)
    low, middle, high = sorted(cuts)
    shares = np.tile([low, middle - low, high - middle, 1.0 - high], (4, 1))
    curves = learn(small.lattice(), reads(small, shares, own=own), Grid(HOUR), WIDTHS)
    for found in () if curves is None else (curves.leaf, curves.slices):
        assert (found >= 0).all()
        assert (np.diff(found, axis=1) >= 0).all()
        assert (found[:, FINAL] == 1).all()
    assert curves is None or (np.isfinite(curves.unsure).all() and (curves.unsure >= 0).all())


def test_small_slices_borrow_from_the_slice_above():
    """A leaf of a hundred events in all comes as its device does, not as everything does."""
    values = made().values.copy()
    rows = np.flatnonzero(made().inside(device="tv", country="NO", version="1"))
    values[:, rows] = np.random.default_rng(1).poisson(0.05, values[:, rows].shape)
    small = replace(made(), values=values)
    curves = learned(small, reads(small))
    assert curves.leaf[rows[0], 0] == pytest.approx(ON_TIME["tv"], abs=0.12)


def test_a_leaf_without_events_has_the_share_of_what_covers_it():
    """Nothing to learn from: borrowed altogether."""
    none = made().with_leaves([("tv", "FI", "1")])
    curves = learned(none, reads(none))
    assert curves.leaf[-1, 0] == pytest.approx(ON_TIME["tv"], abs=0.02)


def test_flagged_cells_teach_nothing():
    """An incident during which little came on time leaves the curve as it was."""
    read = reads(made())
    tv = made().inside(device="tv")
    read.values[0][tv, 100:150] = 0
    read.flagged[tv, 100:150] = True
    assert learned(made(), read).leaf[tv, 0] == pytest.approx(ON_TIME["tv"], abs=0.02)


def test_one_day_on_which_the_source_stood_still_is_left_out():
    """Nothing at all came on time for a day: the share is that of the other days."""
    read = reads(made())
    read.values[0][:, 96:120] = 0
    np.testing.assert_allclose(learned(made(), read).leaf[:, 0], np.cumsum(shares_of(made()), axis=1)[:, 0], atol=0.02)


def test_steady_shares_add_little_and_wavering_ones_their_own_spread():
    """A share that is .9 or .5 by chance of the hour misses by a quarter: squared, what is added to one hour."""
    steady = learned(made(), reads(made()))
    rng = np.random.default_rng(3)
    read = reads(made())
    share = rng.choice([0.5, 0.9], len(read.starts))
    read.values[0] = rng.binomial(read.values[FINAL].astype(int), share)
    wavering = learned(made(), read)
    assert steady.unsure[0].max() < 0.001
    assert wavering.unsure[0, 0] == pytest.approx((0.2 / 0.7) ** 2, rel=0.15)
    assert wavering.unsure[0, WIDTHS.index(24)] < wavering.unsure[0, 0] / 20


def test_young_curves_are_doubted():
    """The same shares from two days of reads and from fifteen: less is concluded from the former."""
    two = world(SMALL, days=2)
    young, old = learned(two, reads(two)), learned(made(), reads(made()))
    assert (young.unsure[:, 0] > old.unsure[:, 0]).all()
    assert young.days < 2
    assert old.days > 14


def test_shares_follow_the_class_at_which_a_bucket_was_read():
    """Each bucket has the share of its class; an unknown one counts as complete."""
    curves = learned(made(), reads(made()))
    present = curves.over(np.array([-1, 3, 1, 0], dtype=np.int8))
    np.testing.assert_array_equal(present.leaf, curves.leaf[:, [3, 3, 1, 0]])
    np.testing.assert_array_equal(present.slices, curves.slices[:, [3, 3, 1, 0]])


def test_history_is_completed_before_it_is_learned_from():
    """Young buckets are scaled to what they will hold; complete ones stay as they are."""
    curves = learned(made(), reads(made()))
    values = np.ones((len(made().terms), 2))
    series = LeafSeries(made().starts[:2], values, values > 1, np.array([3, 0], dtype=np.int8))
    np.testing.assert_allclose(curves.completed(series).values, 1 / curves.leaf[:, [3, 0]])
    assert curves.completed(replace(series, lag=None)).values is values


@pytest.mark.parametrize(
    ("bucket", "width", "expected"),
    [(HOUR, 6, [0, 0, 0, 1, 1, 1]), (HOUR, 26, [0] * 3 + [1] * 21 + [2] * 2), (DAY, 7, [0, 2, 2, 3, 3, 3, 3])],
)
def test_ages_of_a_window(bucket, width, expected):
    """The newest bucket is of the first class, older ones as far as they have ripened since."""
    assert ages(width, Grid(bucket)).tolist() == expected


def test_curves_are_stored_with_the_fit():
    """Packed and unpacked, beside a metric that is never late; what is judged has the error in its dispersion."""
    fit = world(SMALL).fit(28 * 24)
    late = learned(made(), reads(made()))
    _, (first, second) = unpack(pack(12, [Learned(fit, late), Learned(fit)]))
    assert second.curves is None
    assert first.curves is not None
    assert first.curves.to_bytes() == late.to_bytes()
    np.testing.assert_allclose(first.judging.alpha, fit.alpha + late.unsure, rtol=1e-5)
    assert second.judging is second.fit
    assert replace(first, fit=replace(fit, bounds=Bounds())).judging.alpha is fit.alpha


def test_a_detector_of_other_windows_takes_the_error_of_the_nearest_shorter_one():
    """One window of twelve hours takes that of six."""
    late = learned(made(), reads(made()))
    fit = world(SMALL).fit(28 * 24)
    other = replace(fit, windows=(12,), alpha=fit.alpha[:, :1], alpha_plain=fit.alpha_plain[:, :1])
    np.testing.assert_allclose(late.widened(other).alpha, fit.alpha[:, :1] + late.unsure[:, 2:3])


def test_new_leaves_come_as_late_as_the_whole():
    """On a larger lattice old slices keep their curve, new ones have the total's."""
    fit = world(SMALL).fit(28 * 24)
    old, grown = made().lattice(), made().with_leaves([("watch", "NO", "1")])
    late = learned(made(), reads(made()))
    carried = carry_over(Learned(fit, late), old, grown.lattice()).curves
    assert carried is not None
    np.testing.assert_array_equal(carried.leaf[:-1], late.leaf)
    np.testing.assert_array_equal(carried.leaf[-1], late.slices[0])
    rows = {grown.lattice().slice_of(n).label(): n for n in range(len(grown.lattice()))}
    before = {old.slice_of(n).label(): n for n in range(len(old))}
    np.testing.assert_array_equal(carried.slices[rows["device=tv"]], late.slices[before["device=tv"]])
