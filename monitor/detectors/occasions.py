"""Buckets that some leaves expect to be unlike their place of the week, and what is expected of them then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import Lattice
from monitor.statistics import constants as k
from monitor.statistics.level import cumulate, newest_sums, newest_trailing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Occasion:
    """A holiday or a planned event over the leaves [S] and buckets [T] of a view."""

    name: str
    inside: Bools
    """[S]: the leaves it concerns."""
    share: Floats
    """[T]: how much of each bucket it fills, 0 to 1."""
    weekday: int | None = None
    """The day of the week that is expected instead, 0 is Monday; None is the bucket's own."""
    factor: float = 1.0
    """What is expected beside the ordinary."""
    known: bool = True
    """False where nobody knows what to expect: such cells are not judged, and end nothing."""

    @property
    def columns(self) -> Ints:
        """The buckets it touches."""
        return np.flatnonzero(self.share > 0)


@dataclass(frozen=True)
class Occasions:
    """All occasions of a view; none of them on most days."""

    items: tuple[Occasion, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items)

    def touched(self, leaves: int, buckets: int) -> Bools:
        """[S, T]: cells of any occasion. They teach nothing about ordinary days."""
        return _cells(self.items, leaves, buckets)

    def unknown(self, leaves: int, buckets: int) -> Bools:
        """[S, T]: cells of which nobody knows what to expect."""
        return _cells(tuple(item for item in self.items if not item.known), leaves, buckets)

    def seasonal(self, profile: Floats, position: Ints, per_day: int) -> Floats:
        """[S, T] from a profile [S, positions] and the place of the week of each bucket [T].

        A holiday follows its rest day at the same time of day; then planned events multiply.
        """
        out = np.array(profile[:, position])
        for item in self.items:
            if item.weekday is not None:
                place = item.weekday * per_day + position[item.columns] % per_day
                out[np.ix_(item.inside, item.columns)] = profile[np.ix_(item.inside, place)]
        for item in self.items:
            out[np.ix_(item.inside, item.columns)] *= 1.0 + (item.factor - 1.0) * item.share[item.columns]
        return out

    def names(self, members: Bools, first: int) -> tuple[str, ...]:
        """Occasions of any of these leaves [S] from column `first` on, each once, in the order of time."""
        near = [item for item in self.items if (item.inside & members).any() and (item.columns >= first).any()]
        return tuple(dict.fromkeys(item.name for item in sorted(near, key=lambda item: int(item.columns[-1]))))


def _cells(items: tuple[Occasion, ...], leaves: int, buckets: int) -> Bools:
    cells = np.zeros((leaves, buckets), dtype=bool)
    for item in items:
        cells[np.ix_(item.inside, item.columns)] = True
    return cells


def uncertainty(touched: Bools, expected: Floats, lattice: Lattice, windows: tuple[int, ...], span: int) -> Floats:
    """Dispersion [N, W] to add to windows that end with the newest bucket, for cells [S, T] of occasions.

    What is expected of an occasion is wrong by a factor of its own, with variance OCCASION_ALPHA, alike for all of
    its cells: a window of which they are a share s gets s^2 of it. So does the level, where its days were occasions.
    """
    part, whole = cumulate(lattice.rollup(np.where(touched, expected, 0.0))), cumulate(lattice.rollup(expected))
    columns = []
    for width in windows:
        within = newest_sums(part, width) / np.maximum(newest_sums(whole, width), 1e-9)
        before = newest_trailing(part, width, span) / np.maximum(newest_trailing(whole, width, span), 1e-9)
        columns.append(k.OCCASION_ALPHA * (within**2 + before**2))
    return np.stack(columns, axis=1)
