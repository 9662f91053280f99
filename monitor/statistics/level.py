"""Step 3: where a slice stands today beside its seasonal mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k

Floats = NDArray[np.float64]


def level(observed: Floats, seasonal: Floats, prior: Floats | float = 1.0) -> Floats:
    """Ratio of sums, shrunk towards `prior` by a few events and clipped."""
    ratio = (observed + k.LEVEL_PSEUDO_EVENTS * prior) / (seasonal + k.LEVEL_PSEUDO_EVENTS)
    return np.asarray(np.clip(ratio, *k.LEVEL_CLIP))


def tempered(recent: Floats, older: Floats, events: Floats) -> Floats:
    """The recent level, but not far above the one before it, which rests on `events` expected events.

    What grew for some hours (a campaign, siblings that took over what another slice lost) and is back to what it was has
    lost nothing; a growth that stays is believed once the older level has followed.
    """
    most = older * (1.0 + k.LEVEL_RISE + 2.0 / np.sqrt(events + 1.0))
    return np.asarray(np.clip(np.minimum(recent, most), *k.LEVEL_CLIP))


def cap_spikes(y: NDArray[Any], mu: NDArray[Any], alpha: float | Floats) -> NDArray[Any]:
    """Values above mu + 3 sd + 1 are cut there, so that a spike does not lift the level."""
    return np.asarray(np.minimum(y, mu + 3.0 * np.sqrt(mu + alpha * mu * mu) + 1.0))


def window_sums(cumulated: Floats, width: int) -> Floats:
    """Sums of the `width` columns ending at each column, from a cumulated [N, T + 1]; shorter at the start."""
    sums = cumulated[:, 1:] - cumulated[:, :1]
    if width < cumulated.shape[1]:
        np.subtract(cumulated[:, width:], cumulated[:, :-width], out=sums[:, width - 1 :])
    return np.asarray(sums)


def before(cumulated: NDArray[Any], span: int) -> NDArray[Any]:
    """Sums of the `span` columns before each column and before the end, from a cumulated [N, T + 1]; [N, T + 1]."""
    sums = cumulated - cumulated[:, :1]
    if span < cumulated.shape[1]:
        np.subtract(cumulated[:, span:], cumulated[:, :-span], out=sums[:, span:])
    return np.asarray(sums)


def newest_sums(cumulated: Floats, width: int) -> Floats:
    """The last column [N] of `window_sums`."""
    stop = cumulated.shape[1] - 1
    return np.asarray(cumulated[:, stop] - cumulated[:, max(stop - width, 0)])


def newest_trailing(cumulated: Floats, width: int, span: int) -> Floats:
    """Sums [N] of the `span` columns before the newest window of `width`; 0 where there are none."""
    return newest_sums(cumulated[:, : max(cumulated.shape[1] - width, 1)], span)


def cumulate(values: NDArray[np.floating[Any]], *, whole: bool = False) -> Floats:
    """Cumulated sums [N, T + 1] with a leading zero; NaN counts as nothing, and is not there where they are `whole`."""
    padded = np.zeros((values.shape[0], values.shape[1] + 1))
    if whole:
        np.cumsum(values, axis=1, dtype=float, out=padded[:, 1:])
        return padded
    np.copyto(padded[:, 1:], values, where=~np.isnan(values))
    np.cumsum(padded[:, 1:], axis=1, out=padded[:, 1:])
    return padded
