"""Two published methods, written anew from their descriptions, to stand beside ours in one run.

Adtributor (Bhagwan et al., NSDI 2014) looks at one dimension at a time; the other scores every element by how its leaves
fall on both sides of a cut through all leaves' deviations, as RiskLoc does (Kalander 2022). The second one works
on our own cube, so that its time is not that of a data frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.localizing.cases import Element
from monitor.lattice import ANY
from monitor.localize.cells import Cells
from monitor.localize.cube import Cube

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Adtributor's and RiskLoc's own defaults.
EXPLAINS_LEAST = 0.1
"""Share of the total's change that an element must explain."""
EXPLAINS_TOGETHER = 0.67
DIMENSIONS_TOLD = 3
CUT_OUTLIERS = 5
RISK_LEAST = 0.5
SHARE_LEAST = 0.02


def adtributor(cells: Cells) -> list[tuple[Element, ...]]:
    """One set of elements per dimension, the most surprising dimension first."""
    answers: list[tuple[float, tuple[Element, ...]]] = []
    seen, normal = cells.observed, cells.expected
    change = float(seen.sum() - normal.sum()) or 1e-12
    for d in range(cells.codes.shape[1]):
        v, f = (np.bincount(cells.codes[:, d], weights=part) for part in (seen, normal))
        surprise = _surprise(f / max(f.sum(), 1e-12), v / max(v.sum(), 1e-12))
        share = (v - f) / change
        chosen: list[int] = []
        for e in np.argsort(-surprise, kind="stable"):
            if share[e] > EXPLAINS_LEAST:
                chosen.append(int(e))
            if share[chosen].sum() > EXPLAINS_TOGETHER:
                names = tuple(tuple(e if i == d else ANY for i in range(cells.codes.shape[1])) for e in chosen)
                answers.append((float(surprise[chosen].sum()), names))
                break
    return [names for _, names in sorted(answers, key=lambda item: -item[0])[:DIMENSIONS_TOLD]]


def _surprise(p: Floats, q: Floats) -> Floats:
    """Jensen-Shannon divergence of each element's share."""
    middle = np.maximum((p + q) / 2.0, 1e-300)
    parts = (0.5 * x * np.log(np.maximum(x, 1e-300) / middle) for x in (p, q))
    return np.asarray(sum(parts))


@dataclass
class _Left:
    """Leaves not yet explained, with what each says."""

    cells: Cells
    deviation: Floats
    weight: Floats
    bad: Bools
    gain: Floats


def leaf_scores(cells: Cells, cube: Cube) -> list[tuple[Element, ...]]:
    """Elements one by one: the first layer that holds a risky one wins, there the one that explains most."""
    v, f = cells.observed, cells.expected
    deviation = 2.0 * (f - v) / np.maximum(f + v, 1e-300)
    cut = _cut(deviation)
    bad = (deviation > cut) if cut >= 0 else (deviation < cut)
    weight = np.minimum(np.where(bad, np.abs(deviation), np.abs(cut - deviation)), 1.0) * (v + f > 0)
    gain = f - v if (f - v)[bad].sum() >= 0 else v - f
    left = _Left(cells, deviation, weight, bad, gain)
    least = SHARE_LEAST * float(gain[bad].sum())
    free = np.ones(len(v), dtype=bool)
    found: list[tuple[Element, ...]] = []
    while gain[bad & free].sum() >= max(least, 1e-12):
        element = _riskiest(left, cube, free, least)
        if element is None:
            break
        found.append((cube.codes_of(element),))
        free &= ~cube.members(element)
    return found


def _cut(deviation: Floats) -> float:
    """The shorter tail, mirrored, without its few most extreme values: what noise alone reaches."""
    values = np.unique(deviation)
    if len(values) <= 2 * CUT_OUTLIERS:
        return 0.0
    low, high = float(values[CUT_OUTLIERS]), float(values[-CUT_OUTLIERS - 1])
    return -low if abs(low) < abs(high) else -high


def _riskiest(left: _Left, cube: Cube, free: Bools, least: float) -> int | None:
    v, f = left.cells.observed, left.cells.expected
    both = free & (v > 0) & (f > 0)
    gain, hot, cold, bad, seen, normal, count, apart = cube.sums(
        np.stack(
            [
                left.gain * free,
                left.weight * (left.bad & free),
                left.weight * (~left.bad & free),
                (left.bad & free).astype(float),
                v * both,
                f * both,
                both.astype(float),
                np.abs(left.deviation) * both,
            ]
        )
    )
    high = hot / (hot + cold + 1.0)
    possible = (bad > 0) & (gain > least) & (high >= RISK_LEAST) & (cube.size > 0)
    for layer in range(1, cube.width + 1):
        candidates = np.flatnonzero(possible & (cube.size == layer))
        for element in candidates[np.argsort(-gain[candidates], kind="stable")]:
            # How far its leaves differ from one common ratio, against how far they differ from the forecast.
            inside = cube.members(int(element)) & both
            adjusted = f[inside] * seen[element] / max(float(normal[element]), 1e-300)
            spread = np.abs(2.0 * (adjusted - v[inside]) / np.maximum(adjusted + v[inside], 1e-300)).sum()
            low = spread / apart[element] if count[element] and apart[element] > 0 else 0.0
            if high[element] - low >= RISK_LEAST:
                return int(element)
    return None
