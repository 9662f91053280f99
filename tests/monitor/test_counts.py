"""A source's answer as arrays: zeros, NULLs, and cubes that are too wide."""
# ruff: noqa: PD011  these values are arrays of ours, not of pandas

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.counts import Counts
from rules.slices import FOLDED

DIMS = ("device", "os")
HOUR = 3600
STARTS = np.arange(4, dtype=np.int64) * HOUR + 1_700_002_800

texts = st.sampled_from(["ios", "android", "", "(other)", "None", "nan", "folded", None])
rows = st.lists(st.tuples(st.integers(0, 3), texts, texts, st.integers(0, 10**12), st.integers(0, 50)), max_size=40)
known_leaves = st.lists(st.tuples(texts, texts), max_size=6, unique=True)


def frame_of(records) -> pd.DataFrame:
    """A `Source.count` answer: (column, device, os, m0, m1) tuples."""
    columns = list(zip(*records, strict=True)) if records else [[]] * 5
    stamps = pd.to_datetime(STARTS[np.array(columns[0], dtype=np.int64)], unit="s", utc=True)
    data = {"bucket": stamps.as_unit("us"), "device": pd.Series(columns[1], dtype=object)}
    data |= {"os": pd.Series(columns[2], dtype=object)}
    data |= {f"m{i}": pd.Series(columns[3 + i], dtype=np.int64) for i in (0, 1)}
    return pd.DataFrame(data)


def counts_of(records, known=(), measures=2) -> Counts:
    return Counts.from_frame(frame_of(records), dimensions=DIMS, measures=measures, starts=STARTS, known=known)


@given(rows, known_leaves)
def test_every_count_lands_in_its_cell_and_all_others_are_zero(records, known):
    """The array is the loop over the rows: known leaves without a row are zero, not missing."""
    counts = counts_of(records, known)
    expected = {}
    for column, device, os, m0, m1 in records:
        cell = expected.setdefault(((device, os), column), [0, 0])
        cell[0] += m0
        cell[1] += m1
    assert counts.values.shape == (2, len(counts.terms), 4)
    assert counts.values.dtype == np.int64
    for s, terms in enumerate(counts.terms):
        for t in range(4):
            assert counts.values[:, s, t].tolist() == expected.get((terms, t), [0, 0])
    assert {key[0] for key in expected} <= set(counts.terms)


@given(rows, known_leaves)
def test_known_leaves_keep_their_order(records, known):
    """Ids of the store are positions: the known come first, as they are; each leaf stands once."""
    counts = counts_of(records, known)
    assert counts.terms[: len(known)] == tuple(known)
    assert len(set(counts.terms)) == len(counts.terms)


@given(rows, st.randoms())
def test_the_order_of_rows_does_not_matter(records, random):
    """An engine may answer in any order; the leaves come out the same."""
    shuffled = list(records)
    random.shuffle(shuffled)
    one, two = counts_of(records), counts_of(shuffled)
    assert one.terms == two.terms
    assert (one.values == two.values).all()


def test_null_is_not_a_string():
    """NULL in any disguise of pandas is None; "", "None", "nan" and "(other)" are values of their own."""
    frame = frame_of([(0, "x", v, 1, 0) for v in (None, "", "None", "nan", "(other)")])
    extra = frame.iloc[:2].assign(os=pd.Series([np.nan, pd.NA], dtype=object))
    both = pd.concat([frame, extra], ignore_index=True)
    counts = Counts.from_frame(both, dimensions=DIMS, measures=2, starts=STARTS, known=())
    by_leaf = {terms[1]: int(counts.values[0, s, 0]) for s, terms in enumerate(counts.terms)}
    assert by_leaf == {None: 3, "": 1, "(other)": 1, "None": 1, "nan": 1}


def test_an_answer_without_rows_is_zero_everywhere():
    """Nothing came is an answer: known leaves at zero in every bucket asked."""
    counts = counts_of([], known=[("ios", "17"), (None, "")])
    assert counts.terms == (("ios", "17"), (None, ""))
    assert not counts.values.any()


def test_a_bucket_that_was_not_asked_for_is_an_error():
    """An engine that answers outside its windows is not believed."""
    frame = frame_of([(3, "ios", "17", 5, 0)])
    with pytest.raises(ValueError, match="not asked for"):
        Counts.from_frame(frame, dimensions=DIMS, measures=2, starts=STARTS[:3], known=())


def test_dimensions_are_read_by_position():
    """A dimension may be called as another column is."""
    frame = frame_of([(0, "a", "b", 7, 8)]).set_axis(["bucket", "m0", "bucket", "m0", "m1"], axis=1)
    counts = Counts.from_frame(frame, dimensions=("m0", "bucket"), measures=2, starts=STARTS, known=())
    assert counts.terms == (("a", "b"),)
    assert counts.values[:, 0, 0].tolist() == [7, 8]


