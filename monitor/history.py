"""History as the detector reads it: pages of the store under the counts just read, renames applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor import store
from monitor.buckets import Times
from monitor.counts import Counts, Terms
from monitor.detectors.model import LeafSeries
from monitor.ripeness import LAGS
from rules.slices import Slice


@dataclass(frozen=True)
class Rename:
    """A value that got a new name: before `at` (epoch seconds) the new one had the old one's events."""

    old: Slice
    new: Slice
    at: int


def read_series(
    tx: store.Tx,
    rule: str,
    starts: Times,
    terms: Sequence[Terms],
    measures: int,
    fresh: Counts | None,
    lags: Mapping[int, int] = MappingProxyType({}),
    held: store.PageBlock | None = None,
) -> list[LeafSeries]:
    """One series per measure over the leaves `terms`; what was just read lies over what is stored.

    `lags` are the classes that `fresh` was read at, by bucket. `held` are pages read before, of consecutive buckets; what it
    does not hold is read from the store.
    """
    block = None if held is None else _part_of(held, starts, len(terms))
    if block is None:
        block = store.pages(tx, rule, starts, n_leaves=len(terms), measures=measures)
    values, lag = np.asarray(block.values, dtype=float), block.lag.copy()
    if fresh is not None:
        columns = np.searchsorted(starts, fresh.starts)
        for source, column in enumerate(columns):
            if column < len(starts) and starts[column] == fresh.starts[source]:
                values[:, :, column] = fresh.values[:, :, source]
                lag[column] = lags.get(int(starts[column]), lag[column])
    flagged = store.flags(tx, rule, starts, len(terms))
    return [LeafSeries(starts, values[m], flagged, lag) for m in range(measures)]


def _part_of(held: store.PageBlock, starts: Times, n_leaves: int) -> store.PageBlock | None:
    """The buckets `starts` of a block, as its own; None where it does not hold them all."""
    first, stop = np.searchsorted(held.starts, [starts[0], starts[-1] + 1]) if len(starts) else (0, 0)
    if held.values.shape[1] != n_leaves or not np.array_equal(held.starts[first:stop], starts):
        return None
    part = slice(int(first), int(stop))
    return store.PageBlock(starts, held.values[:, :, part].copy(), held.known[part], held.lag[part])


def read_classes(
    tx: store.Tx, rule: str, starts: Times, n_leaves: int, measures: int
) -> list[NDArray[np.floating[Any]]]:
    """What was there at each lag class: one block [L, S, T] per measure, float32; NaN where it was not read then."""
    blocks = [
        store.pages(tx, rule, starts, n_leaves=n_leaves, measures=measures, lag=lag, dtype=np.float32).values
        for lag in range(LAGS)
    ]
    return [np.stack([block[m] for block in blocks]) for m in range(measures)]


def with_renames(
    series: LeafSeries, terms: Sequence[Terms], dimensions: Sequence[str], renames: Sequence[Rename]
) -> LeafSeries:
    """The series as if renamed values had always borne their new names."""
    if not renames:
        return series
    values, flagged = series.values.copy(), series.flagged.copy()
    place = {item: i for i, item in enumerate(terms)}
    for rename in renames:
        before = series.starts < rename.at
        for old, new in _pairs(terms, place, dimensions, rename):
            _pour(values, flagged, old, new, before)
    return replace(series, values=values, flagged=flagged)


def _pour(
    values: NDArray[np.float64], flagged: NDArray[np.bool_], old: int, new: int, before: NDArray[np.bool_]
) -> None:
    values[new, before] += values[old, before]
    flagged[new, before] |= flagged[old, before]
    values[old, before] = 0.0
    flagged[old] = False


def _pairs(
    terms: Sequence[Terms], place: dict[Terms, int], dimensions: Sequence[str], rename: Rename
) -> list[tuple[int, int]]:
    """(old leaf, new leaf) of a rename; old leaves without a counterpart keep their history."""
    old, new = dict(rename.old.terms), dict(rename.new.terms)
    pairs = []
    for i, item in enumerate(terms):
        if all(item[dimensions.index(name)] == value for name, value in old.items()):
            heir = tuple(new.get(name, value) for name, value in zip(dimensions, item, strict=True))
            if heir in place and heir != item:
                pairs.append((i, place[heir]))
    return pairs
