"""Leaves and the lattice of slices above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from monitor.statistics.blocks import LARGE, blocks
from rules.slices import Slice, Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ANY = -1
"""The code of a dimension that a slice does not name."""
EVERY = slice(None)


@dataclass(frozen=True)
class Leaves:
    """The finest slices of a rule: combinations of all its dimensions.

    `codes` is int32[S, D] into `values[d]`, the values of dimension d.
    """

    dimensions: tuple[str, ...]
    codes: NDArray[np.int32]
    values: tuple[tuple[Value, ...], ...]

    @classmethod
    def of(cls, dimensions: Sequence[str], terms: Sequence[tuple[Value, ...]]) -> Leaves:
        """Leaves from value tuples in the order of `dimensions`; positions are kept."""
        codes = np.empty((len(terms), len(dimensions)), dtype=np.int32)
        values: list[tuple[Value, ...]] = []
        for d in range(len(dimensions)):
            known: dict[Value, int] = {}
            codes[:, d] = [known.setdefault(term[d], len(known)) for term in terms]
            values.append(tuple(known))
        return cls(tuple(dimensions), codes, tuple(values))

    def __len__(self) -> int:
        return int(self.codes.shape[0])

    def slice_of(self, codes: Sequence[int]) -> Slice:
        """The slice of one row of codes, ANY left out."""
        return Slice(
            tuple((name, self.values[d][codes[d]]) for d, name in enumerate(self.dimensions) if codes[d] != ANY)
        )

    def codes_of(self, item: Slice) -> tuple[int, ...]:
        """A slice's row of codes, as `slice_of` reads it; an unknown value gets a code no leaf has."""
        named = dict(item.terms)
        return tuple(self.code_of(d, named[name]) if name in named else ANY for d, name in enumerate(self.dimensions))

    def members(self, item: Slice) -> NDArray[np.bool_]:
        """bool[S]: which leaves a slice covers; none where it names an unknown value."""
        inside = np.ones(len(self), dtype=bool)
        for name, value in item:
            d = self.dimensions.index(name)
            inside &= self.codes[:, d] == self.code_of(d, value)
        return inside

    def find(self, codes: NDArray[np.int32]) -> Ints:
        """int64[n]: the leaf of each row of codes [n, D]; -1 where there is none."""
        return match(self.codes, codes)

    def code_of(self, d: int, value: Value) -> int:
        """The code of a value of dimension d; one that no leaf has where it is unknown."""
        return self.code_by_value[d].get(value, len(self.values[d]))

    @cached_property
    def code_by_value(self) -> tuple[dict[Value, int], ...]:
        """Code of each value, by dimension."""
        return tuple({value: code for code, value in enumerate(known)} for known in self.values)


def group(codes: NDArray[np.int32], chosen: Sequence[int]) -> tuple[Ints, Ints]:
    """Elements of one cuboid.

    Returns (element of each leaf int64[S], a first leaf of each element int64[E]); elements are ordered by
    their codes.
    """
    key = np.zeros(codes.shape[0], dtype=np.int64)
    for d in chosen:
        width = int(codes[:, d].max(initial=0)) + 1
        key = key * width + codes[:, d]
    _, first, element = np.unique(key, return_index=True, return_inverse=True)
    return element.astype(np.int64), first.astype(np.int64)


def match(known: NDArray[np.int32], wanted: NDArray[np.int32]) -> Ints:
    """int64[n]: the first of the rows `known` [N, D] that equals each of `wanted` [n, D]; -1 where none does."""
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    key = _keys(np.concatenate([known, wanted]) - ANY)
    order = np.argsort(key[: len(known)], kind="stable")
    asked, ordered = key[len(known) :], key[: len(known)][order]
    at = np.minimum(np.searchsorted(ordered, asked), len(order) - 1)
    return np.where(ordered[at] == asked, order[at], -1)


def _keys(codes: NDArray[np.int32]) -> Ints:
    """int64[n]: equal for equal rows of codes [n, D], none of which is negative."""
    key, most = np.zeros(len(codes), dtype=np.int64), 1
    for column in codes.T:
        width = int(column.max(initial=0)) + 1
        if most * width >= 2**62:
            _, key = np.unique(key, return_inverse=True)
            most = len(codes)
        key, most = key * width + column, most * width
    return key


