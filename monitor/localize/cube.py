"""The data cube over leaves: every element of every cuboid, summed from the finest cuboids upwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import ANY
from monitor.statistics import constants as k

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Cuboid:
    """The elements of one set of dimensions, at [start, start + len(codes)) of the cube.

    `source` is the cuboid that sums come from (None: the leaves), `into` int64[of the source] its elements' places
    here, counted from 0; `codes` is int32[elements, len(dimensions)].
    """

    dimensions: tuple[int, ...]
    start: int
    codes: Codes
    source: Cuboid | None
    into: Ints

    @property
    def place(self) -> slice:
        """Where its elements stand in the cube."""
        return slice(self.start, self.start + len(self.codes))

    def of_leaves(self, leaves: Ints | slice) -> Ints:
        """Element of each of some leaves, counted from 0."""
        return self.into[leaves if self.source is None else self.source.of_leaves(leaves)]


@dataclass(frozen=True)
class Cube:
    """Cuboids, finest first, the total last; E elements over S leaves of D dimensions."""

    leaves: int
    width: int
    cuboids: tuple[Cuboid, ...]
    size: Ints
    """int64[E]: how many dimensions each element names."""

    def __len__(self) -> int:
        return len(self.size)

    @classmethod
    def of(cls, codes: Codes) -> Cube:
        """The cube of leaves [S, D]; where all cuboids would be too many, those of few dimensions."""
        count, width = codes.shape
        built: list[Cuboid] = []
        start = 0
        for dimensions in _wanted(count, width):
            made = _cuboid(dimensions, start, codes, built)
            built.append(made)
            start += len(made.codes)
        size = np.concatenate([np.full(len(c.codes), len(c.dimensions), dtype=np.int64) for c in built])
        return cls(count, width, tuple(built), size)

    def sums(self, values: Floats) -> Floats:
        """Sums [K, E] of leaf values [K, S]."""
        out = np.empty((len(values), len(self)))
        for cuboid in self.cuboids:
            below = values if cuboid.source is None else out[:, cuboid.source.place]
            for row, part in zip(out[:, cuboid.place], below, strict=True):
                if len(cuboid.codes) == len(cuboid.into):
                    row[cuboid.into] = part
                    continue
                row[:] = np.bincount(cuboid.into, weights=part, minlength=len(cuboid.codes))
        return out

    def subtract(self, sums: Floats, values: Floats, leaves: Ints) -> None:
        """Take some leaves' values [K, S] out of sums [K, E], in place."""
        if k.CUBE_SPARSE * len(leaves) > self.leaves:
            gone = np.zeros_like(values)
            gone[:, leaves] = values[:, leaves]
            sums -= self.sums(gone)
            return
        part = values[:, leaves]
        at: dict[tuple[int, ...], Ints] = {}
        for cuboid in self.cuboids:
            where = cuboid.into[leaves if cuboid.source is None else at[cuboid.source.dimensions]]
            at[cuboid.dimensions] = where
            few = 4 * len(leaves) < len(cuboid.codes)
            for row, value in zip(sums[:, cuboid.place], part, strict=True):
                if few:
                    np.subtract.at(row, where, value)
                else:
                    row[:] = row - np.bincount(where, weights=value, minlength=len(cuboid.codes))

    def cuboid_of(self, element: int) -> Cuboid:
        """The cuboid in which an element stands."""
        return next(c for c in reversed(self.cuboids) if c.start <= element)

    def codes_of(self, element: int) -> tuple[int, ...]:
        """Codes over all dimensions, ANY where not named."""
        cuboid = self.cuboid_of(element)
        named = dict(zip(cuboid.dimensions, cuboid.codes[element - cuboid.start], strict=True))
        return tuple(int(named.get(d, ANY)) for d in range(self.width))

    def without(self, element: int, dimension: int) -> int:
        """The element that names one dimension less."""
        cuboid = self.cuboid_of(element)
        kept = [i for i, d in enumerate(cuboid.dimensions) if d != dimension]
        wanted = tuple(cuboid.dimensions[i] for i in kept)
        wider = next(c for c in self.cuboids if c.dimensions == wanted)
        match = (wider.codes == cuboid.codes[element - cuboid.start, kept]).all(axis=1)
        return wider.start + int(np.argmax(match))

    def members(self, element: int) -> NDArray[np.bool_]:
        """bool[S]: the leaves of an element."""
        cuboid = self.cuboid_of(element)
        return np.asarray(cuboid.of_leaves(slice(None)) == element - cuboid.start)


def _wanted(leaves: int, width: int) -> list[tuple[int, ...]]:
    """Sets of dimensions, largest first, in the order of the dimensions among those of one size."""
    deepest = width if leaves << width <= k.CUBE_CELLS else min(width, k.CAUSE_DIMENSIONS)
    return [chosen for size in range(deepest, -1, -1) for chosen in combinations(range(width), size)]


def _cuboid(dimensions: tuple[int, ...], start: int, codes: Codes, built: Sequence[Cuboid]) -> Cuboid:
    wider = [c for c in built if len(c.dimensions) == len(dimensions) + 1 and set(dimensions) < set(c.dimensions)]
    source = min(wider, key=lambda c: len(c.codes), default=None)
    if source is None:
        below = codes[:, list(dimensions)]
    else:
        below = source.codes[:, [source.dimensions.index(d) for d in dimensions]]
    into, first = _numbered(below)
    return Cuboid(dimensions, start, below[first], source, into)


def _numbered(codes: Codes) -> tuple[Ints, Ints]:
    """(place of each row among the distinct rows, a row of each), distinct rows in the order of their codes."""
    key = np.zeros(len(codes), dtype=np.int64)
    reach = 1
    for column in codes.T:
        wide = int(column.max(initial=0)) + 1
        if reach * wide >= 2**62:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            reach = len(codes)
        key = key * wide + column
        reach *= wide
    if reach > 4 * len(codes) + 1_000:
        _, first, into = np.unique(key, return_index=True, return_inverse=True)
        return into.astype(np.int64), first.astype(np.int64)
    # Few possible keys: marking them is much cheaper than sorting rows.
    first = np.full(reach, -1, dtype=np.int64)
    first[key[::-1]] = np.arange(len(key) - 1, -1, -1)
    present = first >= 0
    return (np.cumsum(present) - 1)[key], first[present]
