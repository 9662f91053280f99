"""What a detector is asked of the newest bucket, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.model import Finding, Incident, Recovery
from monitor.buckets import Grid
from monitor.completeness import Curves
from monitor.detectors.default import Default
from monitor.detectors.fit import Fit
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.occasions import Occasions
from monitor.detectors.protocol import Detector
from monitor.lattice import Lattice
from rules.model import Direction

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """What is judged: the newest bucket of `recent`, given the fit and the incidents that are open."""

    rule: str
    metric: str
    direction: Direction
    grid: Grid
    lattice: Lattice
    fit: Fit
    recent: LeafSeries
    open: tuple[Incident, ...]
    context: Context
    detector: Detector = field(default_factory=Default)
    occasions: Occasions = field(default_factory=Occasions)
    curves: Curves | None = None
    """How late events come; None where never."""
    closed: tuple[Incident, ...] = ()
    """Losses that resolved and some of whose buckets are still ripening."""
    past: LeafSeries | None = None
    """Days before `recent`, for the curves of a rule of days; nothing is judged by them."""


@dataclass(frozen=True)
class Answer:
    """Findings and recoveries, the leaf cells [S, T] of `recent` that are no part of what is normal, alarmed slices [N]."""

    findings: tuple[Finding, ...]
    recoveries: tuple[Recovery, ...]
    flagged: Bools
    alarmed: Bools
    amendments: tuple[Recovery, ...] = ()
    """Of closed incidents: their sums as they are by now."""
