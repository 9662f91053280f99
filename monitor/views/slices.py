"""The heatmap: all slices of a rule from its panorama, filtered and sorted as arrays; only those shown become objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.wording import name_of
from dashboards.views.slices import Asked, HeatmapPage, HeatRow, Order
from monitor.app import App
from monitor.buckets import to_datetime
from monitor.lattice import ANY, Lattice
from monitor.views.curves import optional
from monitor.views.panorama import Panorama, Panoramas
from rules.model import Direction, Rule
from rules.slices import label_of

A_PAGE = 200
ASSUMED_SCATTER = 0.01
"""Where fixed bounds judge, nothing is learned of how slices scatter: a tenth of what is expected colours a cell."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class HeatmapsOfStore:
    """`dashboards.views.slices.Heatmaps` of an app."""

    app: App
    panoramas: Panoramas

    def heatmap(self, now: datetime, asked: Asked) -> HeatmapPage | None:
        """Two hundred slices; None where there is no such rule, metric or dimension."""
        rules = sorted(self.app.rules.rules, key=lambda rule: rule.name)
        rule = self.app.rule(asked.rule) if asked.rule else next(iter(rules), None)
        names = tuple(item.name for item in rules)
        if rule is None:
            return None if asked.rule else _empty(now, names, None, asked)
        metrics = [metric.name for metric in rule.metrics]
        unknown = (asked.metric and asked.metric not in metrics) or (
            asked.dimension and asked.dimension not in rule.dimensions
        )
        if unknown:
            return None
        found = {panorama.metric: panorama for panorama in self.panoramas.of(rule)}
        panorama = found.get(asked.metric or metrics[0])
        return _empty(now, names, rule, asked) if panorama is None else _page(now, names, panorama, asked)


def _empty(now: datetime, names: tuple[str, ...], rule: Rule | None, asked: Asked) -> HeatmapPage:
    """Before anything was judged."""
    metrics = () if rule is None else tuple(metric.name for metric in rule.metrics)
    return HeatmapPage(
        now=now,
        rules=names,
        rule="" if rule is None else rule.name,
        metrics=metrics,
        metric=asked.metric or next(iter(metrics), ""),
        dimensions=() if rule is None else rule.dimensions,
        starts=(),
        judged_until=None,
        threshold=0.0,
        bounded=False,
        rows=(),
        page=0,
        found=0,
        slices=0,
        more=False,
    )


def _page(now: datetime, names: tuple[str, ...], panorama: Panorama, asked: Asked) -> HeatmapPage:
    rule = panorama.rule
    kept = np.flatnonzero(_wanted(panorama.lattice, asked))
    order = kept[_order(panorama, kept, asked.order)]
    shown = order[asked.page * A_PAGE : (asked.page + 1) * A_PAGE]
    newest = int(panorama.starts[-1])
    return HeatmapPage(
        now=now,
        rules=names,
        rule=rule.name,
        metrics=tuple(metric.name for metric in rule.metrics),
        metric=panorama.metric,
        dimensions=rule.dimensions,
        starts=tuple(to_datetime(start) for start in panorama.starts),
        judged_until=to_datetime(panorama.question.grid.end(newest)),
        threshold=panorama.verdicts.threshold,
        bounded=panorama.fit.bounds is not None,
        rows=tuple(_rows(panorama, shown)),
        page=asked.page,
        found=len(kept),
        slices=len(panorama.lattice),
        more=len(order) > (asked.page + 1) * A_PAGE,
    )


def _wanted(lattice: Lattice, asked: Asked) -> Bools:
    """bool[N]: slices of just the one dimension, whose terms hold all parts of the text."""
    wanted = np.ones(len(lattice), dtype=bool)
    if asked.dimension:
        d = lattice.leaves.dimensions.index(asked.dimension)
        wanted &= (lattice.size == 1) & (lattice.codes[:, d] != ANY)
    for part in asked.text.casefold().split():
        wanted &= _holding(lattice, part)
    return wanted


def _holding(lattice: Lattice, part: str) -> Bools:
    """bool[N]: slices one of whose terms, as `name=value`, holds the text."""
    found = np.zeros(len(lattice), dtype=bool)
    for d, name in enumerate(lattice.leaves.dimensions):
        labels = [part in f"{name}={label_of(value)}".casefold() for value in lattice.leaves.values[d]]
        # The code of a dimension that is not named is -1, the last place.
        found |= np.array([*labels, False], dtype=bool)[lattice.codes[:, d]]
    return found


def surprise_of(panorama: Panorama) -> Floats:
    """[N]: the largest surprise of the windows that end with the newest bucket, in the directions that the rule sends."""
    verdicts, direction = panorama.verdicts, panorama.rule.direction
    parts = [verdicts.drop] if direction is not Direction.SPIKE else []
    parts += [verdicts.spike] if direction is not Direction.DROP else []
    return np.asarray(np.max([part.max(axis=1) for part in parts], axis=0))


def _order(panorama: Panorama, kept: Ints, order: Order) -> Ints:
    """Positions within `kept`, the first first."""
    volume = panorama.fit.volume[kept]
    if order is Order.VOLUME:
        return np.argsort(-volume, kind="stable")
    if order is Order.WORST:
        return np.lexsort((-volume, -surprise_of(panorama)[kept]))
    verdicts = panorama.verdicts
    missing = np.nan_to_num((verdicts.expected - verdicts.observed)[kept, -1])
    return np.lexsort((-volume, -missing if order is Order.LOSS else missing))


def _rows(panorama: Panorama, rows: Ints) -> list[HeatRow]:
    if not len(rows):
        return []
    fit, surprise = panorama.fit, surprise_of(panorama)
    observed, expected = panorama.observed_of(rows), panorama.expected_of(rows)
    scatter = np.full(len(rows), ASSUMED_SCATTER) if fit.bounds is not None else fit.alpha[rows, 0]
    found = []
    for n, row in enumerate(rows.tolist()):
        item = panorama.lattice.slice_of(row)
        found.append(
            HeatRow(
                slice=item,
                name=name_of(item),
                volume=float(fit.volume[row]),
                observed=optional(observed[n]),
                expected=tuple(np.round(expected[n], 2).tolist()),
                scatter=round(float(scatter[n]), 5),
                surprise=float(surprise[row]),
                judged=bool(fit.eligible[row]),
            )
        )
    return found
