"""From what a rule has learned to what it would not notice, as people read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from dashboards.blindspots import BlindSpots, Cover, Spot
from dashboards.read import Stage
from monitor.blindspots import Sight, levels_of, sight
from monitor.buckets import to_datetime
from monitor.context import context_of
from monitor.detectors.fit import Fit
from monitor.detectors.model import LeafSeries
from monitor.fits import Learned
from monitor.lattice import Lattice
from monitor.watched import Watched
from rules.model import Rule

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
YOUNG_DAYS = 1.0
YOUNG = "how late events come is not known yet: until it is, the newest buckets are doubted, and less is noticed than this says"
HORIZONS_OF_DAYS = (timedelta(days=1), timedelta(days=3), timedelta(days=7))


@dataclass(frozen=True)
class Outlook:
    """A rule, the lattice, what one of its metrics has learned, and the leaf counts of the days before."""

    rule: Rule
    metric: str
    lattice: Lattice
    learned: Learned
    recent: LeafSeries

    @property
    def fit(self) -> Fit:
        """How late events come is part of it once it is known; the doubt before is told in words."""
        return self.learned.fit if self._young else self.learned.judging

    @property
    def _young(self) -> bool:
        return self.learned.curves is not None and self.learned.curves.days < YOUNG_DAYS

    def report(self) -> BlindSpots:
        """Every slice that has events, heaviest first."""
        grid = Watched.of(self.rule).grid
        horizons = HORIZONS_OF_DAYS if grid.daily else HORIZONS
        within = [self._buckets(horizon) for horizon in horizons]
        extra = tuple(count for count in within if count > 0)
        levels = levels_of(grid, self.lattice, self.fit, self.recent)
        seen = sight(self.fit, self.lattice, context_of(self.rule, self.lattice, grid), extra=extra, levels=levels)
        rows = np.flatnonzero(self.fit.volume > 0)
        rows = rows[np.argsort(-self.fit.volume[rows], kind="stable")]
        least = np.stack([seen.least(count) for count in within], axis=1)
        return BlindSpots(
            rule=self.rule.name,
            metric=self.metric,
            place=str(self.rule.place),
            as_of=to_datetime(self.fit.as_of),
            stage=f"protection: {list(Stage)[self.fit.stage].value}",
            note=YOUNG if self._young else "",
            threshold=self.fit.threshold,
            horizons=horizons,
            longest=max(self.fit.windows) * self.rule.time_bucket,
            cover=tuple(self._cover(rows, least)),
            spots=tuple(self._spot(seen, row, least[row]) for row in rows.tolist()),
        )

    def _buckets(self, horizon: timedelta) -> int:
        """Whole buckets that are judged within a time from the beginning of a loss."""
        rule = self.rule
        return int((horizon - rule.detection_delay) // rule.time_bucket) - rule.for_

    def _after(self, buckets: float) -> timedelta | None:
        """From the beginning of a loss until it is told, where so many buckets show it."""
        rule = self.rule
        return (int(buckets) + rule.for_) * rule.time_bucket + rule.detection_delay if np.isfinite(buckets) else None

    def _spot(self, seen: Sight, row: int, least: Floats) -> Spot:
        silence = seen.silence[row]
        return Spot(
            slice=self.lattice.slice_of(row),
            usual=float(self.fit.volume[row]),
            least=tuple(float(share) if np.isfinite(share) else None for share in least),
            silence=self._after(float(np.quantile(silence, 0.5, method="higher"))),
            silence_worst=self._after(float(silence.max())),
        )

    def _cover(self, rows: Ints, least: Floats) -> Iterator[Cover]:
        """By set of dimensions, fewest first. A slice with the same events as a wider one stands with that one."""
        names = self.lattice.leaves.dimensions
        for bits in sorted(set(self.lattice.cuboid[rows].tolist()), key=lambda b: (b.bit_count(), b)):
            part = rows[self.lattice.cuboid[rows] == bits]
            safe = np.isfinite(least[part])
            volume = self.fit.volume[part]
            yield Cover(
                dimensions=tuple(name for d, name in enumerate(names) if bits >> d & 1),
                slices=len(part),
                protected=tuple(int(count) for count in safe.sum(axis=0)),
                traffic=tuple(float(share) for share in (volume[:, None] * safe).sum(axis=0) / volume.sum()),
            )
