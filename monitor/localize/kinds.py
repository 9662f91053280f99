"""Lost, moved or renamed: where the events of a cause went, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.lattice import ANY, Leaves
from monitor.statistics import constants as k
from monitor.statistics.common_mode import weighted_median

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """Leaves over a bad stretch: observed, expected [S], and the same in its first bucket.

    `known_before` [S] marks leaves with any event in the history.
    """

    observed: Floats
    expected: Floats
    first_observed: Floats
    first_expected: Floats
    known_before: Bools
    alpha: Floats


@dataclass(frozen=True)
class Destination:
    """Where lost events went: dimension index and code of the gaining sibling, and its leaves."""

    dimension: int
    code: int
    members: Bools
    share: float
    """Share of the loss that lies in cells whose gain equals it."""
    unseen: bool
    """The gainer had no event in the history: a rename."""


def destination(leaves: Leaves, codes: tuple[int, ...], members: Bools, stretch: Stretch) -> Destination | None:
    """The single sibling that gained, cell by cell, what the cause lost; None where there is none."""
    stretch = _beside_the_rest(stretch, members)
    found = [
        _match(leaves, codes, members, stretch, d, sibling)
        for d, code in enumerate(codes)
        if code != ANY
        for sibling in range(len(leaves.values[d]))
        if sibling != code
    ]
    good = [item for item in found if item is not None and item.share >= k.MOVED_SHARE]
    return max(good, key=lambda item: item.share, default=None)


def _beside_the_rest(stretch: Stretch, members: Bools) -> Stretch:
    """Expectations scaled by what the other leaves did in the middle: a busy day is no gain."""
    usable = ~members & (stretch.expected >= 5.0)
    if usable.sum() < k.COMMON_MIN_SLICES:
        return stretch
    ratio = weighted_median(stretch.observed[usable] / stretch.expected[usable], np.sqrt(stretch.expected[usable]))
    ratio = float(np.clip(ratio, *k.COMMON_CLIP))
    return replace(stretch, expected=stretch.expected * ratio, first_expected=stretch.first_expected * ratio)


def _match(
    leaves: Leaves, codes: tuple[int, ...], members: Bools, stretch: Stretch, d: int, sibling: int
) -> Destination | None:
    target = np.ones(len(leaves), dtype=bool)
    for i, code in enumerate(codes):
        wanted = sibling if i == d else code
        if wanted != ANY:
            target &= leaves.codes[:, i] == wanted
    if not target.any() or not _gained_enough(stretch, members, target):
        return None
    source_cells, target_cells = _cells(leaves, members, d), _cells(leaves, target, d)
    lost, gained, noise = _by_cell(stretch, members, target, source_cells, target_cells)
    total = np.maximum(lost, 0.0).sum()
    if total <= 0:
        return None
    # A cell says something only where its loss stands clear of both cells' noise.
    clear = lost >= 2.0 * noise
    equal = clear & (np.abs(gained - lost) <= 3.0 * noise) & (gained >= 0.5 * lost)
    share = float(np.maximum(lost, 0.0)[equal].sum() / total)
    return Destination(d, sibling, target, share, unseen=not stretch.known_before[target].any())


def _gained_enough(stretch: Stretch, members: Bools, target: Bools) -> bool:
    """The gain equals the loss within a fifth, and from the first bad bucket on."""
    lost = float((stretch.expected - stretch.observed)[members].sum())
    gained = float((stretch.observed - stretch.expected)[target].sum())
    first_lost = float((stretch.first_expected - stretch.first_observed)[members].sum())
    first_gained = float((stretch.first_observed - stretch.first_expected)[target].sum())
    return lost > 0 and abs(gained - lost) <= 0.25 * lost and first_gained >= 0.5 * first_lost


def _cells(leaves: Leaves, members: Bools, d: int) -> list[tuple[int, ...]]:
    """The other dimensions' codes of each member: what stays fixed when a value of `d` changes."""
    rest = np.delete(leaves.codes[members], d, axis=1)
    return [tuple(int(c) for c in row) for row in rest]


def _by_cell(
    stretch: Stretch,
    members: Bools,
    target: Bools,
    source_cells: list[tuple[int, ...]],
    target_cells: list[tuple[int, ...]],
) -> tuple[Floats, Floats, Floats]:
    """(lost, gained, noise sd) per cell of the source."""
    index = {cell: i for i, cell in enumerate(dict.fromkeys(source_cells))}
    lost, gained, variance = (np.zeros(len(index)) for _ in range(3))
    spread = stretch.expected + stretch.alpha * stretch.expected**2 + 1.0
    rows = np.array([index[cell] for cell in source_cells])
    np.add.at(lost, rows, (stretch.expected - stretch.observed)[members])
    np.add.at(variance, rows, spread[members])
    inside = np.array([cell in index for cell in target_cells])
    into = np.array([index[cell] for cell in target_cells if cell in index], dtype=np.int64)
    if len(into):
        np.add.at(gained, into, (stretch.observed - stretch.expected)[target][inside])
        np.add.at(variance, into, spread[target][inside])
    return lost, gained, np.sqrt(variance)
