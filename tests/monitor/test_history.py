"""History as the detector reads it: pages under fresh counts, renames applied."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor import store
from monitor.counts import Counts
from monitor.detectors.model import LeafSeries
from monitor.history import Rename, read_series, with_renames
from tests.monitor.world import BEGIN, HOUR, cause

TERMS = [("ios", "NO"), ("android", "NO"), ("tv", "NO"), ("tv", "SE"), ("television", "NO")]
DIMS = ("device", "country")
STARTS = BEGIN + HOUR * np.arange(6, dtype=np.int64)
RULE = "playback_volume"


@pytest.fixture
def state():
    opened = store.Store.open("sqlite://")
    yield opened
    opened.close()


@pytest.fixture
def filled(state) -> store.Store:
    """Buckets 0, 1 and 3 are known; two metrics; leaf 2 is flagged in bucket 1."""
    with state.write() as tx:
        store.add_leaves(tx, RULE, TERMS, np.full(5, BEGIN))
        for t in (0, 1, 3):
            values = np.array([[10 + t, 20], [1, 2]])
            store.put_page(tx, RULE, int(STARTS[t]), np.array([0, 2], dtype=np.int32), values, lag=0)
        store.put_flags(tx, RULE, int(STARTS[1]), np.array([2], dtype=np.int32))
    return state


def fresh(columns, value: int) -> Counts:
    """Counts just read of these columns, the same in every cell."""
    return Counts(tuple(TERMS), STARTS[list(columns)], np.full((2, 5, len(columns)), value))


def test_pages_are_zeros_where_asked_and_unknown_elsewhere(filled):
    """A leaf without a row in a known bucket is 0, every leaf of a bucket without a page is NaN."""
    with filled.read() as tx:
        count, visits = read_series(tx, RULE, STARTS, TERMS, 2, None)
    np.testing.assert_array_equal(count.values[0], [10, 11, np.nan, 13, np.nan, np.nan])
    np.testing.assert_array_equal(count.values[1], [0, 0, np.nan, 0, np.nan, np.nan])
    np.testing.assert_array_equal(visits.values[2], [2, 2, np.nan, 2, np.nan, np.nan])


def test_flags_are_those_of_past_verdicts(filled):
    """The same for every metric of the rule."""
    with filled.read() as tx:
        for series in read_series(tx, RULE, STARTS, TERMS, 2, None):
            assert np.argwhere(series.flagged).tolist() == [[2, 1]]


def test_what_was_just_read_lies_over_what_is_stored(filled):
    """Fresh buckets replace stored ones, fill unknown ones, and those outside are left aside."""
    with filled.read() as tx:
        (count, _) = read_series(tx, RULE, STARTS, TERMS, 2, fresh((1, 4), 7))
        early = read_series(tx, RULE, STARTS[:4], TERMS, 2, fresh((1, 4), 7))[0]
    np.testing.assert_array_equal(count.values[0], [10, 7, np.nan, 13, 7, np.nan])
    np.testing.assert_array_equal(early.values[0], [10, 7, np.nan, 13])


def test_new_leaves_have_no_past(filled):
    """Leaves that only the fresh counts know were not there: zero in known buckets."""
    with filled.read() as tx:
        (count, _) = read_series(tx, RULE, STARTS, [*TERMS, ("watch", "NO")], 2, None)
    np.testing.assert_array_equal(count.values[5], [0, 0, np.nan, 0, np.nan, np.nan])


def series() -> LeafSeries:
    """Everything ten in every bucket but television, which starts in bucket 3 as tv/NO ends."""
    values = np.full((5, 6), 10.0)
    values[4, :3], values[2, 3:] = 0.0, 0.0
    flagged = np.zeros((5, 6), dtype=bool)
    flagged[2, 1] = flagged[2, 4] = True
    return LeafSeries(STARTS, values, flagged)


TOLD = Rename(cause(device="tv"), cause(device="television"), int(STARTS[3]))


def test_a_renamed_value_inherits_what_came_before():
    """Up to the rename the new name has the old one's events, and the old one has none."""
    found = with_renames(series(), TERMS, DIMS, [TOLD])
    np.testing.assert_array_equal(found.values[4], [10] * 6)
    np.testing.assert_array_equal(found.values[2], [0] * 6)


def test_flags_move_along():
    """Bad cells before the rename are the new name's; the old one's own disappearance is no damage."""
    found = with_renames(series(), TERMS, DIMS, [TOLD])
    assert np.argwhere(found.flagged).tolist() == [[4, 1]]


def test_leaves_without_an_heir_keep_their_history():
    """Sweden's tv has no counterpart: it stays."""
    found = with_renames(series(), TERMS, DIMS, [TOLD])
    np.testing.assert_array_equal(found.values[3], [10] * 6)


def test_a_rename_keeps_every_total():
    """Telling a rename moves events between names, never makes or loses any."""
    base = series()
    for rename in (TOLD, replace(TOLD, at=int(STARTS[0])), replace(TOLD, old=cause(device="tv", country="NO"))):
        found = with_renames(base, TERMS, DIMS, [rename])
        np.testing.assert_array_equal(found.values.sum(axis=0), base.values.sum(axis=0))


def test_renames_chain():
    """First tv became television, television became screen: the last name has it all."""
    terms = [*TERMS, ("screen", "NO")]
    values = np.vstack([series().values, np.zeros(6)])
    values[5, 5], values[4, 5] = values[4, 5], 0.0
    base = LeafSeries(STARTS, values, np.zeros((6, 6), dtype=bool))
    second = Rename(cause(device="television"), cause(device="screen"), int(STARTS[5]))
    np.testing.assert_array_equal(with_renames(base, terms, DIMS, [TOLD, second]).values[5], [10] * 6)


def test_the_series_given_is_not_changed():
    """A series may be shared."""
    base = series()
    with_renames(base, TERMS, DIMS, [TOLD])
    np.testing.assert_array_equal(base.values, series().values)
    np.testing.assert_array_equal(base.flagged, series().flagged)
    assert with_renames(base, TERMS, DIMS, []) is base
