"""Which slices explain a change best: a scan over all elements of all cuboids, for counts and ratios alike.

Each leaf's observed and expected events are divided by how much wider than Poisson they scatter; such effective
counts add up. An element's score is twice the log-likelihood ratio of "inside moved by its own ratio" against "inside
followed the outside" (Kulldorff 1997, "A spatial scan statistic") in its square-root form 4 (sqrt V - sqrt F)^2
(Freeman & Tukey 1950), which is finite for a total loss and for events where none were expected, and treats a loss and
a growth alike. An element qualifies only if its leaves moved alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import ANY
from monitor.localize.cube import Cube
from monitor.statistics import constants as k
from monitor.statistics.common_mode import weighted_median

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """Leaves over one stretch of time: codes int32[S, D], observed and expected [S].

    The variance of a leaf that moved like its expectation m is noise m (1 + alpha m); `alpha` [S], `noise` a number
    or [S].
    """

    codes: NDArray[np.int32]
    observed: Floats
    expected: Floats
    alpha: Floats
    noise: float | Floats = 1.0

    def effective(self) -> tuple[Floats, Floats]:
        """(observed, expected) [S] in units whose noise is that of a Poisson count."""
        # Both by the larger of the two, so that a loss and a growth weigh alike and an unexpected leaf weighs at all.
        spread = self.noise * (1.0 + self.alpha * np.maximum(self.observed, self.expected))
        return self.observed / spread, self.expected / spread


@dataclass(frozen=True)
class Candidate:
    """One element: its codes (ANY where not named), score, ratio observed/expected, and leaves [S].

    `also` are the codes of other elements with the same leaves.
    """

    codes: tuple[int, ...]
    score: float
    ratio: float
    members: Bools
    also: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Elements of one cuboid that moved the same way, the score of them together, and what else it might have been.

    `instead` are single elements, best first, that would have explained the same change second best.
    """

    elements: tuple[Candidate, ...]
    score: float
    instead: tuple[Candidate, ...]


def robust_noise(codes: NDArray[np.int32], observed: Floats, expected: Floats, alpha: Floats) -> Cells:
    """Cells whose noise is raised to what the middle of the leaves shows (MAD), where they show more."""
    usable = expected >= 1.0
    if usable.sum() < 20:
        return Cells(codes, observed, expected, alpha)
    y, f = observed[usable], expected[usable]
    ratio = float(np.clip(weighted_median(y / f, np.sqrt(f)), *k.COMMON_CLIP))
    square = (y - ratio * f) ** 2 / (ratio * f + alpha[usable] * (ratio * f) ** 2)
    return Cells(codes, observed, expected, alpha, float(np.clip(np.median(square) / k.MEDIAN_CHI2, 1.0, 4.0)))


