"""Step 4: what moves everything at once (weather, a holiday, a total outage) is one event, not many.

Where a rule names regions (`baseline.common_mode`), what moves all slices of one region at once is one event as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.statistics import constants as k
from monitor.statistics.blocks import blocks

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Singles = NDArray[np.floating[Any]]


SAMPLED = 512
"""From twice as many values on, the median is first bracketed by a sample of about so many."""
BRACKET = 0.08
"""Share of the weight on either side of a sample's median within which the median of all is looked for."""


def weighted_median(values: Singles, weights: Singles) -> float:
    """The value at which half of the weight lies on either side."""
    if len(values) >= 2 * SAMPLED:
        found = _bracketed(values, weights)
        if found is not None:
            return found
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(cumulated, 0.5 * cumulated[-1])]])


def _bracketed(values: Singles, weights: Singles) -> float | None:
    """The same where only values near a sample's median are sorted; None where it lies elsewhere."""
    low, high = _bracket(values[:: len(values) // SAMPLED], weights[:: len(values) // SAMPLED])
    half = 0.5 * float(weights.sum())
    below = float(weights @ (values < low))
    near = np.flatnonzero((values >= low) & (values <= high))
    order = near[np.argsort(values[near], kind="stable")]
    at = int(np.searchsorted(below + np.cumsum(weights[order]), half))
    return float(values[order[at]]) if below < half and at < len(order) else None


def _bracket(values: Singles, weights: Singles) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    ends = np.searchsorted(cumulated, np.array([0.5 - BRACKET, 0.5 + BRACKET]) * cumulated[-1])
    low, high = values[order[ends]]
    return float(low), float(high)


@dataclass(frozen=True)
class References:
    """Slices [N] that C is taken from: `whole` that of all, `regional` that of the region each of them lies in.

    `region` [N] says whose C a slice follows: 0 is that of all. No two references of one C nest in one another.
    """

    whole: Bools
    region: Ints
    regional: Bools

    @classmethod
    def of(cls, cuboid: Ints, mean: Floats, region: Ints) -> References:
        """Of slices of these cuboids and means [N], in these regions; one with too few references follows the whole."""
        followed, regional = np.zeros_like(region), np.zeros(len(region), dtype=bool)
        for name in np.unique(region[region > 0]):
            inside = region == name
            found = reference_rows(cuboid, np.where(inside, mean, 0.0))
            if found.any():
                regional |= found
                followed[inside] = name
        return cls(reference_rows(cuboid, mean), followed, regional)

    @classmethod
    def none(cls, slices: int) -> References:
        """Nothing to take a C from: it is 1."""
        nobody = np.zeros(slices, dtype=bool)
        return cls(nobody, np.zeros(slices, dtype=np.int64), nobody)

    @property
    def every(self) -> Bools:
        """[N]: whatever some C is taken from."""
        return np.asarray(self.whole | self.regional)

    def at(self, rows: Ints) -> References:
        """Of some slices [n] only."""
        return References(self.whole[rows], self.region[rows], self.regional[rows])

    def carried(self, rows: Ints) -> References:
        """Of slices [n] that stand at these rows, -1 for those that are new: they follow the whole."""
        known, at = rows >= 0, np.maximum(rows, 0)
        found = self.at(at)
        return References(found.whole & known, np.where(known, found.region, 0), found.regional & known)

    def of_region(self, region: int) -> Ints:
        """Rows that the C of a region is taken from; 0 is that of all."""
        return np.flatnonzero(self.regional & (self.region == region) if region else self.whole)

    def without(self, left_out: Bools) -> References:
        """With some slices [N] left out."""
        return References(self.whole & ~left_out, self.region, self.regional & ~left_out)

    def common(self, y: Singles, mu: Singles) -> Floats:
        """C [R + 1, K] of each column of [N, K] arrays: the first row that of all, then of regions 1 to R."""
        whole = common_mode(y, mu, self.of_region(0))
        regions = int(self.region.max(initial=0))
        each = [common_mode(y, mu, self.of_region(name), whole) for name in range(1, regions + 1)]
        return np.stack([whole, *each])

    def spread(self, common: Floats) -> Floats:
        """C [R + 1, K] as each slice follows it: [N, K], or [1, K] where there are no regions."""
        return common if len(common) == 1 else common[self.region]


def common_mode(y: Singles, mu: Singles, references: Ints, otherwise: Floats | None = None) -> Floats:
    """C [T]: weighted median over the rows `references` of (y + 1)/(mu + 1), weights sqrt mu, per column of [N, T].

    `otherwise` [T], or 1, where fewer than `COMMON_MIN_SLICES` references are large enough.
    """
    common = np.ones(y.shape[1]) if otherwise is None else otherwise.copy()
    for part in blocks(y.shape[1]):
        common[part] = _by_column(y[:, part][references].T.copy(), mu[:, part][references].T.copy(), common[part])
    return np.clip(common, *k.COMMON_CLIP)


def _by_column(y: Singles, mu: Singles, otherwise: Floats) -> Floats:
    """C [K] of columns that lie in one piece each, [K, R]."""
    common = otherwise.copy()
    usable = (mu > k.COMMON_MIN_EXPECTED) & ~np.isnan(y)
    enough = np.flatnonzero(usable.sum(axis=1) >= k.COMMON_MIN_SLICES)
    if y.shape[1] <= SAMPLED:
        common[enough] = _medians(y[enough], mu[enough], usable[enough])
        return common
    for t in enough:
        seen, normal = y[t, usable[t]], mu[t, usable[t]]
        common[t] = weighted_median((seen + 1.0) / (normal + 1.0), np.sqrt(normal))
    return common


def _medians(y: Singles, mu: Singles, usable: Bools) -> Singles:
    """[K], as `weighted_median` of each row's usable cells [K, R], all rows at once: what is not usable weighs nothing."""
    seen, normal = np.where(usable, y, 0), np.where(usable, mu, 0)
    values = np.where(usable, (seen + 1.0) / (normal + 1.0), np.inf)
    order = np.argsort(values, axis=1, kind="stable")
    cumulated = np.cumsum(np.take_along_axis(np.sqrt(normal), order, axis=1), axis=1)
    at = (cumulated < 0.5 * cumulated[:, -1:]).sum(axis=1, keepdims=True)
    found: Singles = np.take_along_axis(values, np.take_along_axis(order, at, axis=1), axis=1)[:, 0]
    return found


def reference_rows(cuboid: Ints, mean: Floats) -> Bools:
    """bool[N]: the slices of one cuboid, so that none nests in another.

    The cuboid with most sqrt-weight over slices of enough volume; none if it has too few.
    """
    large = mean > k.COMMON_MIN_EXPECTED
    best, best_weight = -1, 0.0
    for bits in np.unique(cuboid):
        rows = (cuboid == bits) & large
        if bits and rows.sum() >= k.COMMON_MIN_SLICES and np.sqrt(mean[rows]).sum() > best_weight:
            best, best_weight = int(bits), float(np.sqrt(mean[rows]).sum())
    return np.asarray((cuboid == best) & large)


def contrastable(common: Floats) -> Bools:
    """Where a contrast with C says something: inside the clip."""
    return np.asarray((common > k.COMMON_CLIP[0]) & (common < k.COMMON_CLIP[1]))


def excuse(common: Floats, *, down: bool) -> Floats:
    """C as far as it excuses: a common fall excuses drops, a common rise excuses spikes, and neither accuses.

    Where siblings grow and hide a loss, C rises with them; a healthy slice that did not grow has lost nothing.
    """
    return np.asarray(np.minimum(common, 1.0) if down else np.maximum(common, 1.0))
