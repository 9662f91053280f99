"""Explain away: the few causes behind all alarmed slices, the strongest first."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from monitor.detectors.fit import Fit
from monitor.detectors.judge import Alarm, surprise
from monitor.detectors.model import Verdicts
from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.cells import Cells, dispersion_by_volume, robust_noise
from monitor.localize.cube import Cube
from monitor.localize.explanations import best
from monitor.statistics import constants as k
from monitor.statistics.common_mode import excuse
from monitor.statistics.onset import onset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

ONSET_LOOKBACK = 48
"""Buckets before the newest within which a new change is looked for."""
MOST_CAUSES = 50
"""A stop for a broken baseline: beyond it alarms are reported as they are."""


@dataclass(frozen=True)
class Cause:
    """A slice that explains alarms: codes over the dimensions, its leaves [S], and when it began.

    `first` is the column of the first bad bucket; `surprise` that of its strongest alarm.
    """

    codes: tuple[int, ...]
    members: Bools
    first: int
    surprise: float
    down: bool
    explained: tuple[int, ...]
    """Rows of the alarmed slices it accounts for, its own among them."""
    plain: bool
    """Whether it was judged without the common mode."""


def explain(view: View, verdicts: Verdicts, alarms: list[Alarm], common: Floats, least: float = 0.0) -> list[Cause]:
    """Causes of the alarms, each of at least the relative change `least`; every alarm is explained by one of them.

    `common` is C [R + 1, T] bucket by bucket, of all slices and of each region.
    """
    if not alarms:
        return []
    search = _Search(view, verdicts, tuple(alarms), common, least)
    free = np.ones(len(view.lattice.leaves), dtype=bool)
    left = np.arange(len(alarms))
    causes: list[Cause] = []
    while len(left) and len(causes) < MOST_CAUSES:
        cause = search.cause_of(alarms[left[0]], free)
        free = free & ~cause.members
        still = search.still(left, ~free, cause)
        # The leading alarm always counts as explained: a cause was found for it.
        still[0] = False
        rows = tuple(dict.fromkeys(alarms[i].row for i in left[~still]))
        causes.append(replace(cause, explained=rows))
        left = left[still]
    return causes


def joined(view: View, causes: list[Cause]) -> list[Cause]:
    """Causes that together are nearly all of a wider slice, told as that slice.

    Every rider lost at once, each by a ratio of its own, is one event on the total, not one per kind of rider.
    """
    weight = view.leaf_usual(-max(view.fit.windows))
    groups: dict[tuple[int, ...], list[Cause]] = {}
    for cause in causes:
        for d in (i for i, code in enumerate(cause.codes) if code != ANY):
            parent = tuple(ANY if i == d else code for i, code in enumerate(cause.codes))
            groups.setdefault(parent, []).append(cause)
    for parent in sorted(groups, key=depth_of):
        parts = groups[parent]
        inside = members_of(view, parent)
        covered = np.logical_or.reduce([part.members for part in parts])
        if len(parts) > 1 and weight[covered].sum() >= k.NEARLY_ALL * weight[inside].sum():
            whole = _merge(parent, inside, parts)
            rest = [cause for cause in causes if (cause.members & ~inside).any()]
            return joined(view, [whole, *rest])
    return causes


def _merge(codes: tuple[int, ...], members: Bools, parts: list[Cause]) -> Cause:
    rows = tuple(dict.fromkeys(row for part in parts for row in part.explained))
    first = min(part.first for part in parts)
    return Cause(codes, members, first, max(p.surprise for p in parts), parts[0].down, rows, depth_of(codes) == 0)


def members_of(view: View, codes: tuple[int, ...]) -> Bools:
    """Leaves [S] that a slice covers."""
    inside = np.ones(len(view.lattice.leaves), dtype=bool)
    for d, code in enumerate(codes):
        if code != ANY:
            inside &= view.lattice.leaves.codes[:, d] == code
    return inside


@dataclass(frozen=True)
class _Search:
    """What all causes of one tick are sought with: made once, since there may be tens of causes and 100,000 slices."""

    view: View
    verdicts: Verdicts
    alarms: tuple[Alarm, ...]
    common: Floats
    least: float

    @cached_property
    def cube(self) -> Cube:
        return Cube.of(self.view.lattice.leaves.codes)

    def _common_of(self, row: int) -> Floats:
        return np.asarray(self.common[self.view.fit.references.region[row]])

    @cached_property
    def rows(self) -> Ints:
        """Lattice row of each alarm."""
        return np.array([alarm.row for alarm in self.alarms])

    @cached_property
    def windows(self) -> Ints:
        """Window of each alarm, as an index."""
        return np.array([alarm.window for alarm in self.alarms])

    @cached_property
    def incidence(self) -> sparse.csr_array:
        """Alarms x leaves."""
        return self.view.lattice.incidence[self.rows]

    @cached_property
    def _weight(self) -> Floats:
        return self.view.leaf_usual(-max(self.view.fit.windows))

    @cached_property
    def _leaf_seen(self) -> Floats:
        """[W, S]: what came of each leaf in each window."""
        judged = np.nan_to_num(self.view.leaf_judged[:, -max(self.view.fit.windows) :])
        return np.stack([judged[:, -width:].sum(axis=1) for width in self.view.fit.windows])

    @cached_property
    def _cells(self) -> dict[tuple[int, int], Cells]:
        return {}

    def cells(self, first: int, window: int) -> Cells:
        """Leaves from column `first` on; causes that began together share them."""
        if (first, window) not in self._cells:
            fit, (y, mu) = self.view.fit, self.view.leaf_sums(first)
            alpha = dispersion_by_volume(np.where(fit.eligible, fit.volume, 0.0), fit.alpha[:, window], fit.leaf_volume)
            self._cells[first, window] = robust_noise(self.view.lattice.leaves.codes, y, mu, alpha)
        return self._cells[first, window]

    def cause_of(self, lead: Alarm, free: Bools) -> Cause:
        """The cause behind an alarm, among the leaves that are not yet explained."""
        view = self.view
        plain = _is_plain(view, self.verdicts, lead)
        first = first_bucket(view, self.verdicts, lead, None if plain else self._common_of(lead.row))
        inside = view.lattice.incidence[[lead.row]].toarray()[0] > 0
        found = best(self.cube, self.cells(first, lead.window), free, inside, down=lead.down, least=self.least)
        if found is None:
            codes, members = tuple(int(c) for c in view.lattice.codes[lead.row]), inside & free
        else:
            codes, members = found.codes, found.members
        return Cause(codes, members, first, lead.surprise, lead.down, (), plain)

    def still(self, left: Ints, removed: Bools, cause: Cause) -> Bools:
        """Which of the alarms `left` are significant without the removed leaves, the cause's among them."""
        out = np.ones(len(left), dtype=bool)
        hit = np.flatnonzero((self.incidence @ cause.members.astype(float))[left] > 0)
        some = left[hit]
        rows, windows, part = self.rows[some], self.windows[some], self.incidence[some]
        share = (part @ np.where(removed, self._weight, 0.0)) / self._whole[some]
        gone = part @ np.where(removed, self._leaf_seen, 0.0).T
        seen, normal = self.verdicts.observed[rows], self.verdicts.expected[rows]
        each = np.arange(len(some))
        change = np.abs(seen - normal)[each, windows]
        seen[each, windows] = np.maximum(seen[each, windows] - gone[each, windows], 0.0)
        normal[each, windows] *= 1.0 - share
        drop, spike = surprise(rows_of(self.view.fit, rows), seen, normal, self.verdicts.common[rows])
        nats = (drop if cause.down else spike)[each, windows]
        effect = np.abs(seen - normal)[each, windows] >= 0.5 * change
        out[hit] = (nats >= self.verdicts.threshold) & (effect | (share < 0.02))
        return out

    @cached_property
    def _whole(self) -> Floats:
        return np.asarray(np.maximum(self.incidence @ self._weight, 1e-12))


