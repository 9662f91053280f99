"""A tick as arrays: what came, what was expected, and at which level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detectors.model import LeafSeries
from monitor.detectors.view import View
from monitor.statistics.level import level
from tests.monitor.world import CROSS, World, world

NOON = 28 * 24 + 12


@cache
def cross() -> World:
    return world(CROSS)


@cache
def small() -> World:
    return world({"device": ["a", "b", "c", "d"], "country": ["NO", "SE", "DK"]}, volume=600.0)


def row_of(view, label: str) -> int:
    return next(n for n in range(len(view.lattice)) if view.lattice.slice_of(n).label() == label)


def test_windows_end_with_the_newest_bucket():
    """Observed sums of 1, 3, 6 and 24 hours per slice, `back` buckets earlier where asked."""
    view = cross().view(NOON)
    sums = view.lattice.rollup(cross().values[0].astype(float))
    for back in (0, 1):
        seen, expected = view.windows(back)
        for w, width in enumerate(view.fit.windows):
            stop = NOON + 1 - back
            np.testing.assert_allclose(seen[:, w], sums[:, stop - width : stop].sum(axis=1))
        assert expected.shape == seen.shape


def test_expectations_are_near_the_truth():
    """Levelled means of an untouched world are its true means within a tenth."""
    view = cross().view(NOON)
    true = view.lattice.rollup(cross().mean)[:, NOON - 23 : NOON + 1].sum(axis=1)
    np.testing.assert_allclose(view.windows()[1][:, -1], true, rtol=0.1)


def test_the_level_follows_the_days_before():
    """Half as many for two days are the new level of that slice, and of nobody else."""
    view = cross().scaled(0.5, NOON - 80, country="SE").view(NOON, learned=28 * 24 - 72)
    levels = view.levels
    assert levels[row_of(view, "country=SE"), 0] == pytest.approx(0.5, abs=0.06)
    assert levels[row_of(view, "country=NO"), 0] == pytest.approx(1.0, abs=0.06)


def test_flagged_cells_do_not_become_the_level():
    """The same outage, flagged: the level stays, so that it does not become normal by itself."""
    broken = cross().scaled(0.0, NOON - 80, device="tv")
    view = broken.view(NOON, learned=28 * 24 - 72)
    flagged = view.recent.flagged.copy()
    flagged[broken.inside(device="tv"), -81:] = True
    fresh = replace(view, recent=replace(view.recent, flagged=flagged))
    tv = row_of(view, "device=tv")
    assert view.levels[tv, 0] < 0.5
    assert fresh.levels[tv, 0] == pytest.approx(1.0, abs=0.06)
    np.testing.assert_allclose(fresh.clean_total, cross().values[0][:, NOON - 119 : NOON + 1].sum(axis=0), rtol=0.12)


def test_healed_cells_are_judged_as_normal():
    """Cells of an incident that is over count as expected; the newest count as they are."""
    broken = cross().scaled(0.0, NOON - 10, NOON, device="tv")
    view = broken.view(NOON)
    healed = np.zeros_like(view.recent.flagged)
    healed[broken.inside(device="tv"), -11:-1] = True
    view = replace(view, healed=healed)
    tv = row_of(view, "device=tv")
    np.testing.assert_allclose(
        view.observed[tv, -11:-1], view.lattice.rollup(cross().mean)[tv, NOON - 10 : NOON], rtol=0.15
    )
    assert view.observed[tv, -1] == broken.values[0][broken.inside(device="tv"), NOON].sum()


def test_unknown_buckets_are_in_neither_sum():
    """An unknown hour is missing from observed and expected alike, so that nothing looks lost."""
    view = cross().view(NOON)
    values = view.recent.values.copy()
    values[:, -3] = np.nan
    holed = replace(view, recent=replace(view.recent, values=values))
    seen, expected = holed.windows()
    whole_seen, whole_expected = view.windows()
    assert (seen[:, 1] < whole_seen[:, 1]).all()
    np.testing.assert_allclose(seen[0, 1] / expected[0, 1], whole_seen[0, 1] / whole_expected[0, 1], rtol=0.05)


def test_leaf_expectations_take_their_level_from_before_a_column():
    """From the start of a loss on, each leaf is expected as it was before."""
    broken = cross().scaled(0.0, NOON - 5, device="tv")
    view = broken.view(NOON)
    first = view.recent.values.shape[1] - 6
    expected = view.leaf_expected_from(first)[:, first:]
    np.testing.assert_allclose(expected.sum(axis=1), cross().mean[:, NOON - 5 : NOON + 1].sum(axis=1), rtol=0.2)


def test_overlapping_slices_hold_more_than_a_tenth_of_some_leaves():
    """Those that a cause pulls down, itself and the total included where it is large enough."""
    view = cross().view(NOON)
    found = view.overlapping(cross().inside(device="tv", country="NO"))
    names = {view.lattice.slice_of(int(n)).label() for n in np.flatnonzero(found)}
    assert {"device=tv", "country=NO", "device=tv, country=NO"} <= names
    assert "device=phone" not in names
    assert "device=tv, country=SE" not in names


@dataclass(frozen=True)
class Dense:
    """A view done slowly: every slice by every bucket, by the formulas."""

    view: View

    def cells(self, replaced) -> np.ndarray:
        values = self.view.recent.values
        return np.where(replaced & ~np.isnan(values), self.leaf_expected(len(values[0]) - 24), values)

    def leaf_expected(self, first: int) -> np.ndarray:
        view = self.view
        seasonal = view.fit.leaf_mean[:, view.grid.position(view.recent.starts)].astype(float)
        part = slice(max(0, first - 48), first)
        use = ~view.recent.flagged[:, part] & ~np.isnan(view.recent.values[:, part])
        seen = np.where(use, view.recent.values[:, part], 0.0).sum(axis=1)
        normal = np.where(use, seasonal[:, part], 0.0).sum(axis=1)
        whole = level(seen.sum(keepdims=True), normal.sum(keepdims=True))
        return seasonal * level(seen, normal, whole)[:, None]

    def rolled(self, cells: np.ndarray) -> np.ndarray:
        return np.stack([cells[inside > 0].sum(axis=0) for inside in self.view.lattice.incidence.toarray()])

    @property
    def observed(self) -> np.ndarray:
        return self.rolled(self.cells(self.view.healed))

    @property
    def seasonal(self) -> np.ndarray:
        mean = self.view.fit.mean[:, self.view.grid.position(self.view.recent.starts)].astype(float)
        return np.where(np.isnan(self.observed), np.nan, mean)

    @property
    def levels(self) -> np.ndarray:
        clean = self.rolled(self.cells(self.view.recent.flagged))
        mu, alpha = self.seasonal, self.view.fit.alpha[:, :1]
        capped = np.minimum(clean, 2 * mu + 3 * np.sqrt(2 * mu + 4 * alpha * mu**2) + 1)
        stops = [mu.shape[1] - width for width in self.view.fit.windows]
        sums = [[np.nansum(part[:, max(t - 48, 0) : max(t, 0)], axis=1) for t in stops] for part in (capped, mu)]
        return np.stack([level(y, m, level(y[:1], m[:1])) for y, m in zip(*sums, strict=True)], axis=1)

    def windows(self, back: int) -> tuple[np.ndarray, np.ndarray]:
        stop = self.observed.shape[1] - back
        y, m = (
            np.stack([np.nansum(part[:, max(stop - w, 0) : stop], axis=1) for w in self.view.fit.windows], axis=1)
            for part in (self.observed, self.seasonal)
        )
        return y, m * self.levels


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["none", "buckets", "cells"]),
    st.booleans(),
    st.sampled_from([120, 60, 10]),
)
def test_sums_at_the_leaves_are_sums_over_slices(seed, unknown, flags, buckets):
    """Whatever is unknown, flagged or healed: levels, windows and sums are those of all slices by all buckets."""
    rng, view = np.random.default_rng(seed), small().view(NOON)
    values = view.recent.values[:, -buckets:].copy()
    if unknown != "none":
        hidden = rng.random(buckets if unknown == "buckets" else values.shape) < 0.1
        values[np.broadcast_to(hidden, values.shape)] = np.nan
    flagged, healed = ((rng.random(values.shape) < 0.05) & flags for _ in range(2))
    view = replace(view, recent=LeafSeries(view.recent.starts[-buckets:], values, flagged), healed=healed)
    dense = Dense(view)
    np.testing.assert_allclose(view.levels, dense.levels, rtol=1e-9)
    for back in (0, 1):
        for found, wanted in zip(view.windows(back), dense.windows(back), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(view.observed, dense.observed, rtol=1e-9)
    np.testing.assert_allclose(view.seasonal, dense.seasonal, rtol=1e-9)
    first = int(rng.integers(0, buckets))
    cells, usual = dense.cells(healed), dense.leaf_expected(first)
    seen, expected = view.leaf_sums(first)
    np.testing.assert_allclose(seen, np.nansum(cells[:, first:], axis=1), rtol=1e-9)
    wanted = np.where(np.isnan(cells), 0.0, usual)[:, first:].sum(axis=1)
    np.testing.assert_allclose(expected, wanted, rtol=1e-9, atol=1e-9)
    nobody = np.zeros(len(view.lattice), dtype=bool)
    common = view.common(dense.observed, dense.seasonal * dense.levels[:, -1:], nobody)
    np.testing.assert_allclose(view.common_by_bucket(nobody)[0], common[0], rtol=1e-9)


def test_what_is_judged_otherwise_keeps_what_does_not_depend_on_it():
    """A view with other cells healed equals one that is made anew."""
    view = small().view(NOON)
    healed = np.random.default_rng(0).random(view.healed.shape) < 0.1
    assert view.levels.size
    fresh, reused = replace(view, healed=healed), view.judging(healed)
    np.testing.assert_array_equal(fresh.levels, reused.levels)
    np.testing.assert_array_equal(fresh.windows()[0], reused.windows()[0])
    np.testing.assert_array_equal(fresh.observed, reused.observed)
    assert (reused.observed != view.observed).any()
