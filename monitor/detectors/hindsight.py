"""What the detector would have said of one slice in each bucket of the past, with what it knows today.

Each week is held against the mean of the other weeks, at the level that the slice had on the days before (as a refit
judges its own past, `monitor.detectors.past`), and tested as a tick tests the newest bucket: the same windows, common
mode, dispersion, calibration, effect and persistence. So it is no replay: the seasonal mean knows later weeks, the
calibration is today's, holidays are expected as ordinary days, and whether a broader cause would have been told instead
is not asked. Fixed bounds need none of this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import WEEK, Grid, Times
from monitor.detectors.fit import Fit, level_span
from monitor.detectors.judge import large_enough, leans, overwhelming, surprise
from monitor.detectors.model import Context
from monitor.detectors.past import Past, judged_past
from monitor.statistics import constants as k
from monitor.statistics.level import cumulate
from monitor.statistics.seasonal import by_week, week_columns

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

LEAST = 3.0
"""Surprise from which it is worked out exactly; no budget asks for less."""


@dataclass(frozen=True)
class Hindsight:
    """One slice over the buckets [T] of a history; NaN where nothing can be expected yet."""

    expected: Floats
    drop: Floats
    """The highest threshold at which it would have been alarmed for too few, in nats; 0 for none."""
    spike: Floats


def rows_needed(fit: Fit, row: int) -> Ints:
    """Rows of the lattice whose history the hindsight of a slice rests on: the total first, and the references."""
    return np.unique(np.concatenate([[0, row], np.flatnonzero(fit.references.every)])).astype(np.int64)


def hindsight(fit: Fit, row: int, came: Floats, usual: Floats, starts: Times, context: Context) -> Hindsight:
    """Look back at the slice `row` of a lattice.

    `came` [n, T] is what came to the slices of `rows_needed` in consecutive buckets (NaN is unknown), `usual` the same
    with flagged cells replaced by what is usual there. The first days have no level, so nothing is expected of them.
    """
    rows = rows_needed(fit, row)
    past = _past(came, usual, starts, context.grid)
    y, mu, common = _windows(past, fit, rows, int(np.searchsorted(rows, row)))
    known = ~(np.isnan(y) | np.isnan(mu))
    seen = replace(fit, threshold=min(fit.threshold, LEAST))
    came_then, expected_then = (np.where(known, part, 0.0) for part in (y, mu))
    nats = surprise(seen, came_then, expected_then, common, np.full(len(y), row))
    drop, spike = (
        _lasting(found, y, mu, common[:, 0], fit.alpha[row, 0], context, down=down)
        for found, down in zip(nats, (True, False), strict=True)
    )
    return Hindsight(np.where(known[:, 0], mu[:, 0], np.nan), drop, spike)


def _past(came: Floats, usual: Floats, starts: Times, grid: Grid) -> Past:
    weeks = -(-len(starts) // grid.positions)
    local = grid.local(starts)
    end = int(grid.local(np.array([grid.end(int(starts[-1]))]))[0])
    table = week_columns((end - 1 - local) // WEEK, grid.position(starts), weeks, grid.positions)
    young = np.zeros(usual.shape, dtype=bool)
    found = judged_past(usual, by_week(usual, table), table, starts, young=young, span=level_span(grid), grid=grid)
    return replace(found, observed=cumulate(came))


def _windows(past: Past, fit: Fit, rows: Ints, at: int) -> tuple[Floats, Floats, Floats]:
    """(observed, expected, common mode) [T, W] of the slice at position `at`, of the windows that end with each bucket.

    The first window is that of one bucket.
    """
    count = len(past.day)
    y, mu = np.full((2, count, len(fit.windows)), np.nan)
    common = np.ones((count, len(fit.windows)))
    references = fit.references.at(rows)
    for w, width in enumerate(fit.windows):
        if width > count:
            continue
        seen = past.windows(width, np.arange(len(rows)), 1, references)
        y[seen.last, w], mu[seen.last, w] = seen.y[at], seen.mu[at]
        common[seen.last, w] = seen.common[at if len(seen.common) > 1 else 0]
    return y, mu, common


def _lasting(
    nats: Floats, y: Floats, mu: Floats, common: Floats, alpha: float, context: Context, *, down: bool
) -> Floats:
    """[T]: what is large enough, and bad in the bucket before as well, or so bad that one is enough."""
    newest = leans(y[:, 0], mu[:, 0], context, down=down)
    before = np.concatenate([[False], newest[:-1]])
    found = np.where(large_enough(y, mu, context, down=down) & newest[:, None], nats, 0.0)
    if context.grid.seconds >= k.LONG_BUCKET_SECONDS:
        alone = np.maximum(found - k.LONG_BUCKET_MARGIN, 0.0)
    elif down:
        enough = np.zeros(len(newest), dtype=bool)
        some = np.flatnonzero(newest)
        enough[some] = overwhelming(y[some, 0], mu[some, 0], common[some], np.full(len(some), alpha))
        alone = np.where(enough[:, None], found, 0.0)
    else:
        alone = np.zeros_like(found)
    return np.asarray(np.where(before[:, None], found, alone).max(axis=1))
