"""A tick as arrays: what came, what was expected, and at which level."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.monitor.world import CROSS, World, world

NOON = 28 * 24 + 12


@cache
def cross() -> World:
    return world(CROSS)


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
