"""Which slice explains a change best: a scan over all elements of all cuboids.

The score is the weighted form of an over-dispersed log-likelihood ratio of "inside moved by its own ratio" against
"inside followed the outside" (Kulldorff 1997, "A spatial scan statistic"); an element qualifies only if its
leaves moved alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import ANY, group
from monitor.statistics import constants as k
from monitor.statistics.common_mode import weighted_median

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """Leaves over one stretch of time: codes int32[S, D], observed, expected and dispersion alpha [S].

    `noise` scales every variance: how much more the middle of the leaves scatters than alpha says.
    """

    codes: NDArray[np.int32]
    observed: Floats
    expected: Floats
    alpha: Floats
    noise: float = 1.0

    @property
    def weight(self) -> Floats:
        """[S]: inverse relative variance."""
        return np.asarray(self.expected / (self.noise * (1.0 + self.alpha * self.expected)))


@dataclass(frozen=True)
class Candidate:
    """One element: its codes (ANY where not named), score in nats-like units, and ratio observed/expected."""

    codes: tuple[int, ...]
    score: float
    ratio: float
    members: Bools


Scored = tuple[float, float, tuple[int, ...], NDArray[np.int64], int]
"""(score, ratio, dimensions, element of each leaf, element)"""


def robust_noise(codes: NDArray[np.int32], observed: Floats, expected: Floats, alpha: Floats) -> Cells:
    """Cells whose noise is raised to what the middle of the leaves shows (MAD), where they show more."""
    usable = expected >= 1.0
    if usable.sum() < 20:
        return Cells(codes, observed, expected, alpha)
    y, f = observed[usable], expected[usable]
    ratio = float(np.clip(weighted_median(y / f, np.sqrt(f)), *k.COMMON_CLIP))
    square = (y - ratio * f) ** 2 / (ratio * f + alpha[usable] * (ratio * f) ** 2)
    return Cells(codes, observed, expected, alpha, float(np.clip(np.median(square) / 0.455, 1.0, 4.0)))


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


def best(cells: Cells, free: Bools, within: Bools, *, down: bool, least: float = 0.0) -> Candidate | None:
    """The homogeneous element of best score that moves the asked way, or None if nothing stands out.

    Where no score stands clear of chance, the best among those that hold all of `within` is the answer: that
    something is wrong there is known, and a wider name may hold more of it.

    `free` [S] are leaves not yet explained; `within` [S] are leaves of which a cause must hold at least one;
    `least` is the smallest relative change of a cause.
    """
    codes = cells.codes
    w = np.where(free, cells.weight, 0.0)
    safe = np.maximum(cells.expected, 1e-9)
    x = np.where(free, cells.observed / safe, 0.0)
    found: list[Scored] = []
    holding: list[Scored] = []
    asked = within & free
    elements = 0
    dims = codes.shape[1]
    for size in range(min(dims, k.CAUSE_DIMENSIONS) + 1):
        for chosen in combinations(range(dims), size):
            member, _ = group(codes, chosen)
            score, ratio, outside, same = _scores(
                member, w, x, cells.observed * free, cells.expected * free, alone=size == 0
            )
            held = np.bincount(member, weights=asked, minlength=len(score))
            # Beside the rest as well: of two halves, one of which is gone, the other stands out as much.
            right = (ratio < np.minimum(outside, 1.0)) if down else (ratio > np.maximum(outside, 1.0))
            right &= (ratio <= 1.0 - least) if down else (ratio >= 1.0 + least)
            score = np.where(same & (held > 0) & right, score, 0.0)
            elements += len(score)
            found.extend((float(score[e]), float(ratio[e]), chosen, member, e) for e in _near(score))
            score = np.where(held == asked.sum(), score, 0.0)
            holding.extend((float(score[e]), float(ratio[e]), chosen, member, e) for e in _near(score))
    enough = k.STOP_Z**2 + 2.0 * np.log(max(elements, 1))
    chosen_one = _choose(found, codes, enough) or _choose(holding, codes, 0.0)
    return None if chosen_one is None else _broaden(chosen_one, codes, w, x, cells, free)


def _broaden(found: Candidate, codes: NDArray[np.int32], w: Floats, x: Floats, cells: Cells, free: Bools) -> Candidate:
    """Drop a dimension as long as what that adds moved like the inside rather than like the outside.

    Where nearly all of a browser runs on one OS the pair scores like the browser alone; the broader name is
    the cause if the little that it adds is bad too.
    """
    named = [d for d, code in enumerate(found.codes) if code != ANY]
    for d in named if len(named) > 1 else ():
        wider = tuple(ANY if i == d else code for i, code in enumerate(found.codes))
        members = np.ones(len(codes), dtype=bool)
        for i, code in enumerate(wider):
            if code != ANY:
                members &= codes[:, i] == code
        extra = members & ~found.members & free
        weight = float(w[extra].sum())
        if weight == 0.0:
            continue
        outside = free & ~members
        rest = (
            float((cells.observed[outside].sum() + 1.0) / (cells.expected[outside].sum() + 1.0))
            if outside.any()
            else 1.0
        )
        ratio = float(w[extra] @ x[extra]) / weight
        if abs(ratio - found.ratio) < abs(ratio - rest):
            seen, normal = cells.observed[members & free].sum(), cells.expected[members & free].sum()
            broader = Candidate(wider, found.score, float(seen / max(normal, 1e-9)), members)
            return _broaden(broader, codes, w, x, cells, free)
    return found


def _near(score: Floats) -> list[int]:
    """Elements within a thousandth of the cuboid's best: halves of one whole score alike."""
    top = float(score.max())
    return [int(e) for e in np.flatnonzero(score >= 0.999 * top)[:8]] if top > 0 else []


