"""The default detector: the method of `docs/detection.md`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.fit import Fit
from monitor.detectors.judge import Alarm, alarms, judge
from monitor.detectors.learn import fit
from monitor.detectors.model import Context, LeafSeries, Verdicts
from monitor.detectors.view import View
from monitor.lattice import Lattice
from monitor.localize.causes import Cause, explain, joined
from monitor.localize.track import Track, stands
from monitor.statistics.onset import Standing
from rules.model import DetectorChoice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Default:
    """Seasonal means, negative binomial tests, calibrated on the rule's own past; any number of slices."""

    @property
    def most_slices(self) -> int | None:
        """Any number."""
        return None

    def fit(self, lattice: Lattice, history: LeafSeries, as_of: int, context: Context) -> Fit:
        """Steps 2 to 9 but for the level."""
        return fit(lattice, history, as_of, context)

    def judge(self, view: View, left_out: Bools) -> Verdicts:
        """Steps 3 to 8 at the newest bucket."""
        return judge(view, left_out)

    def alarms(self, view: View, verdicts: Verdicts, context: Context, *, down: bool) -> list[Alarm]:
        """Step 10."""
        return alarms(view, verdicts, context, down=down)

    def explain(self, view: View, verdicts: Verdicts, alarms: list[Alarm], common: Floats, least: float) -> list[Cause]:
        """Localization by the scan statistic."""
        return explain(view, verdicts, alarms, common, least)

    def join(self, view: View, causes: list[Cause]) -> list[Cause]:
        """What together is nearly all of a wider slice is told as that slice."""
        return joined(view, causes)

    def stands(
        self,
        view: View,  # noqa: ARG002  the track says it all
        found: Track,
        first: int,
        common: Floats | None,
        ratio: float,
        least: float,
    ) -> Standing:
        """Cumulated likelihood ratios."""
        return stands(found, first, common, ratio, least)


def open_default(choice: DetectorChoice, metric: str) -> Default:  # noqa: ARG001  every detector is opened alike
    """It has no settings of its own."""
    return Default()