@given(rows, known_leaves, st.integers(0, 8))
def test_bounded_keeps_every_total(records, known, most):
    """Kept and folded sum to the total in every bucket and measure; the known stay, and no more than fit are kept."""
    counts = counts_of(records, known)
    bounded = counts.bounded(len(known), most)
    assert (bounded.values.sum(axis=1) == counts.values.sum(axis=1)).all()
    assert bounded.terms[: len(known)] == tuple(known)
    kept = [terms for terms in bounded.terms if terms != (FOLDED, FOLDED)]
    assert len(kept) <= max(most, len(known))
    assert len(bounded.terms) - len(kept) <= 1
    again = bounded.bounded(len(bounded.terms), most)
    assert again.terms == bounded.terms


@given(rows, st.integers(1, 6))
def test_bounded_keeps_the_largest(records, most):
    """No folded leaf has more events than one that was kept."""
    counts = counts_of(records)
    bounded = counts.bounded(0, most)
    volume = dict(zip(counts.terms, counts.values.sum(axis=(0, 2)).tolist(), strict=True))
    kept = [volume[t] for t in bounded.terms if t in volume]
    gone = [v for t, v in volume.items() if t not in bounded.terms]
    assert not gone or not kept or max(gone) <= min(kept)
    assert len(kept) == min(most, len(volume))


def test_a_folded_leaf_that_is_known_takes_what_folds_later():
    """The rest has one id: a second fold adds to it and takes no room from others."""
    known = [("ios", "17"), (FOLDED, FOLDED)]
    counts = counts_of([(0, "ios", "17", 3, 0), (0, "new", "1", 5, 0), (1, "new", "2", 9, 0)], known)
    bounded = counts.bounded(2, 2)
    assert bounded.terms == (("ios", "17"), (FOLDED, FOLDED), ("new", "2"))
    assert bounded.values[0, 1].tolist() == [5, 0, 0, 0]
    tight = counts.bounded(2, 1)
    assert tight.terms == tuple(known)
    assert tight.values[0, 1].tolist() == [5, 9, 0, 0]


def test_the_string_other_is_never_the_folded_rest():
    """A device called "(other)" or "folded" keeps its own counts when others fold."""
    counts = counts_of([(0, "(other)", "(other)", 100, 0), (0, "folded", "folded", 90, 0), (0, "x", "y", 1, 0)])
    bounded = counts.bounded(0, 2)
    by_leaf = dict(zip(bounded.terms, bounded.values[0, :, 0].tolist(), strict=True))
    assert by_leaf == {("(other)", "(other)"): 100, ("folded", "folded"): 90, (FOLDED, FOLDED): 1}


@given(rows, st.frozensets(st.tuples(texts, texts), max_size=5))
def test_restricted_keeps_every_total(records, allowed):
    """Leaves outside the set fold, every bucket's sum stays, and what is inside keeps its own counts."""
    counts = counts_of(records)
    found = counts.restricted(allowed)
    assert (found.values.sum(axis=1) == counts.values.sum(axis=1)).all()
    assert set(found.terms) <= allowed | {(FOLDED, FOLDED)}
    for s, terms in enumerate(found.terms):
        if terms in allowed:
            assert (found.values[:, s] == counts.values[:, counts.terms.index(terms)]).all()


@given(rows)
def test_a_page_holds_what_is_not_zero(records):
    """Positions and counts of one bucket; with zeros in between, the page gives the column back."""
    counts = counts_of(records)
    for t, start in enumerate(STARTS):
        positions, values = counts.page(int(start))
        column = np.zeros((2, len(counts.terms)), dtype=np.int64)
        column[:, positions] = values
        assert (column == counts.values[:, :, t]).all()
        assert (values.any(axis=0)).all()
        assert positions.dtype == np.int32


def by_arrival(records) -> pd.DataFrame:
    """The same answer by class of lateness: row i is of class i modulo four."""
    return frame_of(records).assign(lag=np.arange(len(records)) % 4)


@given(rows, known_leaves, st.integers(1, 4))
def test_what_had_arrived_by_each_class(records, known, most):
    """Classes add up to what is there now, folded or not, and pages can be read as they were at each class."""
    frame = by_arrival(records)
    counts = Counts.from_frame(frame, dimensions=DIMS, measures=2, starts=STARTS, known=known)
    assert counts.earlier is not None
    assert counts.earlier.shape == (3, *counts.values.shape)
    np.testing.assert_array_equal(counts.values, counts_of(records, known).values)
    bounded = counts.bounded(len(known), most)
    for lag in range(3):
        early = [record for i, record in enumerate(records) if i % 4 <= lag]
        total = sum(record[3] for record in early)
        assert int(bounded.earlier[lag, 0].sum()) == total
        assert sum(int(bounded.page(int(start), lag)[1][0].sum()) for start in STARTS) == total