@dataclass(frozen=True)
class Lattice:
    """All distinct slices of up to `depth` dimensions, the total first.

    `codes` is int32[N, D] with ANY for dimensions not named; `incidence` is N x S, one where the slice
    covers the leaf. Slices with exactly the same leaves stand once, under the name of fewest dimensions
    and, among those, of the rule's first ones; `also[n]` are the other names' codes.
    """

    leaves: Leaves
    codes: NDArray[np.int32]
    incidence: sparse.csr_array
    also: dict[int, tuple[tuple[int, ...], ...]]

    def __len__(self) -> int:
        return int(self.codes.shape[0])

    @classmethod
    def of(cls, leaves: Leaves, depth: int) -> Lattice:
        """Build the lattice; cost is leaves x cuboids."""
        count, dims = leaves.codes.shape
        rows = []
        codes: list[NDArray[np.int32]] = []
        offset = 0
        for size in range(min(depth, dims) + 1):
            for chosen in combinations(range(dims), size):
                element, first = group(leaves.codes, chosen)
                block = np.full((len(first), dims), ANY, dtype=np.int32)
                named = np.array(chosen, dtype=np.int64)
                block[:, named] = leaves.codes[np.ix_(first, named)]
                rows.append(element + offset)
                codes.append(block)
                offset += len(first)
        every = np.concatenate(codes)
        columns = np.tile(np.arange(count), len(rows))
        full = sparse.csr_array((np.ones(len(columns)), (np.concatenate(rows), columns)), shape=(offset, count))
        keep, also = _distinct(full, every)
        return cls(leaves, every[keep], full[keep], also)

    def slice_of(self, n: int) -> Slice:
        """The slice at a row."""
        return self.leaves.slice_of([int(c) for c in self.codes[n]])

    def names_of(self, n: int) -> tuple[Slice, ...]:
        """Other names of the same leaves."""
        return tuple(self.leaves.slice_of(codes) for codes in self.also.get(n, ()))

    @cached_property
    def size(self) -> NDArray[np.int64]:
        """int64[N]: how many dimensions each slice names."""
        return np.asarray((self.codes != ANY).sum(axis=1), dtype=np.int64)

    @cached_property
    def cuboid(self) -> NDArray[np.int64]:
        """int64[N]: the set of dimensions each slice names, as a bit mask."""
        bits = 1 << np.arange(self.codes.shape[1])
        return np.asarray(((self.codes != ANY) * bits).sum(axis=1), dtype=np.int64)

    def rollup(self, leaf_values: NDArray[np.floating[Any]], rows: int | slice | Ints = EVERY) -> Floats:
        """Sums of leaves [S, ...] per slice [N, ...], or of the slices `rows`; a NaN leaf makes its slices NaN."""
        if isinstance(rows, (int, np.integer)):
            return np.asarray(leaf_values[self.leaves_of(int(rows))].sum(axis=0))
        incidence = self.incidence if rows is EVERY else self.incidence[rows]
        if leaf_values.ndim == 1:
            return _rolled(incidence, leaf_values)
        if _is_whole(leaf_values):
            return np.asarray(incidence @ leaf_values)
        total = np.empty((incidence.shape[0], leaf_values.shape[1]))
        for columns in blocks(leaf_values.shape[1]):
            total[:, columns] = _rolled(incidence, np.ascontiguousarray(leaf_values[:, columns]))
        return total

    def sums(self, leaf_values: Floats, rows: slice) -> Floats:
        """The same for a part of the slices and leaves all of which are known."""
        return np.asarray(self.incidence[rows] @ leaf_values)

    def leaves_of(self, n: int) -> NDArray[np.integer]:
        """Positions of the leaves that a slice covers."""
        first, stop = self.incidence.indptr[n : n + 2]
        return np.asarray(self.incidence.indices[first:stop])

    def rows_of(self, wanted: NDArray[np.int32]) -> Ints:
        """int64[n]: the row of each slice of codes [n, D], by any of its names; -1 where there is none."""
        owners = np.repeat(list(self.also), [len(names) for names in self.also.values()]).astype(np.int64)
        others = np.array([codes for names in self.also.values() for codes in names], dtype=np.int32)
        known = np.concatenate([self.codes, others.reshape(-1, self.codes.shape[1])])
        rows = np.concatenate([np.arange(len(self)), owners])
        # A row's own name comes first.
        at = match(known, wanted)
        return np.where(at >= 0, rows[at], -1)

    def covered_by(self, item: Slice) -> NDArray[np.bool_]:
        """bool[N]: which slices name at least what `item` names."""
        inside = np.ones(len(self), dtype=bool)
        for name, value in item:
            d = self.leaves.dimensions.index(name)
            inside &= self.codes[:, d] == self.leaves.code_of(d, value)
        return inside


# A row's signature is the sum of random 64-bit marks of its leaves (modulo 2^64, so order does not matter).
def _distinct(
    incidence: sparse.csr_array, codes: NDArray[np.int32]
) -> tuple[Ints, dict[int, tuple[tuple[int, ...], ...]]]:
    """Rows to keep so that each set of leaves stands once, and the names of those left out."""
    marks = np.random.default_rng(0).integers(0, 2**63, incidence.shape[1], dtype=np.uint64)
    signature = incidence.astype(np.uint64) @ marks
    _, first, inverse = np.unique(signature, return_index=True, return_inverse=True)
    keep = np.sort(first)
    left_out = np.setdiff1d(np.arange(len(codes)), keep)
    owners = np.searchsorted(keep, first[inverse[left_out]])
    also: dict[int, list[tuple[int, ...]]] = {}
    for owner, name in zip(owners.tolist(), codes[left_out].tolist(), strict=True):
        also.setdefault(owner, []).append(tuple(name))
    return keep, {n: tuple(names) for n, names in also.items()}


def _is_whole(leaf_values: NDArray[np.floating[Any]]) -> bool:
    """Whether values are all known and lie in memory as the product wants them: then nothing has to be copied."""
    rows = blocks(len(leaf_values), LARGE)
    return leaf_values.flags.c_contiguous and not any(np.isnan(leaf_values[some]).any() for some in rows)


def _rolled(incidence: sparse.csr_array, leaf_values: NDArray[np.floating[Any]]) -> Floats:
    unknown = np.isnan(leaf_values)
    if not unknown.any():
        return np.asarray(incidence @ leaf_values)
    total = np.asarray(incidence @ np.where(unknown, 0.0, leaf_values))
    hidden = np.asarray(incidence @ unknown.astype(float)) > 0
    return np.where(hidden, np.nan, total)
