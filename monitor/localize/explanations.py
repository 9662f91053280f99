"""Which elements explain a change: one function for counts and ratios, any number of dimensions, up to a million leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.localize.cells import Cells
from monitor.localize.cube import Cube, Cuboid
from monitor.localize.scan import ASKED, LEAVES, F, Scan, V, beside, rest_ratio, score_of
from monitor.statistics import constants as k

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidate:
    """One element: codes over the dimensions (ANY where not named), score, ratio observed/expected, leaves [S].

    `also` are the codes of other elements with the same leaves.
    """

    codes: tuple[int, ...]
    score: float
    ratio: float
    members: Bools
    also: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Elements of one cuboid that moved the same way, and their score together.

    `instead` are the single elements that would have explained the change next best, best first.
    """

    elements: tuple[Candidate, ...]
    score: float
    instead: tuple[Candidate, ...] = ()


def localize(
    cells: Cells,
    cube: Cube | None = None,
    *,
    down: bool | None = None,
    most: int = k.MOST_EXPLANATIONS,
    instead: int = 0,
) -> tuple[Explanation, ...]:
    """What explains the change of all leaves, the strongest first; None is both losses and growths.

    Each explanation is sought among the leaves that the ones before it left over. Whoever asks knows that something is
    wrong: the first is given however weak, the others only where chance would not do. The first says what else it might
    have been, up to `instead` elements.
    """
    scan = Scan(Cube.of(cells.codes) if cube is None else cube, cells)
    found: list[Explanation] = []
    while len(found) < most:
        score = scan.scores(down=down)
        lead = scan.best(score, scan.enough)
        if lead is None and not found:
            lead = scan.best(score, 0.0)
        if lead is None:
            break
        found.append(_explanation(scan, score, lead, 0 if found else instead))
        for element in found[-1].elements:
            scan.remove(element.members)
    return tuple(found)


def best(cube: Cube, cells: Cells, free: Bools, within: Bools, *, down: bool, least: float = 0.0) -> Candidate | None:
    """The element that explains best why `within` moved the asked way, or None if nothing stands out.

    Where no score stands clear of chance, the best among those that hold all of `within` is the answer: that
    something is wrong there is known, and a wider name may hold more of it.

    `free` [S] are leaves not yet explained; `within` [S] are leaves of which a cause must hold at least one;
    `least` is the smallest relative change of a cause.
    """
    scan = Scan(cube, cells, free, within)
    score = scan.scores(down=down, least=least)
    held = scan.sums[ASKED]
    found = scan.best(np.where(held > 0, score, 0.0), scan.enough)
    if found is None:
        asked = float((within & free).sum())
        found = scan.best(np.where(held >= asked, score, 0.0), 0.0)
    if found is None:
        return None
    if score[scan.total] > 0 and scan.whole_moved([found]):
        found = scan.total
    wider = scan.broadened(found)
    return _candidate(scan, wider if scan.moved(wider, least) else found, float(score[found]))


def _explanation(scan: Scan, score: Floats, lead: int, instead: int) -> Explanation:
    together, total = _best_set(scan, score, lead)
    if score[scan.total] > 0 and scan.whole_moved(together):
        together, total = [scan.total], float(score[scan.total])
    if len(together) == 1:
        together = [scan.broadened(together[0])]
    elements = tuple(_candidate(scan, e, float(score[e])) for e in together)
    return Explanation(elements, total, _instead(scan, score, together, instead))


def _best_set(scan: Scan, score: Floats, lead: int) -> tuple[list[int], float]:
    """The best set of elements of one cuboid, and its score: the lead, unless several together explain clearly more."""
    best_one, best_score, best_worth = [lead], float(score[lead]), float(score[lead])
    for cuboid in scan.cube.cuboids[:-1]:
        place = cuboid.place
        first = lead if place.start <= lead < place.stop else place.start + int(np.argmax(score[place]))
        if score[first] < k.SIBLING_LEAST * score[lead]:
            continue
        together, total = _with_siblings(scan, cuboid, first, float(score[first]))
        worth = total * k.SET_DISCOUNT ** (len(together) - 1)
        if worth > best_worth:
            best_one, best_score, best_worth = together, total, worth
    return best_one, best_score


