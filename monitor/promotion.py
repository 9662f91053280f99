"""Who has a place of their own in a full cube: decided by lookback volume, with hysteresis. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from alerts.wording import LISTED
from monitor.counts import Terms, order_of
from rules.slices import Slice

HYSTERESIS = 2
"""A folded combination takes the place of a kept one of at most half its volume: the way back takes a factor of four."""


@dataclass(frozen=True)
class Change:
    """Combinations that get a place of their own, and those that lose theirs."""

    promoted: tuple[Terms, ...] = ()
    folded: tuple[Terms, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.promoted or self.folded)


def decide(kept: Mapping[Terms, int], outside: Mapping[Terms, int], most: int, held: AbstractSet[Terms]) -> Change:
    """The change of one midnight; `kept` and `outside` are volumes of the lookback, none of them 0.

    `held` are never folded now: silent ones (their silence is what is watched), and those of an open incident. Free
    places are filled by the largest; after that each that rises must be HYSTERESIS times the one that falls for it.
    """
    rising = sorted(outside, key=lambda terms: (-outside[terms], order_of(terms)))
    falling = sorted(kept.keys() - held, key=lambda terms: (kept[terms], order_of(terms)))
    room, excess = max(most - len(kept), 0), max(len(kept) - most, 0)
    pairs = zip(rising[room:], falling[excess:], strict=False)
    swapped = list(takewhile(lambda pair: outside[pair[0]] >= HYSTERESIS * kept[pair[1]], pairs if not excess else ()))
    up, down = [item for item, _ in swapped], [item for _, item in swapped]
    return Change((*rising[:room], *up), (*falling[:excess], *down))


@dataclass(frozen=True)
class Places:
    """Leaf ids of a change: the folded leaf `rest`, those that fall `down` and those that rise `up`."""

    rest: int
    down: NDArray[np.int64]
    up: NDArray[np.int64]

    def rewritten(self, page: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Counts int64[M, S] of one page under the new membership; every sum over the leaves stays as it is.

        `wanted` int64[M, U] is what those that rise had in the bucket; they get no more than the folded leaf has.
        Doing it twice changes nothing more.
        """
        out = page.copy()
        out[:, self.rest] += out[:, self.down].sum(axis=1)
        out[:, self.down] = 0
        missing = np.maximum(wanted - out[:, self.up], 0)
        given = np.diff(np.minimum(np.cumsum(missing, axis=1), out[:, [self.rest]]), axis=1, prepend=0)
        out[:, self.up] += given
        out[:, self.rest] -= given.sum(axis=1)
        return out

    def at_age(self, wanted: NDArray[np.int64], young: NDArray[np.int64], ripe: NDArray[np.int64]) -> NDArray[np.int64]:
        """What those that rise had when a bucket was younger: as large a part as of all that was folded.

        `young` and `ripe` [M, S] are the page then and at its ripest. Nobody remembers more than the sum.
        """
        inside = [self.rest, *self.up.tolist()]
        then, now = young[:, inside].sum(axis=1), ripe[:, inside].sum(axis=1)
        return np.asarray(wanted * then[:, None] // np.maximum(now, 1)[:, None])


def change_text(change: Change, dimensions: Sequence[str]) -> str:
    """What is told of a change, in a line."""
    parts = [
        f"{what}: {_names(items, dimensions)}"
        for what, items in (
            ("watched one by one from now on, grown past others that slices.max keeps", change.promoted),
            ("folded into the rest, now among the smallest", change.folded),
        )
        if items
    ]
    return "; ".join(parts)


def _names(items: Sequence[Terms], dimensions: Sequence[str]) -> str:
    more = f" and {len(items) - LISTED:,} more" if len(items) > LISTED else ""
    return "; ".join(Slice.of(zip(dimensions, item, strict=True)).label() for item in items[:LISTED]) + more
