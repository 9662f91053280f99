"""Explain away: the few causes behind all alarmed slices, the strongest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.judge import Alarm, surprise
from monitor.detectors.model import Verdicts
from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.scan import Candidate, best, dispersion_by_volume, robust_noise
from monitor.statistics.common_mode import excuse
from monitor.statistics.onset import onset

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ONSET_LOOKBACK = 48
"""Buckets before the newest within which a new change is looked for."""
NEARLY_ALL = 0.9
"""Share of a wider slice's expected events that causes must hold together to be told as that slice."""
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
    """Causes of the alarms, each of at least the relative change `least`; every alarm is explained by one of them."""
    free = np.ones(len(view.lattice.leaves), dtype=bool)
    left = list(alarms)
    causes: list[Cause] = []
    while left and len(causes) < MOST_CAUSES:
        lead = left[0]
        cause = _cause_of(view, verdicts, lead, free, common, least)
        free = free & ~cause.members
        explained, left = _split(view, verdicts, left, ~free, cause)
        causes.append(_with(cause, explained))
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
        if len(parts) > 1 and weight[covered].sum() >= NEARLY_ALL * weight[inside].sum():
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


def _cause_of(view: View, verdicts: Verdicts, lead: Alarm, free: Bools, common: Floats, least: float) -> Cause:
    plain = _is_plain(view, verdicts, lead)
    first = first_bucket(view, verdicts, lead, None if plain else common)
    inside = view.lattice.incidence[[lead.row]].toarray()[0] > 0
    found = _scan(view, first, lead, free, inside, least)
    if found is None:
        codes, members = tuple(int(c) for c in view.lattice.codes[lead.row]), inside & free
    else:
        codes, members = found.codes, found.members
    return Cause(codes, members, first, lead.surprise, lead.down, (), plain)


def _scan(view: View, first: int, lead: Alarm, free: Bools, inside: Bools, least: float) -> Candidate | None:
    y, mu = view.leaf_sums(first)
    alpha = dispersion_by_volume(
        np.where(view.fit.eligible, view.fit.volume, 0.0), view.fit.alpha[:, lead.window], view.fit.leaf_volume
    )
    cells = robust_noise(view.lattice.leaves.codes, y, mu, alpha)
    return best(cells, free, inside, down=lead.down, least=least)


def _is_plain(view: View, verdicts: Verdicts, lead: Alarm) -> bool:
    """Whether the alarm stands without the common mode and would not stand against it."""
    if not view.fit.plain[lead.row]:
        return False
    if view.lattice.size[lead.row] == 0:
        return True
    common = float(verdicts.common[lead.window])
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


def _split(
    view: View, verdicts: Verdicts, left: list[Alarm], removed: Bools, cause: Cause
) -> tuple[list[Alarm], list[Alarm]]:
    """Alarms that are no longer significant without the removed leaves, and the rest.

    The leading alarm always counts as explained: a cause was found for it.
    """
    rows = np.array([a.row for a in left])
    windows = np.array([a.window for a in left])
    share = _removed_share(view, rows, removed)
    gone_y = _removed_observed(view, rows, windows, removed)
    alarm = np.arange(len(left))
    y, mu = verdicts.observed[rows], verdicts.expected[rows]
    change = np.abs(y - mu)[alarm, windows]
    y[alarm, windows] = np.maximum(y[alarm, windows] - gone_y, 0.0)
    mu[alarm, windows] *= 1.0 - share
    drop, spike = surprise(view.fit, y, mu, verdicts.common, rows)
    nats = (drop if cause.down else spike)[alarm, windows]
    effect = np.abs(y - mu)[alarm, windows] >= 0.5 * change
    still = (nats >= verdicts.threshold) & (effect | (share < 0.02))
    still[0] = False
    return [left[i] for i in np.flatnonzero(~still)], [left[i] for i in np.flatnonzero(still)]


def _removed_share(view: View, rows: NDArray[np.int64], removed: Bools) -> Floats:
    weight = view.leaf_usual(-max(view.fit.windows))
    matrix = view.lattice.incidence[rows]
    return np.asarray((matrix @ np.where(removed, weight, 0.0)) / np.maximum(matrix @ weight, 1e-12))


def _removed_observed(view: View, rows: NDArray[np.int64], windows: NDArray[np.int64], removed: Bools) -> Floats:
    matrix = view.lattice.incidence[rows]
    out = np.zeros(len(rows))
    for w, width in enumerate(view.fit.windows):
        leaf = np.where(removed, np.nan_to_num(view.leaf_judged[:, -width:]).sum(axis=1), 0.0)
        chosen = windows == w
        out[chosen] = (matrix @ leaf)[chosen]
    return out


def _with(cause: Cause, explained: list[Alarm]) -> Cause:
    rows = tuple(dict.fromkeys(a.row for a in explained))
    return Cause(cause.codes, cause.members, cause.first, cause.surprise, cause.down, rows, cause.plain)


def own_row(view: View, codes: tuple[int, ...]) -> int | None:
    """The lattice row of a cause, None where it is deeper than what is tested."""
    match = np.flatnonzero((view.lattice.codes == np.array(codes)).all(axis=1))
    return int(match[0]) if len(match) else None


def depth_of(codes: tuple[int, ...]) -> int:
    """How many dimensions a cause names."""
    return sum(code != ANY for code in codes)
