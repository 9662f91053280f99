"""What a run of a detector found of the losses that were laid in, and what it raised beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.simulator import Loss, World
from monitor.lattice import Lattice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SAME = 0.5
"""Share of the smaller of two slices' events from which on they are the same matter."""
APART = 0.1
"""Share below which they have nothing to do with each other."""
EXACT = 0.95
"""Share of all events of two slices that both hold from which on they are one cause under two names."""
GAP = 3
"""Quiet buckets that do not end an episode."""


@dataclass(frozen=True)
class Told:
    """Something a person would have received: its leaves [S], and the column of the bucket that raised it."""

    members: Bools
    column: int


@dataclass(frozen=True)
class Found:
    """A loss, and the buckets from its start to the end of the one that told it; None where nobody was told."""

    loss: Loss
    delay: int | None


@dataclass(frozen=True)
class Score:
    """All losses with what became of them, and which of what was told has nothing to do with any loss."""

    found: tuple[Found, ...]
    false: tuple[Told, ...]
    told: int

    def recall(self, chosen: Callable[[Loss], bool] = lambda _: True) -> tuple[float, int]:
        """(share found, how many there were) of the chosen losses."""
        part = [item.delay is not None for item in self.found if chosen(item.loss)]
        return (float(np.mean(part)) if part else float("nan")), len(part)

    @property
    def delays(self) -> list[int]:
        return [item.delay for item in self.found if item.delay is not None]


def together(scores: Sequence[Score]) -> Score:
    """Several runs as one."""
    return Score(
        tuple(item for score in scores for item in score.found),
        tuple(item for score in scores for item in score.false),
        sum(score.told for score in scores),
    )


def score(world: World, told: Sequence[Told], *, after: int, corrected: Sequence[Told] = ()) -> Score:
    """Hold what was told against the losses; up to `after` buckets past its end a loss still explains an alarm.

    `corrected` are causes told in a thread that is there already: one that is a loss by its very leaves tells it.
    """
    size = world.counts.mean(axis=1)

    def heard(loss: Loss) -> list[Told]:
        return [*told, *(item for item in corrected if rightly_named(world, loss, [item]))]

    found = tuple(Found(loss, _delay(size, loss, heard(loss), after)) for loss in world.losses)
    false = tuple(item for item in told if not any(_touches(size, loss, item, after) for loss in world.losses))
    return Score(found, false, len(told))


def _delay(size: Floats, loss: Loss, told: Sequence[Told], after: int) -> int | None:
    """A cause that is (a part of) the loss or is widely taken up by it, told while it lasts or just after."""
    columns = [
        item.column
        for item in told
        if loss.start <= item.column < loss.stop + min(GAP, after)
        and _shared(size, loss, item) >= SAME * _smaller(size, loss, item)
        and _shared(size, loss, item) >= APART * float(size[item.members].sum())
    ]
    return min(columns) - loss.start + 1 if columns else None


def rightly_named(world: World, loss: Loss, standing: Sequence[Told]) -> bool:
    """Whether the largest of what stands and has to do with a loss names its very leaves, by their events.

    `standing` are the largest first.
    """
    size = world.counts.mean(axis=1)
    lead = next((item for item in standing if _shared(size, loss, item) >= SAME * _smaller(size, loss, item)), None)
    if lead is None:
        return False
    either = float(size[loss.members | lead.members].sum())
    return _shared(size, loss, lead) >= EXACT * either


def _touches(size: Floats, loss: Loss, item: Told, after: int) -> bool:
    during = loss.start <= item.column < loss.stop + after
    return during and _shared(size, loss, item) >= APART * _smaller(size, loss, item)


def _shared(size: Floats, loss: Loss, item: Told) -> float:
    return float(size[loss.members & item.members].sum())


def _smaller(size: Floats, loss: Loss, item: Told) -> float:
    return max(min(float(size[loss.members].sum()), float(size[item.members].sum())), 1e-9)


def false_episodes(world: World, lattice: Lattice, alarmed: Bools, *, after: int) -> int:
    """Stretches of alarms of single slices [N, judged] that have nothing to do with a loss."""
    size = world.counts.mean(axis=1)
    rows = lattice.rollup(size)
    left = alarmed.copy()
    for loss in world.losses:
        shared = lattice.rollup(np.where(loss.members, size, 0.0))
        touched = shared >= APART * np.minimum(rows, size[loss.members].sum())
        left[touched, max(loss.start - world.begin, 0) : loss.stop - world.begin + after] = False
    return int(sum(_episodes(line) for line in left[left.any(axis=1)]))


def _episodes(line: Bools) -> int:
    at = np.flatnonzero(line)
    return int(1 + (np.diff(at) > GAP + 1).sum()) if len(at) else 0


def slices_found(world: World, lattice: Lattice, alarmed: Bools) -> tuple[Found, ...]:
    """For a detector that knows slices only: a loss is found where its own slice is alarmed while it lasts."""
    place = {tuple(int(code) for code in codes): row for row, codes in enumerate(lattice.codes)}
    place |= {codes: row for row, names in lattice.also.items() for codes in names}
    found = []
    for loss in world.losses:
        line = alarmed[place[loss.codes], loss.start - world.begin : loss.stop - world.begin]
        found.append(Found(loss, int(np.argmax(line)) + 1 if line.any() else None))
    return tuple(found)


def upper_bound(count: int, confidence: float = 0.95) -> float:
    """Upper confidence bound of a Poisson mean of which `count` events were seen (Garwood 1936)."""
    return float(stats.chi2.ppf(confidence, 2 * (count + 1)) / 2)