def dispersion_by_volume(volume: Floats, alpha: Floats, wanted: Floats) -> Floats:
    """Dispersion [S] of leaves of `wanted` volume, from slices whose volume and alpha are known.

    Medians over classes of volume, interpolated in its logarithm.
    """
    usable = volume > 0
    if not usable.any():
        return np.full(len(wanted), k.COLD_ALPHA)
    order = np.argsort(volume[usable], kind="stable")
    parts = np.array_split(order, min(k.POOL_CLASSES, max(1, len(order) // 10)))
    centre = np.array([np.log(np.median(volume[usable][part])) for part in parts])
    middle = np.array([np.median(alpha[usable][part]) for part in parts])
    return np.asarray(np.interp(np.log(np.maximum(wanted, 1e-9)), centre, middle))


V, F, LOSS, GROWTH, LEAVES, ASKED = range(6)
"""Rows of the sums: effective observed and expected, their squares over each other, leaves, leaves asked for."""


class Scan:
    """The sums of a cube's elements over the leaves that are not yet explained."""

    def __init__(self, cube: Cube, cells: Cells, free: Bools, within: Bools | None = None) -> None:
        self.cube = cube
        self.cells = cells
        self.free = free.copy()
        v, f = (np.where(free, part, 0.0) for part in cells.effective())
        rows = [v, f, v * _capped(v, f), f * _capped(f, v), (v + f > 0).astype(float)]
        if within is not None:
            rows.append((within & free).astype(float))
        self._rows = np.stack(rows)
        self.sums = cube.sums(self._rows)

    def remove(self, members: Bools) -> None:
        """Take leaves out: they are explained."""
        leaves = np.flatnonzero(members & self.free)
        self.cube.subtract(self.sums, self._rows, leaves)
        np.maximum(self.sums, 0.0, out=self.sums)
        self.free[leaves] = False

    def scores(self, *, down: bool | None = None, least: float = 0.0) -> Floats:
        """[E]: score of each element that qualifies, 0 of the others."""
        v, f = self.sums[V], self.sums[F]
        outside = self._outside()
        # Beside the rest as well: of two halves, one of which is gone, the other stands out as much.
        yardstick = f * np.where(v < f, np.minimum(outside, 1.0), np.maximum(outside, 1.0))
        falls = v < np.minimum(yardstick, (1.0 - least) * f)
        grows = v > np.maximum(yardstick, (1.0 + least) * f)
        right = (falls | grows) if down is None else falls if down else grows
        score = form(v, yardstick)
        return np.where(right & self._alike(score), score, 0.0)

    def _outside(self) -> Floats:
        """[E]: observed/expected of what is outside each element; 1 where that is nothing."""
        v, f = (float(self.sums[row, -1]) for row in (V, F))
        rest = f - self.sums[F]
        ratio = (v - self.sums[V] + 0.5) / (np.maximum(rest, 0.0) + 0.5)
        return np.where(rest > k.OUTSIDE_LEAST * f, ratio, 1.0)

    def _alike(self, score: Floats) -> Bools:
        """Whether the leaves of each element moved by one ratio, as far as their noise lets one say."""
        v, f = np.maximum(self.sums[V], 1e-12), np.maximum(self.sums[F], 1e-12)
        apart = np.where(v < f, self.sums[LOSS] - v * v / f, self.sums[GROWTH] - f * f / v)
        return np.asarray(apart - self.sums[LEAVES] <= k.HOMOGENEITY * score)


def form(v,y):
    if k.FORM=='ft': return 4.0 * (np.sqrt(v) - np.sqrt(y)) ** 2
    if k.FORM=='gauss': return (v-y)**2/np.maximum(np.maximum(v,y),1e-12)
    if k.FORM=='rev':
        a=np.maximum(v,y)+1e-12;b=np.minimum(v,y)+1e-12
        return 2*(b*np.log(b/a)-b+a)
    if k.FORM=='fwd':
        return 2*(v*np.log((v+1e-12)/(y+1e-12))-v+y)


def _capped(part: Floats, whole: Floats) -> Floats:
    return np.minimum(part / np.maximum(whole, 1e-300), k.RATIO_CAP)


def enough(cube: Cube) -> float:
    """Score beyond which chance among so many elements is no explanation."""
    return float(k.STOP_Z**2 + 2.0 * np.log(max(len(cube), 1)))


def localize(
    cells: Cells, cube: Cube | None = None, *, down: bool | None = None, most: int = k.MOST_EXPLANATIONS
) -> tuple[Explanation, ...]:
    """What explains the change of all leaves, the strongest first; losses and growths alike.

    Each explanation is found among the leaves that the ones before it left over.
    """
    cube = Cube.of(cells.codes) if cube is None else cube
    scan = Scan(cube, cells, np.ones(cube.leaves, dtype=bool))
    found: list[Explanation] = []
    while len(found) < most:
        explanation = _explanation(scan, down, instead=k.ALTERNATIVES if not found else 0)
        if explanation is None:
            break
        found.append(explanation)
        for element in explanation.elements:
            scan.remove(element.members)
    return tuple(found)


def _explanation(scan: Scan, down: bool | None, instead: int) -> Explanation | None:
    score = scan.scores(down=down)
    whole = score[-1]
    score[-1] = 0.0
    lead = _lead(scan, score, enough(scan.cube))
    if lead is None:
        if whole < enough(scan.cube): return None
        score[-1] = whole
        together, total = [len(score) - 1], float(whole)
    else:
        together, total = _with_siblings(scan, score, lead)
        if whole > 0 and _moved_too(scan, together):
            score[-1] = whole
            together, total = [len(score) - 1], float(whole)
    others = _instead(scan, score, together, instead)
    return Explanation(tuple(_candidate(scan, e, score[e]) for e in together), total, others)


def _lead(scan: Scan, score: Floats, least: float) -> int | None:
    """Best element; of near-equal ones (complements, other names) the ratio farther from 1, then fewer dimensions."""
    top = float(score.max())
    if top <= 0.0 or top < least:
        return None
    near = np.flatnonzero(score >= 0.999 * top)
    away = np.round(np.abs(np.log(_ratio(scan, near))), 3)
    order = np.lexsort((near, scan.cube.size[near], -away))
    return int(near[order[0]])


def _ratio(scan: Scan, elements: Ints) -> Floats:
    return np.asarray(np.maximum(scan.sums[V, elements], 1e-3) / np.maximum(scan.sums[F, elements], 1e-3))


def _with_siblings(scan: Scan, score: Floats, lead: int) -> tuple[list[int], float]:
    """The best set of elements of the lead's cuboid that moved its way, and its score.

    Ordered by their ratio, the best set is a prefix (Neill 2012, "Fast subset scan for spatial pattern detection").
    """
    place = scan.cube.cuboid_of(lead).place
    v, f = scan.sums[V], scan.sums[F]
    falls = v[lead] < f[lead]
    same = score[place] >= max(enough(scan.cube), k.SIBLING * score[lead])
    rest = np.flatnonzero(same & ((v < f)[place] == falls)) + place.start
    rest = rest[rest != lead]
    if not len(rest):
        return [lead], float(score[lead])
    ratio = _ratio(scan, rest)
    order = np.concatenate(([lead], rest[np.argsort(ratio if falls else -ratio, kind="stable")]))
    inside_v, inside_f = np.cumsum(v[order]), np.cumsum(f[order])
    outside = (v[-1] - inside_v + 0.5) / (f[-1] - inside_f + 0.5)
    yardstick = inside_f * (np.minimum(outside, 1.0) if falls else np.maximum(outside, 1.0))
    total = form(inside_v, np.maximum(yardstick, 0))
    count = int(np.argmax(total)) + 1
    return [int(e) for e in order[:count]], float(total[count - 1])


def _moved_too(scan, together):
    v, f = (float(scan.sums[row, together].sum()) for row in (V, F))
    a, b = (float(scan.sums[row, -1]) for row in (V, F))
    if b-f < 1e-6*b: return False
    inside, outside = v / max(f,1e-9), max(a - v,0) / max(b - f,1e-9)
    inside, outside = (np.log(max(x,1e-2)) for x in (inside, outside))
    return abs(outside-inside) < abs(outside)


def _instead(scan: Scan, score: Floats, taken: list[int], most: int) -> tuple[Candidate, ...]:
    """The best single elements other than those taken, each set of leaves once."""
    if not most:
        return ()
    found: list[Candidate] = []
    seen = {_print(scan, e) for e in taken} if len(taken) == 1 else set()
    order = np.argsort(-score, kind="stable")[: 50 * most]
    ranked = sorted((int(e) for e in order if score[e] > 0), key=lambda e: (-score[e], scan.cube.size[e], e))
    for element in ranked:
        mark = _print(scan, element)
        if mark not in seen and len(found) < most:
            seen.add(mark)
            found.append(_candidate(scan, element, score[element]))
    return tuple(found)


def _print(scan: Scan, element: int) -> tuple[str, ...]:
    """What elements with the same leaves have in common."""
    return tuple(f"{value:.9g}" for value in scan.sums[:LEAVES + 1, element])


def _candidate(scan: Scan, element: int, score: float) -> Candidate:
    cube, sums = scan.cube, scan.sums[: LEAVES + 1]
    same = np.flatnonzero((np.abs(sums - sums[:, [element]]) <= 1e-9 * np.abs(sums[:, [element]])).all(axis=0))
    members = cube.members(element)
    seen, normal = (float(part[members & scan.free].sum()) for part in (scan.cells.observed, scan.cells.expected))
    also = tuple(cube.codes_of(int(e)) for e in same if e != element)
    return Candidate(cube.codes_of(element), float(score), seen / max(normal, 1e-9), members, also)
