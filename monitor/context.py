"""What of a rule the detector may know, and the history that its baseline leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.buckets import Grid, to_epoch
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.occasions import Occasions
from monitor.lattice import ANY, Lattice
from rules.model import Direction, Rule
from rules.slices import Slice


def context_of(rule: Rule, lattice: Lattice, grid: Grid, newcomers: Iterable[Slice] = ()) -> Context:
    """What of a rule the detector may know; `newcomers` are values that it is not to test."""
    return Context(
        grid=grid,
        false_incidents_per_week=rule.false_incidents_per_week,
        min_change=rule.min_change,
        min_loss=rule.min_loss,
        directions=2 if rule.direction is Direction.BOTH else 1,
        metrics=len(rule.metrics),
        expected=_expected(rule, lattice),
        ignored=_ignored((*rule.slices.ignore, *newcomers), lattice),
        region=regions_of(rule.common_mode, lattice),
    )


def regions_of(dimensions: Sequence[str], lattice: Lattice) -> NDArray[np.int64]:
    """[N]: a number for each combination of values of these dimensions, for all slices within it; else 0.

    The slice that is all of a region is held against the other regions: it is not within itself.
    """
    region = np.zeros(len(lattice), dtype=np.int64)
    named = [lattice.leaves.dimensions.index(name) for name in dimensions]
    if named:
        codes = lattice.codes[:, named]
        inside = (codes != ANY).all(axis=1) & (lattice.size > len(named))
        region[inside] = 1 + np.unique(codes[inside], axis=0, return_inverse=True)[1].ravel()
    return region


def _expected(rule: Rule, lattice: Lattice) -> NDArray[np.bool_]:
    expected = np.zeros(len(lattice), dtype=bool)
    named = [Slice(((name, value),)) for name, values in rule.slices.expected for value in values]
    if named:
        rows = lattice.rows_of(np.array([lattice.leaves.codes_of(item) for item in named], dtype=np.int32))
        expected[rows[rows >= 0]] = True
    return expected


def _ignored(slices: Iterable[Slice], lattice: Lattice) -> NDArray[np.bool_]:
    ignored = np.zeros(len(lattice), dtype=bool)
    for item in slices:
        ignored |= lattice.covered_by(item)
    return ignored


def excluded(series: LeafSeries, rule: Rule) -> LeafSeries:
    """History without the stretches that the rule's baseline leaves out: unknown, not zero."""
    if not rule.exclude:
        return series
    out = np.zeros(len(series.starts), dtype=bool)
    for part in rule.exclude:
        out |= (series.starts >= to_epoch(part.start)) & (series.starts < to_epoch(part.end))
    return replace(series, values=np.where(out[None, :], np.nan, series.values))


def ordinary(series: LeafSeries, occasions: Occasions) -> LeafSeries:
    """History whose holidays and planned events teach nothing, as what was flagged teaches nothing."""
    if not occasions:
        return series
    return replace(series, flagged=series.flagged | occasions.touched(*series.values.shape))
