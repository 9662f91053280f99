"""A cause within one that is known and as bad as ever: what fell clearly below the rest of it, later than it began."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.causes import ONSET_LOOKBACK, Cause
from monitor.localize.cells import dispersion_by_volume, robust_noise
from monitor.localize.cube import Cube
from monitor.localize.explanations import Candidate, best
from monitor.localize.track import Track, track
from monitor.statistics import constants as k
from monitor.statistics.negbin import lower_tail, upper_tail
from monitor.statistics.onset import onset

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Cells [S] that something holds of, from a column on: `codes` is the slice that they are."""

    codes: tuple[int, ...]
    members: Bools
    first: int
    down: bool

    def within(self, wide: Bools) -> bool:
        """Whether its cells are some of others, not all."""
        return not (self.members & ~wide).any() and bool((wide & ~self.members).any())


def hidden(view: View, wide: Part, free: Bools, cube: Callable[[], Cube] | None = None) -> Cause | None:
    """What else is wrong within a cause, among its leaves `free` [S]: by the shortest window that shows it.

    Asked of a cause that is partly there: its rest is the yardstick, as the outside is for a cause of its own.
    `cube` is that of the view's leaves, for whoever asks of several causes.
    """
    cube = cube or partial(Cube.of, view.lattice.leaves.codes)
    newest = len(view.recent.starts)
    inside = wide.members & free
    for window, width in enumerate(view.fit.windows):
        first = newest - width
        if first - wide.first <= k.TOGETHER or inside.sum() < 2:
            break
        found = _candidate(view, wide, inside, window, cube)
        if found is None or not (found.members & inside).any():
            continue
        # Of names that hold the same of the wider cause the scan takes the broadest, which may hold more beside it.
        codes = tuple(own if own != ANY else code for own, code in zip(wide.codes, found.codes, strict=True))
        part = _begun(view, Part(codes, found.members & wide.members, first, wide.down), wide)
        p = chance(view, part, wide) if _lasts(view, part, wide) else 1.0
        if p <= (np.exp(-view.fit.threshold) if newest - part.first > 1 else k.OVERWHELMING_P):
            return Cause(part.codes, part.members, part.first, -np.log(max(p, 1e-300)), wide.down, (), plain=False)
    return None


def _candidate(view: View, wide: Part, inside: Bools, window: int, cube: Callable[[], Cube]) -> Candidate | None:
    """The element that stands out among the leaves `inside`, in one window, beside what all of them have."""
    fit, codes = view.fit, view.lattice.leaves.codes
    y, mu = view.leaf_sums(len(view.recent.starts) - fit.windows[window])
    ratio = float(y[inside].sum()) / max(float(mu[inside].sum()), 1e-9)
    if not k.PARTLY <= ratio <= 1.0 / k.PARTLY:
        return None
    alpha = dispersion_by_volume(np.where(fit.eligible, fit.volume, 0.0), fit.alpha[:, window], fit.leaf_volume)
    cells = robust_noise(codes, y, mu * ratio, alpha)
    return best(cube(), cells, inside, inside, down=wide.down, least=1.0 - k.OVERWHELMING_RATIO)


def _begun(view: View, part: Part, wide: Part) -> Part:
    """The same, from where it is plain: at the earliest when the wider one had begun."""
    found = track(view, part.codes, part.members, wide.first)
    begin = max(wide.first, len(view.recent.starts) - ONSET_LOOKBACK)
    mu = found.expected[begin:] * rest_of(view, part, wide.members)
    ratio = k.OVERWHELMING_RATIO if part.down else 1.0 / k.OVERWHELMING_RATIO
    return Part(part.codes, part.members, begin + onset(found.observed[begin:], mu, found.alpha, ratio), part.down)


def _lasts(view: View, part: Part, wide: Part) -> bool:
    """Whether the newest bucket is bad as well: what has come back to the rest of the wider one is over."""
    return beyond(
        view,
        replace(part, first=len(view.recent.starts) - 1),
        wide.members,
        np.sqrt(k.OVERWHELMING_RATIO) if part.down else 1.0 / np.sqrt(k.OVERWHELMING_RATIO),
    )


def chance(view: View, narrow: Part, wide: Part) -> float:
    """How likely a part of a cause would be as far from the rest of it, by chance; 1 where it is not clearly farther.

    Clearly is: they did not begin together, and since both last next to nothing of it is left beside
    what the rest has (for a spike, the other way round).
    """
    if not narrow.within(wide.members) or abs(narrow.first - wide.first) <= k.TOGETHER:
        return 1.0
    both = replace(narrow, first=max(narrow.first, wide.first))
    if not beyond(view, both, wide.members, k.OVERWHELMING_RATIO if both.down else 1.0 / k.OVERWHELMING_RATIO):
        return 1.0
    found = track(view, both.codes, both.members, narrow.first)
    return _tail(found, both, rest_of(view, both, wide.members), len(view.recent.starts))


def _tail(found: Track, part: Part, ratio: float, newest: int) -> float:
    observed, expected = found.sums(part.first, newest)
    tail = lower_tail if part.down else upper_tail
    alpha = np.array([found.alpha_over(newest - part.first)])
    return float(tail(np.array([observed]), np.array([expected * ratio]), alpha)[0])


def beyond(view: View, part: Part, wide: Bools, factor: float) -> bool:
    """Whether a part's share of what is expected is below (for a spike, above) `factor` times that of the rest of `wide`."""
    own, limit = _ratio(view, part.members, part.first), factor * rest_of(view, part, wide)
    return own <= limit if part.down else own >= limit


def rest_of(view: View, part: Part, wide: Bools) -> float:
    """What a wider cause has of what is expected without a part of it; none of it lies on the other side of 1."""
    ratio = _ratio(view, wide & ~part.members, part.first)
    return min(ratio, 1.0) if part.down else max(ratio, 1.0)


def _ratio(view: View, leaves: Bools, first: int) -> float:
    seen, normal = view.leaf_sums_from(first)
    return float(seen[leaves].sum()) / max(float(normal[leaves].sum()), 1e-9)
