"""The page of one slice, from the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.marks import of_rule
from alerts.model import Incident
from alerts.mutes import muted_until
from alerts.operations import maintained_until
from alerts.wording import clean, name_of
from dashboards.views.common import Curve, IncidentLine, MarkLine
from dashboards.views.slice import Decomposition, Shaded, SlicePage, steps, stretches
from monitor import store
from monitor.app import App
from monitor.buckets import Times, to_datetime
from monitor.detectors.bounds import limits
from monitor.detectors.hindsight import Hindsight, hindsight, rows_needed
from monitor.detectors.model import LeafSeries
from monitor.statistics.negbin import quantile_band
from monitor.views.curves import optional
from monitor.views.histories import Histories, usual
from monitor.views.panorama import Panorama, Panoramas
from rules.model import Direction, Rule
from rules.slices import Slice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHORTEST = 3600
"""Seconds of a bucket from which on weeks are looked back at: of shorter ones there are too many."""
EARLIER = 4
ROBUST = {"robust": True, "seasonal_deg": 0}
"""What was lost once stands in the rest, and bends neither day nor week; a line through few weeks would be led by the last."""
FLAGGED = 0.5
"""Share of a slice's usual events in flagged leaves from which on the bucket counts as flagged."""


@dataclass(frozen=True)
class SlicePagesOfStore:
    """`dashboards.views.slice.SlicePages` of an app."""

    app: App
    panoramas: Panoramas
    histories: Histories

    def slice(self, now: datetime, rule: str, metric: str, item: Slice, days: int) -> SlicePage | None:
        """A slice over the last days."""
        known = self.app.rule(rule)
        if known is None or metric not in ("", *(m.name for m in known.metrics)):
            return None
        panorama = self._panorama(known, metric)
        metric = metric or known.metrics[0].name
        if panorama is None:
            return _nothing(now, known, metric, item, days, "Nothing of this rule has been judged yet.")
        row, why = _row(panorama, item)
        if row is None:
            return _nothing(now, known, metric, item, days, why)
        looked = _look(panorama, self.histories, row, days)
        return self._page(now, panorama, item, row, days, looked)

    def decomposition(self, now: datetime, rule: str, metric: str, item: Slice) -> Decomposition | None:  # noqa: ARG002  # as the page
        """By MSTL of statsmodels (Bandara, Hyndman and Bergmeir 2021)."""
        known = self.app.rule(rule)
        panorama = None if known is None else self._panorama(known, metric)
        row = None if panorama is None else _row(panorama, item)[0]
        if panorama is None or row is None or panorama.question.grid.seconds < SHORTEST:
            return None
        history = self.histories.of(panorama)
        came = panorama.lattice.rollup(history.values, np.array([row]))[0]
        expected = np.asarray(panorama.fit.mean[row][panorama.question.grid.position(history.starts)], dtype=float)
        return decomposed(history.starts, came, expected, panorama.question.grid.per_day)

    def _panorama(self, rule: Rule, metric: str) -> Panorama | None:
        """None before anything was judged; the first metric where none is named."""
        return next((found for found in self.panoramas.of(rule) if metric in ("", found.metric)), None)

    def _page(self, now: datetime, panorama: Panorama, item: Slice, row: int, days: int, looked: _Looked) -> SlicePage:
        rule, starts = panorama.rule, [to_datetime(start) for start in looked.starts]
        with self.app.state.read() as tx:
            marks = tuple(m for m in of_rule(store.marks(tx, starts[0]), rule) if m.at <= now)
            silences = [
                s for s in store.silences(tx, starts[0]) if s.scope.concerns(rule) and s.scope.slice.covers(item)
            ]
            incidents = [
                i
                for i in store.incidents(tx, rule=rule.name, limit=500)
                if _touches(i, panorama.metric, item, starts[0])
            ]
        held = [Shaded("silenced", max(s.starts, starts[0]), s.ends, s.label()) for s in silences]
        during = [Shaded("incident", max(i.since, starts[0]), i.until, name_of(i.cause)) for i in incidents]
        judged = bool(panorama.fit.eligible[row])
        return SlicePage(
            now=now,
            rule=rule.name,
            metric=panorama.metric,
            metrics=tuple(metric.name for metric in rule.metrics),
            slice=item,
            name=name_of(item),
            days=days,
            judged=judged,
            why_not=""
            if judged
            else "It is not judged: too young, silent for the whole lookback, or the rule leaves it out.",
            volume=float(panorama.fit.volume[row]),
            bucket_seconds=panorama.question.grid.seconds,
            curve=looked.curve,
            earlier=looked.earlier,
            fires_at=looked.fires_at if judged else (),
            steps=steps(rule.false_incidents_per_week, panorama.fit.threshold) if looked.fires_at and judged else (),
            shaded=(*looked.shaded, *self._quiet(rule, starts), *held, *during),
            marks=tuple(MarkLine.of(mark) for mark in marks),
            incidents=tuple(IncidentLine.of(i) for i in incidents),
            parents=_parents(item),
        )

    def _quiet(self, rule: Rule, starts: list[datetime]) -> tuple[Shaded, ...]:
        """Mutes of the rule and maintenance, by the buckets that begin within them."""
        windows = tuple(w for w in self.app.settings.operations.maintenance if w.concerns(rule))
        muted = [bool(rule.mute) and muted_until(rule.mute, rule.timezone, at) is not None for at in starts]
        kept = [bool(windows) and maintained_until(windows, at) is not None for at in starts]
        return (
            *stretches(starts, muted, rule.time_bucket, "silenced", "muted by the rule"),
            *stretches(starts, kept, rule.time_bucket, "silenced", "maintenance"),
        )


