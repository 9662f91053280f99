"""One cause followed through time."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.causes import members_of
from monitor.localize.track import stands, track
from tests.monitor.world import CROSS, World, world

NOON = 28 * 24 + 12
TV = (2, ANY, ANY)


@cache
def cross() -> World:
    return world(CROSS)


def follow(view: View, codes, hours: int):
    """The track of a cause whose bad stretch began so many hours before the newest."""
    first = view.recent.values.shape[1] - hours
    return track(view, codes, members_of(view, codes), first), first


def test_sums_are_what_came_and_what_was_expected():
    """Over the bad stretch: nothing of what the world would have brought."""
    view = cross().scaled(0.0, NOON - 4, device="tv").view(NOON)
    found, first = follow(view, TV, 5)
    observed, expected = found.sums(first, first + 5)
    assert observed == 0
    assert expected == pytest.approx(cross().mean[cross().inside(device="tv"), NOON - 4 : NOON + 1].sum(), rel=0.1)


def test_the_expectation_does_not_follow_the_outage():
    """Forty bad hours: what is expected of the newest is what it was before them, as its level is from before."""
    broken = cross().scaled(0.0, NOON - 40, device="tv")
    view = broken.view(NOON, learned=28 * 24 - 48)
    found, first = follow(view, TV, 41)
    true = cross().mean[cross().inside(device="tv"), NOON - 40 : NOON + 1].sum(axis=0)
    np.testing.assert_allclose(found.expected[first:], true, rtol=0.15)


def test_a_cause_deeper_than_the_lattice_is_followed_by_its_leaves():
    """A single leaf has no row; its own mean is taken."""
    view = cross().view(NOON)
    found, first = follow(view, (2, 1, 0), 10)
    leaf = cross().inside(device="tv", country="SE", version="1")
    assert found.sums(first, first + 10)[1] == pytest.approx(cross().mean[leaf, NOON - 9 : NOON + 1].sum(), rel=0.15)
    np.testing.assert_array_equal(found.observed[first:], cross().values[0][leaf, NOON - 9 : NOON + 1].sum(axis=0))


def test_longer_sums_use_the_dispersion_of_longer_windows():
    """The longest window that is no longer than the sum."""
    found, _ = follow(cross().view(NOON), TV, 5)
    assert found.windows == (1, 3, 6, 24)
    assert [found.alpha_over(n) for n in (0, 1, 2, 3, 7, 24, 100)] == [found.alphas[i] for i in (0, 0, 0, 1, 2, 3, 3)]
    assert found.alpha == found.alphas[0]


def test_unknown_buckets_are_in_neither_sum():
    """An unknown hour within the stretch lowers observed and expected alike."""
    view = cross().view(NOON)
    values = view.recent.values.copy()
    values[:, -2] = np.nan
    holed, first = follow(replace(view, recent=replace(view.recent, values=values)), TV, 5)
    whole, _ = follow(view, TV, 5)
    assert np.isnan(holed.observed[-2])
    assert holed.sums(first, first + 5)[1] == pytest.approx(
        whole.sums(first, first + 5)[1] - whole.expected[-2], rel=0.02
    )


def test_it_stands_while_bad_and_clears_when_back():
    """Bad to the end; then back for three hours: bad until its last bad hour, and cleared."""
    view = cross().scaled(0.0, NOON - 6, device="tv").view(NOON)
    found, first = follow(view, TV, 7)
    assert stands(found, first, None, 0.02).still_bad(len(found.observed))
    view = cross().scaled(0.0, NOON - 6, NOON - 2, device="tv").view(NOON)
    found, first = follow(view, TV, 7)
    standing = stands(found, first, None, 0.02)
    assert standing.bad_until == first + 4
    assert standing.cleared


def test_a_common_fall_excuses_what_is_left_of_a_loss():
    """Back, but everything is at a half: beside that the device is fine; without it, it would still be bad."""
    back = cross().scaled(0.4, NOON - 8).scaled(0.0, NOON - 6, NOON - 2, device="tv")
    view = back.view(NOON)
    found, first = follow(view, TV, 7)
    common = view.common_by_bucket(view.overlapping(back.inside(device="tv")))[0]
    assert not stands(found, first, common, 0.02).still_bad(len(found.observed))
    assert stands(found, first, None, 0.02).still_bad(len(found.observed))
