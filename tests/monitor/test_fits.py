"""Fits in the store, and on a lattice that has grown since."""

from __future__ import annotations

from functools import cache

import numpy as np

from monitor.detectors.fit import Fit
from monitor.fits import Learned, carry_over, pack, unpack
from monitor.lattice import Lattice, Leaves
from monitor.statistics.common_mode import References
from tests.monitor.world import World, cause, world

SMALL = {"device": ("phone", "tv"), "country": ("NO", "SE", "DK"), "version": ("1", "2")}


@cache
def made() -> World:
    return world(SMALL)


@cache
def found() -> Fit:
    return made().fit(28 * 24)


def row(lattice: Lattice, **terms) -> int:
    """The row of a slice under any of its names."""
    wanted = cause(**terms)
    return next(n for n in range(len(lattice)) if wanted in (lattice.slice_of(n), *lattice.names_of(n)))


def test_fits_of_all_metrics_are_one_blob():
    """Packed and unpacked, with the number of leaves they know."""
    other = made().fit(27 * 24)
    leaves, learned = unpack(pack(12, [Learned(found()), Learned(other)]))
    assert leaves == 12
    assert [item.fit.to_bytes() for item in learned] == [found().to_bytes(), other.to_bytes()]
    assert [item.curves for item in learned] == [None, None]


def test_an_equal_lattice_takes_the_fit_as_it_is():
    """Nothing new: the same fit."""
    lattice = made().lattice()
    learned = Learned(found())
    assert carry_over(learned, lattice, lattice) is learned


def test_new_leaves_are_not_judged_and_old_slices_keep_what_was_learned():
    """A new device: its slices have no mean and are not eligible; all others are as before, wherever they stand now."""
    old = made().lattice()
    new = made().with_leaves([("watch", "NO", "1"), ("watch", "FI", "1")]).lattice()
    carried = carry_over(Learned(found()), old, new).fit
    for n in range(len(new)):
        item = new.slice_of(n)
        if any(value in ("watch", "FI") for _, value in item):
            assert not carried.eligible[n]
            assert not carried.mean[n].any()
            assert not carried.references.whole[n]
        else:
            before = row(old, **dict(item.terms))
            np.testing.assert_array_equal(carried.mean[n], found().mean[before])
            np.testing.assert_array_equal(carried.alpha[n], found().alpha[before])
            assert carried.eligible[n] == found().eligible[before]
    assert carried.leaf_mean.shape == (14, 168)
    np.testing.assert_array_equal(carried.leaf_mean[:12], found().leaf_mean)
    assert (carried.unrest >= 1).all()
    assert carried.threshold == found().threshold


def test_slices_that_were_the_same_cells_part():
    """All of tv was tvos until a watch came with tvos: both names now have a row, with what the one slice had learned."""
    old = Lattice.of(Leaves.of(("device", "os"), [("phone", "ios"), ("phone", "android"), ("tv", "tvos")]), 2)
    new = Lattice.of(
        Leaves.of(("device", "os"), [("phone", "ios"), ("phone", "android"), ("tv", "tvos"), ("watch", "tvos")]), 2
    )
    count = len(old)
    mean = np.arange(count, dtype=float)[:, None] * np.ones((1, 168)) + 1
    base = found()
    small = Fit(
        **{
            **base.__dict__,
            "mean": mean,
            "leaf_mean": np.ones((3, 168)),
            **{name: np.ones((count, 4)) for name in ("alpha", "alpha_plain", "unrest", "unrest_plain")},
            **{name: np.ones(count, dtype=bool) for name in ("eligible", "plain")},
            "references": References.none(count),
        }
    )
    carried = carry_over(Learned(small), old, new).fit
    tv = row(old, device="tv")
    for terms in ({"device": "tv"}, {"os": "tvos"}):
        assert carried.mean[row(new, **terms), 0] == mean[tv, 0]
        assert carried.eligible[row(new, **terms)]
    assert not carried.eligible[row(new, device="watch")]
