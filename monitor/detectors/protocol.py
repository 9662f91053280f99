"""What the evaluation asks of a detector: seven questions, all pure."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.fit import Fit
from monitor.detectors.judge import Alarm
from monitor.detectors.model import Context, LeafSeries, Verdicts
from monitor.detectors.view import View
from monitor.lattice import Lattice
from monitor.localize.causes import Cause
from monitor.localize.track import Track
from monitor.statistics.onset import Standing

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Detector(Protocol):
    """A way to judge. It learns at local midnight, is stored as a `Fit`, and judges every tick by that alone.

    Same input, same answer: no clock, no chance, no state. One that only expects otherwise derives from
    `monitor.detectors.default.Default` and answers `fit` itself.
    """

    @property
    def most_slices(self) -> int | None:
        """How many slices it can judge at most; None is any number."""

    def fit(self, lattice: Lattice, history: LeafSeries, as_of: int, context: Context) -> Fit:
        """Learn from leaf counts [S, T] before `as_of` (epoch seconds); NaN is unknown, flagged cells teach nothing."""

    def judge(self, view: View, left_out: Bools) -> Verdicts:
        """Test the newest bucket of the view; `left_out` [N] may not excuse others. Unknown (NaN) is never alarming."""

    def alarms(self, view: View, verdicts: Verdicts, context: Context, *, down: bool) -> list[Alarm]:
        """The slices that are bad enough to be told, the strongest first."""

    def explain(self, view: View, verdicts: Verdicts, alarms: list[Alarm], common: Floats, least: float) -> list[Cause]:
        """The few causes behind the alarms; every alarm belongs to one."""

    def join(self, view: View, causes: list[Cause]) -> list[Cause]:
        """Causes, new and still standing, of which some together are one wider cause."""

    def stands(
        self, view: View, found: Track, first: int, common: Floats | None, ratio: float, least: float
    ) -> Standing:
        """Whether an open cause, bad since column `first`, is still bad; `ratio` is what it had of what was expected."""