@dataclass(frozen=True)
class _Looked:
    """What is known of a slice over the buckets that are shown."""

    starts: Times
    curve: Curve
    earlier: tuple[tuple[float | None, ...], ...]
    fires_at: tuple[float, ...]
    shaded: tuple[Shaded, ...]


def _row(panorama: Panorama, item: Slice) -> tuple[int | None, str]:
    """The slice's row; or None, and why there is none."""
    rule, lattice = panorama.rule, panorama.lattice
    for name in item.dimensions:
        if name not in rule.dimensions:
            return None, f"The rule has no dimension {clean(name)}: it has {', '.join(rule.dimensions)}."
    codes = lattice.leaves.codes_of(item)
    row = int(lattice.rows_of(np.array([codes], dtype=np.int32))[0])
    if row >= 0:
        return row, ""
    if len(item) > rule.depth and lattice.leaves.members(item).any():
        return None, f"It names {len(item)} dimensions, and the rule judges slices of up to {rule.depth}."
    return None, "No such slice was ever seen."


def _nothing(now: datetime, rule: Rule, metric: str, item: Slice, days: int, why: str) -> SlicePage:
    return SlicePage(
        now=now,
        rule=rule.name,
        metric=metric,
        metrics=tuple(m.name for m in rule.metrics),
        slice=item,
        name=name_of(item),
        days=days,
        judged=False,
        why_not=why,
        volume=0.0,
        bucket_seconds=int(rule.time_bucket.total_seconds()),
        curve=None,
        earlier=(),
        fires_at=(),
        steps=(),
        shaded=(),
        marks=(),
        incidents=(),
        parents=_parents(item),
    )


def _parents(item: Slice) -> tuple[tuple[str, Slice], ...]:
    """Slices that name one dimension less."""
    found = [Slice(tuple(other for other in item.terms if other != term)) for term in item.terms]
    return tuple((name_of(parent), parent) for parent in found)


def _touches(incident: Incident, metric: str, item: Slice, begin: datetime) -> bool:
    related = incident.cause.covers(item) or item.covers(incident.cause)
    return incident.metric == metric and related and incident.until > begin and IncidentLine.of(incident).measured


# --- looking back -------------------------------------------------------------------------------------------------


def _look(panorama: Panorama, histories: Histories, row: int, days: int) -> _Looked:
    grid = panorama.question.grid
    if grid.seconds < SHORTEST:
        return _lately(panorama, row)
    history = histories.of(panorama)
    rows = rows_needed(panorama.fit, row)
    came = panorama.lattice.rollup(history.values, rows)
    ordinary = panorama.lattice.rollup(usual(panorama, history), rows)
    at = int(np.searchsorted(rows, row))
    found = hindsight(panorama.fit, row, came, ordinary, history.starts, panorama.question.context)
    part = slice(-days * grid.per_day, None)
    expected = _expected(panorama, row, found)
    low, high = _band(panorama, row, expected[part])
    curve = Curve(
        starts=tuple(to_datetime(start) for start in history.starts[part]),
        observed=optional(came[at][part]),
        expected=optional(expected[part]),
        low=optional(low),
        high=optional(high),
    )
    fires = () if panorama.fit.bounds is not None else tuple(np.round(_fires(panorama.rule, found)[part], 3).tolist())
    shaded = _unusual(panorama, history, row, curve, days)
    return _Looked(history.starts[part], curve, _earlier(came[at], grid.positions, days * grid.per_day), fires, shaded)


