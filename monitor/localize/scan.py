"""How well each element of each cuboid explains a change: a scan, for losses and growths, counts and ratios alike.

Leaves are divided by how much wider than Poisson counts they scatter; such effective counts add up. An element's
score is twice the log-likelihood ratio of "inside moved by its own ratio" against "inside followed the outside"
(Kulldorff 1997, "A spatial scan statistic") in its square-root form 4 (sqrt V - sqrt F)^2 (Freeman & Tukey 1950), which
is finite for a total loss and for events where none were expected, and the same when V and F change places.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import ANY
from monitor.localize.cells import Cells
from monitor.localize.cube import Cube
from monitor.statistics import constants as k

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

V, F, LOSS, GROWTH, LEAVES, ASKED, CAME, WANTED = range(8)
"""Rows of the sums: effective observed V and expected F, V^2/F and F^2/V, leaves; where leaves are asked about, these,
and observed and expected events."""


class Scan:
    """Sums of a cube's elements over the leaves that are not yet explained; the total is the last element.

    `free` [S] are those leaves; `within` [S] are leaves that are asked about.
    """

    def __init__(self, cube: Cube, cells: Cells, free: Bools | None = None, within: Bools | None = None) -> None:
        self.cube = cube
        self.cells = cells
        self.free = np.ones(cube.leaves, dtype=bool) if free is None else free.copy()
        v, f = (np.where(self.free, part, 0.0) for part in cells.effective())
        rows = [v, f, v * _capped(v, f), f * _capped(f, v), ((v > 0) | (f > 0)).astype(float)]
        if within is not None:
            rows.append((within & self.free).astype(float))
            rows += [np.where(self.free, part, 0.0) for part in (cells.observed, cells.expected)]
        self._rows = np.stack(rows)
        self.sums = cube.sums(self._rows)

    @property
    def total(self) -> int:
        """The element that holds every leaf."""
        return len(self.cube) - 1

    @property
    def enough(self) -> float:
        """Score beyond which chance among so many elements is no explanation."""
        return float(k.STOP_Z**2 + 2.0 * np.log(len(self.cube)))

    def remove(self, members: Bools) -> None:
        """Take leaves [S] out: they are explained."""
        leaves = np.flatnonzero(members & self.free)
        self.cube.subtract(self.sums, self._rows, leaves)
        np.maximum(self.sums, 0.0, out=self.sums)
        self.free[leaves] = False

    def scores(self, *, down: bool | None = None, least: float = 0.0) -> Floats:
        """[E]: score of each element that moved the asked way by at least `least`, its leaves alike; 0 of the others."""
        v, f = self.sums[V], self.sums[F]
        yardstick = beside(v, f, self._outside(v, f))
        falls = v < np.minimum(yardstick, (1.0 - least) * f)
        grows = v > np.maximum(yardstick, (1.0 + least) * f)
        right = (falls | grows) if down is None else falls if down else grows
        score = score_of(v, yardstick)
        return np.where(right & self.alike(slice(None), score) & self.moved(slice(None), least), score, 0.0)

    def moved(self, place: slice | int, least: float) -> Bools:
        """Whether the events themselves, not only effective counts, moved by `least`: a few large leaves may not have."""
        if len(self.sums) <= WANTED or not least:
            return np.ones(np.shape(self.sums[V, place]), dtype=bool)
        came, wanted = self.sums[CAME, place], self.sums[WANTED, place]
        return np.asarray(np.abs(came - wanted) >= least * wanted)

    def _outside(self, v: Floats, f: Floats) -> Floats:
        """[E]: observed/expected of what is outside each element; 1 where that is nothing."""
        rest_f = f[-1] - f
        return np.where(rest_f > k.OUTSIDE_LEAST * f[-1], rest_ratio(v[-1] - v, rest_f), 1.0)

    def alike(self, place: slice, score: Floats) -> Bools:
        """Whether the leaves of each element at `place` moved by one ratio, as far as their noise lets one say."""
        v, f, loss, growth, leaves = (self.sums[row, place] for row in (V, F, LOSS, GROWTH, LEAVES))
        apart = np.where(v < f, loss - v * v / np.maximum(f, 1e-12), growth - f * f / np.maximum(v, 1e-12))
        return np.asarray(apart - leaves <= k.HOMOGENEITY * score)

    def ratio(self, elements: Ints) -> Floats:
        """Observed/expected of some elements, in effective counts; never 0."""
        v, f = self.sums[V, elements], self.sums[F, elements]
        return np.asarray(np.maximum(v, 1e-3) / np.maximum(f, 1e-3))

    def best(self, score: Floats, least: float) -> int | None:
        """Element of the best score, the total only where no other reaches `least`; None where nothing does.

        Of near-equal ones (complements, other names) the ratio farther from 1, then fewer dimensions, then the rule's
        first ones.
        """
        named = score[:-1]
        top = float(named.max(initial=0.0))
        if top <= 0.0 or top < least:
            whole = float(score[-1])
            return self.total if whole > 0.0 and whole >= least else None
        near = np.flatnonzero(named >= 0.999 * top)
        away = np.round(np.abs(np.log(self.ratio(near))), 3)
        return int(near[np.lexsort((near, self.cube.size[near], -away))[0]])

    def whole_moved(self, elements: list[int]) -> bool:
        """Whether what lies outside some elements moved more like them than like what was expected."""
        v, f = (float(self.sums[row, elements].sum()) for row in (V, F))
        rest_v, rest_f = float(self.sums[V, -1]) - v, float(self.sums[F, -1]) - f
        if rest_f <= k.OUTSIDE_LEAST * f:
            return False
        outside = rest_v / rest_f
        return abs(outside - v / max(f, 1e-9)) < abs(outside - 1.0)

    def broadened(self, element: int) -> int:
        """Drop a dimension as long as what that adds moved like the inside rather than like the outside.

        Where nearly all of a browser runs on one OS the pair scores like the browser alone; the broader name is
        the cause if the little that it adds is bad too.
        """
        named = [d for d, code in enumerate(self.cube.codes_of(element)) if code != ANY]
        for d in named if len(named) > 1 else ():
            wider = self.cube.without(element, d)
            if self._adds_alike(element, wider):
                return self.broadened(wider)
        return element

    def _adds_alike(self, element: int, wider: int) -> bool:
        v, f = self.sums[V], self.sums[F]
        extra_v, extra_f = float(v[wider] - v[element]), float(f[wider] - f[element])
        if extra_f <= 1e-9 * float(f[wider]):
            return False
        rest = float(rest_ratio(v[-1] - v[wider], f[-1] - f[wider]))
        ratio, inside = extra_v / extra_f, float(v[element] / max(float(f[element]), 1e-12))
        # What merely did not take part in the others' growth is no part of a loss.
        rest = min(rest, 1.0) if inside < 1.0 else max(rest, 1.0)
        return abs(ratio - inside) < abs(ratio - rest)


def score_of(v: Floats, yardstick: Floats) -> Floats:
    """Freeman-Tukey deviance of effective counts `v` where `yardstick` were to be expected."""
    return np.asarray(4.0 * (np.sqrt(v) - np.sqrt(yardstick)) ** 2)


def rest_ratio(v: Floats, f: Floats) -> Floats:
    """Observed/expected of what is left, drawn a little towards 1 where that is nearly nothing."""
    return np.asarray((np.maximum(v, 0.0) + 0.5) / (np.maximum(f, 0.0) + 0.5))


def beside(v: Floats, f: Floats, outside: Floats) -> Floats:
    """What an element would show had it followed the outside, as far as that moved the element's own way.

    Of two halves, one of which is gone, the other stands out as much; it has not grown, though.
    """
    return np.asarray(f * np.where(v < f, np.minimum(outside, 1.0), np.maximum(outside, 1.0)))


def _capped(part: Floats, whole: Floats) -> Floats:
    """part/whole, held where a leaf that hardly was expected would outweigh all others."""
    return np.minimum(part / np.maximum(whole, 1e-300), k.RATIO_CAP)
