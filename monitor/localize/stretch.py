"""Leaves over a stretch of time, as what is localized is told by."""

from __future__ import annotations

import numpy as np

from monitor.detectors.view import View
from monitor.localize.cells import dispersion_by_volume
from monitor.localize.kinds import Stretch


def stretch_of(view: View, first: int) -> Stretch:
    """Leaves from column `first` to the newest."""
    volume = view.fit.leaf_volume
    alpha = dispersion_by_volume(np.where(view.fit.eligible, view.fit.volume, 0.0), view.fit.alpha[:, 0], volume)
    return Stretch(*view.leaf_sums(first), *view.leaf_sums(first, first + 1), volume > 0, alpha)
