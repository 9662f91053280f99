"""Pages of counts."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.store import LAG_FINAL, Store, coverage, dump, flags, pages, put_flags, put_page, reset_history
from monitor.store.codec import CHUNK, decode_ids, decode_page, encode_ids, encode_page

_names = itertools.count()
shared_store = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)

LEAF = st.integers(0, 3 * CHUNK)
COUNT = st.one_of(st.integers(0, 300), st.integers(-(2**62), 2**62))
CELLS = st.integers(1, 3).flatmap(
    lambda measures: st.tuples(
        st.just(measures), st.dictionaries(LEAF, st.lists(COUNT, min_size=measures, max_size=measures), max_size=20)
    )
)


def arrays(measures: int, cells: dict[int, list[int]]) -> tuple[Any, Any]:
    """Ids [n] and values [M, n]."""
    ids = np.array(list(cells), dtype=np.int32)
    values = np.array(list(cells.values()), dtype=np.int64).reshape(len(cells), measures)
    return ids, values.T


def put(store: Store, bucket: int, cells: dict[int, int], lag: int = 0, rule: str = "r") -> bool:
    """One measure."""
    ids, values = arrays(1, {leaf: [count] for leaf, count in cells.items()})
    with store.write() as tx:
        return put_page(tx, rule, bucket, ids, values, lag=lag)


@given(positions=st.sets(st.integers(0, CHUNK - 1)), data=st.data())
def test_a_page_decodes_to_what_was_encoded(positions: set[int], data: st.DataObject) -> None:
    """Any positions and any 64-bit values come back exactly."""
    ordered = np.array(sorted(positions), dtype=np.int64)
    rows = st.lists(COUNT, min_size=len(ordered), max_size=len(ordered))
    values = np.array([data.draw(rows), data.draw(rows)], dtype=np.int64).reshape(2, len(ordered))
    got_positions, got_values = decode_page(encode_page(ordered, values), len(ordered))
    assert got_positions.tolist() == ordered.tolist()
    assert [row.tolist() for row in got_values] == values.tolist()


@given(ids=st.sets(st.integers(0, 50_000)))
def test_a_bitmap_decodes_to_its_ids(ids: set[int]) -> None:
    """Ids come back ascending, whatever order they came in."""
    assert decode_ids(encode_ids(np.array(list(ids), dtype=np.int32))).tolist() == sorted(ids)


@shared_store
@given(item=CELLS, float_type=st.sampled_from([np.float64]))
def test_pages_come_back_dense(memory: Store, item: tuple[int, dict[int, list[int]]], float_type: Any) -> None:
    """What was put is read back at its place, zero everywhere else, over any number of chunks and measures."""
    measures, cells = item
    rule = f"r{next(_names)}"
    ids, values = arrays(measures, cells)
    with memory.write() as tx:
        put_page(tx, rule, 7200, ids, values, lag=1)
        block = pages(tx, rule, [3600, 7200], n_leaves=3 * CHUNK + 1, measures=measures, dtype=float_type)
    expected = np.zeros((measures, 3 * CHUNK + 1))
    expected[:, ids] = values
    assert np.array_equal(block.values[:, :, 1], expected)
    assert np.isnan(block.values[:, :, 0]).all()
    assert block.known.tolist() == [False, True]
    assert block.lag.tolist() == [-1, 1]


@shared_store
@given(item=CELLS, order=st.randoms(use_true_random=False))
def test_putting_a_page_again_changes_no_row(memory: Store, item: tuple[int, dict[int, list[int]]], order: Any) -> None:
    """Equal content, in whatever order its leaves come, leaves the store equal row by row."""
    measures, cells = item
    rule = f"r{next(_names)}"
    shuffled = list(cells.items())
    order.shuffle(shuffled)
    with memory.write() as tx:
        assert put_page(tx, rule, 0, *arrays(measures, cells), lag=0)
        before = dump(tx)
        assert not put_page(tx, rule, 0, *arrays(measures, dict(shuffled)), lag=0)
        assert dump(tx) == before


def test_a_page_replaces_the_one_before(store: Store) -> None:
    """Leaves of the old page that the new one lacks are zero, even where they were a chunk of their own."""
    put(store, 0, {1: 5, CHUNK + 1: 6, 9 * CHUNK: 7})
    assert put(store, 0, {1: 4, CHUNK: 8})
    with store.read() as tx:
        block = pages(tx, "r", [0], n_leaves=9 * CHUNK + 1, measures=1)
        assert len(dump(tx)["slicewatch_page"]) == 2
    assert {int(leaf): block.values[0, leaf, 0] for leaf in np.flatnonzero(block.values[0, :, 0])} == {1: 4, CHUNK: 8}


def test_an_empty_page_is_known_and_zero(store: Store) -> None:
    """Asked and nothing came is not the same as never asked."""
    put(store, 0, {})
    with store.read() as tx:
        block = pages(tx, "r", [0, 3600], n_leaves=2, measures=1)
        assert coverage(tx, "r", 0, 7200) == {0: 0}
    assert block.known.tolist() == [True, False]
    assert block.values[0, :, 0].tolist() == [0, 0]


def test_the_ripest_class_is_read_unless_one_is_named(store: Store) -> None:
    """Late events: the bucket grows as it ripens, and every class can be read on its own."""
    put(store, 0, {0: 5, CHUNK: 1}, lag=0)
    put(store, 0, {0: 9}, lag=LAG_FINAL)
    put(store, 3600, {0: 4}, lag=0)
    with store.read() as tx:
        ripest = pages(tx, "r", [0, 3600], n_leaves=CHUNK + 1, measures=1)
        first = pages(tx, "r", [0, 3600], n_leaves=CHUNK + 1, measures=1, lag=0)
        final = pages(tx, "r", [0, 3600], n_leaves=CHUNK + 1, measures=1, lag=LAG_FINAL)
        assert coverage(tx, "r", 0, 3601) == {0: LAG_FINAL, 3600: 0}
    assert ripest.values[0, 0].tolist() == [9, 4]
    assert ripest.values[0, CHUNK, 0] == 0, "an earlier class does not shine through a riper one"
    assert ripest.lag.tolist() == [LAG_FINAL, 0]
    assert first.values[0, [0, CHUNK], 0].tolist() == [5, 1]
    assert final.known.tolist() == [True, False]


def test_only_the_buckets_and_leaves_asked_for_are_read(store: Store) -> None:
    """Starts may leave gaps (day buckets in local time), and later leaves may be cut off."""
    for hour in range(5):
        put(store, hour * 3600, {0: hour, 1: 10, CHUNK: 3})
    with store.read() as tx:
        block = pages(tx, "r", [3600, 4 * 3600], n_leaves=1, measures=1, dtype=np.float32)
    assert block.values.dtype == np.float32
    assert block.values.tolist() == [[[1, 4]]]


def test_rules_do_not_see_each_other(store: Store) -> None:
    """Pages and flags belong to one rule."""
    put(store, 0, {0: 5}, rule="one")
    with store.write() as tx:
        put_flags(tx, "one", 0, np.array([0], dtype=np.int32))
        assert coverage(tx, "two", 0, 1) == {}
        assert not pages(tx, "two", [0], n_leaves=1, measures=1).known.any()
        assert not flags(tx, "two", [0], 1).any()


@pytest.mark.parametrize(
    ("ids", "values"),
    [([1, 1], [[1, 2]]), ([-1], [[1]]), ([1], [[1, 2]]), ([1], [1])],
    ids=["twice", "negative", "too many", "flat"],
)
def test_a_page_that_makes_no_sense_is_refused(memory: Store, ids: list[int], values: list[Any]) -> None:
    """Nothing is guessed about shapes and ids."""
    with memory.write() as tx, pytest.raises(ValueError, match=r"leaf ids|values"):
        put_page(tx, "r", 0, np.array(ids, dtype=np.int32), np.array(values), lag=0)


def test_starts_that_do_not_ascend_are_refused(memory: Store) -> None:
    """A bucket twice would be filled once."""
    with memory.read() as tx, pytest.raises(ValueError, match="ascend"):
        pages(tx, "r", [0, 0], n_leaves=1, measures=1)


def test_pages_of_other_measures_are_refused(memory: Store) -> None:
    """Counts are never read as sums of a column."""
    put(memory, 0, {0: 5})
    with memory.read() as tx, pytest.raises(ValueError, match="1 measures, not 2"):
        pages(tx, "r", [0], n_leaves=1, measures=2)


@shared_store
@given(buckets=st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 20_000), max_size=30), max_size=5))
def test_flags_come_back(memory: Store, buckets: dict[int, set[int]]) -> None:
    """Every flagged cell is flagged, no other is, and the same flags again change no row."""
    rule = f"r{next(_names)}"
    with memory.write() as tx:
        for bucket, ids in buckets.items():
            put_flags(tx, rule, bucket, np.array(list(ids), dtype=np.int32))
        before = dump(tx)
        for bucket, ids in buckets.items():
            put_flags(tx, rule, bucket, np.array(sorted(ids), dtype=np.int32))
        assert dump(tx) == before
        flagged = flags(tx, rule, list(range(10)), 10_000)
    cells = {(leaf, bucket) for bucket, ids in buckets.items() for leaf in ids if leaf < 10_000}
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(flagged)), strict=True)) == cells


def test_flags_are_replaced_and_removed(store: Store) -> None:
    """A bucket judged again has the flags of its last verdict only."""
    with store.write() as tx:
        put_flags(tx, "r", 0, np.array([1, 2], dtype=np.int32))
        put_flags(tx, "r", 0, np.array([2], dtype=np.int32))
        assert flags(tx, "r", [0], 3).tolist() == [[False], [False], [True]]
        put_flags(tx, "r", 0, np.array([], dtype=np.int32))
        assert dump(tx)["slicewatch_flags"] == []


def test_reset_forgets_history_only(store: Store) -> None:
    """Other rules keep theirs."""
    put(store, 0, {0: 5}, rule="other")
    put(store, 0, {0: 5})
    with store.write() as tx:
        put_flags(tx, "r", 0, np.array([1], dtype=np.int32))
        reset_history(tx, "r", "dimensions: a, b")
        assert coverage(tx, "r", 0, 1) == {}
        assert dump(tx)["slicewatch_flags"] == []
        assert coverage(tx, "other", 0, 1) == {0: 0}
