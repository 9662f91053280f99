"""`threshold`: fixed bounds, or shares of last week. No statistics: what is outside is told.

Expected is what a slice usually has, held within the bounds (of shares: what it had a week before), so that a message
can say both. The budget, `min_change`, the level and the common mode have no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import WEEK
from monitor.detectors.bounds import limits
from monitor.detectors.default import Default
from monitor.detectors.fit import Fit
from monitor.detectors.judge import Alarm
from monitor.detectors.model import Context, LeafSeries, Verdicts
from monitor.detectors.view import View
from monitor.lattice import Lattice
from monitor.localize.broadest import broadest
from monitor.localize.causes import Cause
from monitor.localize.track import Track
from monitor.statistics.onset import Standing
from rules.model import Bounds, DetectorChoice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CERTAIN = 690.0
"""Surprise of what is outside, in nats: no probability is claimed, and e^-690 is still a number."""


@dataclass(frozen=True)
class Threshold(Default):
    """`bounds` are of one metric; a metric without any is never alarmed."""

    bounds: Bounds = field(default_factory=Bounds)

    def fit(self, lattice: Lattice, history: LeafSeries, as_of: int, context: Context) -> Fit:
        """What the default learns of which slices there are; expected as said above, without any scatter."""
        found = super().fit(lattice, history, as_of, context)
        mean = _last_week(lattice, history, found, context) if self._of_last_week else found.mean
        one = np.zeros((len(lattice), 1))
        return replace(
            found,
            windows=(1,),
            mean=_held(mean.astype(float), self.bounds),
            alpha=one,
            alpha_plain=one,
            unrest=one + 1.0,
            unrest_plain=one + 1.0,
            tails=found.tails[:1],
            tails_plain=found.tails_plain[:1],
            threshold=CERTAIN,
            bounds=self.bounds,
        )

    @property
    def _of_last_week(self) -> bool:
        return any(bound is not None and bound.of_last_week for bound in (self.bounds.low, self.bounds.high))

    def judge(self, view: View, left_out: Bools) -> Verdicts:  # noqa: ARG002  nothing excuses a bound
        """Whether the newest bucket is outside."""
        observed, expected = view.windows()
        low, high = limits(self.bounds, expected)
        tested = view.fit.eligible[:, None] & ~np.isnan(view.observed[:, -1:])
        return Verdicts(
            windows=view.fit.windows,
            observed=observed,
            expected=expected,
            common=np.ones_like(observed),
            alpha=view.fit.alpha,
            alpha_plain=view.fit.alpha_plain,
            drop=np.where(tested & (observed < low), CERTAIN, 0.0),
            spike=np.where(tested & (observed > high), CERTAIN, 0.0),
            threshold=CERTAIN,
        )

    def alarms(self, view: View, verdicts: Verdicts, context: Context, *, down: bool) -> list[Alarm]:
        """All that is outside, the broadest slices first."""
        change = (verdicts.expected - verdicts.observed) * (1 if down else -1)
        outside = (verdicts.drop if down else verdicts.spike) >= CERTAIN
        rows = np.flatnonzero((outside & (change >= context.min_loss))[:, 0])
        order = np.lexsort((-change[rows, 0], view.lattice.size[rows]))
        return [Alarm(int(row), 0, CERTAIN, down) for row in rows[order]]

    def explain(self, view: View, verdicts: Verdicts, alarms: list[Alarm], common: Floats, least: float) -> list[Cause]:  # noqa: ARG002
        """The broadest slices outside; what lies within one of them is part of it."""
        return broadest(view, alarms)

    def join(self, view: View, causes: list[Cause]) -> list[Cause]:  # noqa: ARG002
        """Each as it is: a wider slice that is outside has been found by itself."""
        return causes

    def stands(
        self,
        view: View,  # noqa: ARG002  the track says it all
        found: Track,
        first: int,
        common: Floats | None,  # noqa: ARG002  bounds stand as they are
        ratio: float,
        least: float,  # noqa: ARG002  as above
    ) -> Standing:
        """Bad until the last bucket that was outside; over once a later one is known to be inside."""
        low, high = limits(self.bounds, found.expected)
        outside = found.observed < low if ratio < 1.0 else found.observed > high
        known = np.flatnonzero(~np.isnan(found.observed[first:])) + first
        bad = known[outside[known]]
        if not len(known) or (len(bad) and bad[-1] == known[-1]):
            return Standing(len(found.observed), cleared=False)
        return Standing(int(bad[-1]) + 1 if len(bad) else first, cleared=True)


def _held(mean: Floats, bounds: Bounds) -> Floats:
    """Means within the fixed bounds."""
    low = bounds.low.value if bounds.low is not None and not bounds.low.of_last_week else 0.0
    high = bounds.high.value if bounds.high is not None and not bounds.high.of_last_week else np.inf
    return np.asarray(np.clip(mean, low, high))


def _last_week(lattice: Lattice, history: LeafSeries, found: Fit, context: Context) -> Floats:
    """[N, positions]: what came in the week before the refit, by place of the week.

    What is unknown or flagged is what the seasonal mean says.
    """
    inside = (history.starts >= found.as_of - WEEK) & (history.starts < found.as_of)
    place = context.grid.position(history.starts[inside])
    gone = history.flagged | np.isnan(history.values)
    leaf = found.leaf_mean.copy()
    leaf[:, place] = np.where(gone[:, inside], leaf[:, place], history.values[:, inside])
    return lattice.rollup(leaf)


def open_threshold(choice: DetectorChoice, metric: str) -> Threshold:
    """With the bounds that the rule gives this metric, or all."""
    given = dict(choice.bounds)
    return Threshold(given.get(metric, given.get("*", Bounds())))