def _scores(
    member: NDArray[np.int64], w: Floats, x: Floats, v: Floats, f: Floats, *, alone: bool
) -> tuple[Floats, Floats, Floats, Bools]:
    """(score, plain ratio, the rest's ratio, homogeneous?) of each element of one cuboid.

    Outside an element the rest's own ratio is the yardstick; for the total there is no outside, so it is 1.
    """
    sum_w = np.bincount(member, weights=w)
    sum_wx = np.bincount(member, weights=w * x)
    sum_wxx = np.bincount(member, weights=w * x * x)
    inside_v, inside_f = np.bincount(member, weights=v), np.bincount(member, weights=f)
    count = np.bincount(member, weights=(w > 0))
    rest_f = f.sum() - inside_f
    outside = (
        np.ones(len(sum_w))
        if alone
        else np.where(rest_f > 1e-6 * f.sum(), (v.sum() - inside_v) / np.maximum(rest_f, 1e-9), 1.0)
    )
    outside = np.clip(outside, 0.05, 20.0)
    ratio = inside_v / np.maximum(inside_f, 1e-9)
    score = (sum_wx / outside - sum_w) ** 2 / np.maximum(sum_w, 1e-12)
    residual = (sum_wxx - sum_wx**2 / np.maximum(sum_w, 1e-12)) / outside**2
    same = residual - count <= k.HOMOGENEITY * score
    return score, ratio, outside, same & (sum_w > 0)


def _choose(found: list[Scored], codes: NDArray[np.int32], enough: float) -> Candidate | None:
    """Best score; of near-equal ones (complements, other names) the ratio farther from 1, then fewer dimensions."""
    top = max((score for score, *_ in found), default=0.0)
    if not found or top < enough:
        return None
    near = [item for item in found if item[0] >= 0.999 * top]
    score, ratio, chosen, member, element = max(
        near, key=lambda item: (round(abs(np.log(max(item[1], 1e-3))), 3), -len(item[2]), [-d for d in item[2]])
    )
    inside = member == element
    first = int(np.argmax(inside))
    named = tuple(int(codes[first, d]) if d in chosen else ANY for d in range(codes.shape[1]))
    return Candidate(named, score, ratio, inside)