def _lately(panorama: Panorama, row: int) -> _Looked:
    """Of short buckets those that the detector reads, beside what is expected of them by today's level."""
    one = np.array([row])
    observed, expected = panorama.observed_of(one)[0], panorama.expected_of(one)[0]
    low, high = (part[0] for part in panorama.band_of(one))
    curve = Curve(
        tuple(to_datetime(start) for start in panorama.starts), *map(optional, (observed, expected, low, high))
    )
    gaps = _gaps(panorama.rule, curve)
    return _Looked(panorama.starts, curve, (), (), gaps)


def _expected(panorama: Panorama, row: int, found: Hindsight) -> Floats:
    """Fixed bounds know no level: what is expected is what the fit says."""
    if panorama.fit.bounds is None:
        return found.expected
    count = len(found.expected)
    grid, newest = panorama.question.grid, int(panorama.question.recent.starts[-1])
    starts = grid.starts(grid.shift(newest, 1 - count), grid.end(newest))
    return np.asarray(panorama.fit.mean[row][grid.position(starts)], dtype=float)


def _band(panorama: Panorama, row: int, expected: Floats) -> tuple[Floats, Floats]:
    """What a bucket may hold by chance at the rule's threshold, or what its bounds allow; NaN where nothing is known."""
    known = ~np.isnan(expected)
    low, high = np.full((2, len(expected)), np.nan)
    mu = expected[known]
    if panorama.fit.bounds is not None:
        least, most = limits(panorama.fit.bounds, mu)
        low[known], high[known] = least, np.where(np.isinf(most), mu, most)
        return low, high
    p = float(np.exp(-panorama.fit.threshold))
    low[known], high[known] = quantile_band(mu, np.full(len(mu), panorama.fit.alpha[row, 0]), p)
    return low, high


def _fires(rule: Rule, found: Hindsight) -> Floats:
    """In the directions that the rule sends."""
    parts = [found.drop] if rule.direction is not Direction.SPIKE else []
    parts += [found.spike] if rule.direction is not Direction.DROP else []
    return np.asarray(np.max(parts, axis=0))


def _earlier(came: Floats, week: int, count: int) -> tuple[tuple[float | None, ...], ...]:
    """[weeks before][count]: the same buckets of earlier weeks, as far as they were read."""
    found = []
    for back in range(1, EARLIER + 1):
        padded = np.concatenate([np.full(back * week, np.nan), came])[: len(came)][-count:]
        if not np.isnan(padded).all():
            found.append(optional(padded))
    return tuple(found)


def _unusual(panorama: Panorama, history: LeafSeries, row: int, curve: Curve, days: int) -> tuple[Shaded, ...]:
    """Unknown buckets, and those in which most of the slice was flagged."""
    leaves, grid = panorama.lattice.leaves_of(row), panorama.question.grid
    weight = panorama.fit.leaf_volume[leaves]
    flagged = weight @ history.flagged[leaves][:, -days * grid.per_day :] > FLAGGED * weight.sum()
    why = "left out of what is normal"
    return (
        *_gaps(panorama.rule, curve),
        *stretches(curve.starts, flagged.tolist(), panorama.rule.time_bucket, "flagged", why),
    )


def _gaps(rule: Rule, curve: Curve) -> tuple[Shaded, ...]:
    hidden = [y is None for y in curve.observed]
    return stretches(curve.starts, hidden, rule.time_bucket, "unknown", "unknown")


# --- decomposition ------------------------------------------------------------------------------------------------


def decomposed(starts: Times, came: Floats, expected: Floats, per_day: int) -> Decomposition | None:
    """Trend, day, week and rest of a series [T]; unknown buckets are taken to be as expected. None for under two weeks."""
    from statsmodels.tsa.seasonal import MSTL  # noqa: PLC0415  # a second to load

    known = np.flatnonzero(~np.isnan(came))
    week = 7 * per_day
    if not len(known) or len(came) - known[0] < 2 * week or len(known) < 1.5 * week:
        return None
    came, expected, starts = came[known[0] :], expected[known[0] :], starts[known[0] :]
    gaps = np.isnan(came)
    periods = [("each day", per_day)] if per_day > 1 else []
    periods.append(("each week", week))
    found = MSTL(np.where(gaps, expected, came), periods=[period for _, period in periods], stl_kwargs=ROBUST).fit()
    seasonal = np.asarray(found.seasonal).reshape(len(came), -1)
    parts = [
        ("trend", found.trend),
        *((name, seasonal[:, i]) for i, (name, _) in enumerate(periods)),
        ("rest", found.resid),
    ]
    return Decomposition(
        starts=tuple(to_datetime(start) for start in starts),
        parts=tuple((name, tuple(np.round(np.asarray(values), 2).tolist())) for name, values in parts),
        filled=int(gaps.sum()),
    )