def rows_of(fit: Fit, rows: Ints) -> Fit:
    """A fit of some slices [len(rows)] only: for judging them, and nothing else, once more."""
    slices = len(fit.eligible)
    each: dict[str, Any] = {}
    for field in fields(fit):
        part = getattr(fit, field.name)
        if isinstance(part, np.ndarray) and len(part) == slices:
            each[field.name] = part[rows]
    return replace(fit, references=fit.references.at(rows), **each)


def _is_plain(view: View, verdicts: Verdicts, lead: Alarm) -> bool:
    """Whether the alarm stands without the common mode and would not stand against it."""
    if not view.fit.plain[lead.row]:
        return False
    if view.lattice.size[lead.row] == 0:
        return True
    common = float(verdicts.common[lead.row, lead.window])
    return common < 1.0 if lead.down else common > 1.0


def first_bucket(view: View, verdicts: Verdicts, lead: Alarm, common: Floats | None) -> int:
    """Column of the first bad bucket of an alarm, within the last two days and never before its window could say."""
    begin = max(0, len(view.recent.starts) - ONSET_LOOKBACK)
    mu = view.seasonal_of(lead.row)[begin:] * view.levels[lead.row, lead.window]
    if common is not None:
        mu = mu * excuse(common[begin:], down=lead.down)
    y = view.observed_of(lead.row)[begin:]
    ratio = verdicts.observed[lead.row, lead.window] / max(verdicts.expected[lead.row, lead.window], 1e-9)
    ratio = float(np.clip(ratio, 0.02, 0.95)) if lead.down else float(np.clip(ratio, 1.05, 50.0))
    alpha = float(view.fit.alpha[lead.row, 0])
    return int(begin + onset(y, mu, alpha, ratio))


def own_row(view: View, codes: tuple[int, ...]) -> int | None:
    """The lattice row of a cause, None where it is deeper than what is tested."""
    match = np.flatnonzero((view.lattice.codes == np.array(codes)).all(axis=1))
    return int(match[0]) if len(match) else None


def depth_of(codes: tuple[int, ...]) -> int:
    """How many dimensions a cause names."""
    return sum(code != ANY for code in codes)