def _with_siblings(scan: Scan, cuboid: Cuboid, first: int, alone: float) -> tuple[list[int], float]:
    """The best set of elements of a cuboid that moved like its first, and its score.

    Ordered by their ratio, the best set is a prefix (Neill 2012, "Fast subset scan for spatial pattern detection").
    """
    start = cuboid.start
    v, f = scan.sums[V, cuboid.place], scan.sums[F, cuboid.place]
    whole_v, whole_f = float(scan.sums[V, -1]), float(scan.sums[F, -1])
    siblings = _siblings(scan, cuboid, first, alone)
    if not len(siblings):
        return [first], alone
    falls = v[first - start] < f[first - start]
    ratio = scan.ratio(siblings + start)
    order = np.concatenate(([first - start], siblings[np.argsort(ratio if falls else -ratio, kind="stable")]))
    inside_v, inside_f = np.cumsum(v[order]), np.cumsum(f[order])
    outside = rest_ratio(whole_v - inside_v, whole_f - inside_f)
    total = score_of(inside_v, beside(inside_v, inside_f, outside))
    total[1:][inside_f[1:] > k.NEARLY_ALL * whole_f] = 0.0  # that would be the total under many names
    count = int(np.argmax(total)) + 1
    return [int(e) + start for e in order[:count]], float(total[count - 1])


def _siblings(scan: Scan, cuboid: Cuboid, first: int, alone: float) -> Ints:
    """Other elements of a cuboid, counted from its start, that stand out the first one's way once it is set aside."""
    at = first - cuboid.start
    v, f = scan.sums[V, cuboid.place], scan.sums[F, cuboid.place]
    outside = rest_ratio(scan.sums[V, -1] - v - v[at], scan.sums[F, -1] - f - f[at])
    yardstick = beside(v, f, outside)
    right = (v < yardstick) if v[at] < f[at] else (v > yardstick)
    score = np.where(right, score_of(v, yardstick), 0.0)
    good = (score >= max(scan.enough, k.SIBLING_LEAST * alone)) & scan.alike(cuboid.place, score)
    good[at] = False
    return np.flatnonzero(good)


def _instead(scan: Scan, score: Floats, taken: list[int], most: int) -> tuple[Candidate, ...]:
    """The best single elements other than the one taken, each set of leaves once."""
    if not most:
        return ()
    known = list(taken) if len(taken) == 1 else []
    found: list[int] = []
    several = min(20 * most, len(score))
    ranked = np.argpartition(-score, several - 1)[:several]
    for element in ranked[np.lexsort((ranked, scan.cube.size[ranked], -score[ranked]))]:
        if len(found) < most and score[element] > 0 and not np.isin(_same(scan, int(element)), known).any():
            found.append(int(element))
            known.append(int(element))
    return tuple(_candidate(scan, e, float(score[e])) for e in found)


def _same(scan: Scan, element: int) -> Ints:
    """Elements with the same leaves, itself among them: all their sums agree."""
    same = np.arange(len(scan.cube))
    for row in scan.sums[: LEAVES + 1]:
        value = row[element]
        same = same[np.abs(row[same] - value) <= 1e-9 * value]
    return same


def _candidate(scan: Scan, element: int, score: float) -> Candidate:
    cube = scan.cube
    members = cube.members(element)
    inside = members & scan.free
    seen, normal = float(scan.cells.observed[inside].sum()), float(scan.cells.expected[inside].sum())
    also = tuple(cube.codes_of(int(e)) for e in _same(scan, element) if e != element)
    return Candidate(cube.codes_of(element), score, seen / max(normal, 1e-9), members, also)
