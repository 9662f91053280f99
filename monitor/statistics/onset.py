"""When a change began, and whether it is over: cumulated log-likelihood ratios (Page 1954), bucket by bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k
from monitor.statistics.negbin import log_likelihood, lower_tail, upper_tail

Floats = NDArray[np.float64]


def onset(y: Floats, mu: Floats, alpha: float, ratio: float) -> int:
    """Index from which on `ratio * mu` explains y [T] better than mu, up to the end; T - 1 at the latest.

    Of starts that explain about as well it is the latest: nobody is told of a loss before it is plain. Unknown buckets (NaN) say nothing.
    """
    gain = _evidence(y, ratio * mu, mu, alpha)
    from_here = np.cumsum(gain[::-1])[::-1]
    return int(np.flatnonzero(from_here >= from_here.max() - k.ONSET_DOUBT)[-1]) if len(gain) else 0


@dataclass(frozen=True)
class Standing:
    """How a bad slice stands at the newest bucket.

    `bad_until` is the index after the last bad bucket; `cleared` says that what follows is compatible with mu
    and long enough to know.
    """

    bad_until: int
    cleared: bool

    def still_bad(self, buckets: int) -> bool:
        """Whether the newest bucket belongs to the bad stretch."""
        return self.bad_until >= buckets


def standing(y: Floats, mu: Floats, alpha_over: Callable[[int], float], ratio: float, least: float = 0.0) -> Standing:
    """Judge y [T] from the start of an incident on, whose bad buckets held `ratio` of mu.

    `alpha_over(n)` is the dispersion of a sum over n buckets; a change of less than half of `least` is none, however many
    events speak for it.
    """
    # A slice that comes back by a third is not back: less than half of mu is bad, however deep the loss was.
    bad = max(ratio, 0.5) if ratio < 1.0 else min(ratio, 2.0)
    gain = _evidence(y, mu, bad * mu, alpha_over(1))
    after = np.concatenate([np.cumsum(gain[::-1])[::-1], [0.0]])
    start = len(after) - 1 - int(np.argmax(after[::-1]))
    known = ~np.isnan(y[start:])
    if not known.any():
        return Standing(start, cleared=False)
    seen, normal = float(y[start:][known].sum()), float(mu[start:][known].sum())
    return Standing(start, cleared=_compatible(seen, normal, alpha_over(int(known.sum())), ratio, least))


def _compatible(seen: float, normal: float, alpha: float, ratio: float, least: float) -> bool:
    drop = ratio < 1.0
    y, mu, a = np.array([seen]), np.array([normal]), np.array([alpha])
    missed = upper_tail(y, 0.5 * mu, a) if drop else lower_tail(y, 2.0 * mu, a)
    fits = lower_tail(y, mu, a) if drop else upper_tail(y, mu, a)
    small = abs(seen - normal) < 0.5 * least * normal
    return bool(missed[0] < k.CLEAR_MISS_P and (small or fits[0] > k.CLEAR_COMPATIBLE_P))


def _evidence(y: Floats, better: Floats, worse: Floats, alpha: float) -> Floats:
    a = np.full(len(y), alpha)
    gain = log_likelihood(np.nan_to_num(y), better, a) - log_likelihood(np.nan_to_num(y), worse, a)
    return np.where(np.isnan(y), 0.0, gain)
