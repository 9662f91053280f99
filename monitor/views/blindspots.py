"""What a rule would not notice, and a loss tried on the history that is remembered."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from alerts.actions import RefusedError
from dashboards.views.blindspots import BlindSpotsPage, Tried
from dashboards.web.errors import MissingError
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.detectors.fit import level_span, windows_of
from monitor.drill import Drill, Loss
from monitor.history import read_series
from monitor.learned import newest
from monitor.rehearsal import Scene
from monitor.views.coverage import Coverages
from monitor.views.panorama import FAR
from monitor.watched import Watched
from rules.model import Rule
from rules.slices import Slice

BUSY = "somebody else tries a loss just now: try again in a moment"


@dataclass(frozen=True)
class BlindSpotsOfStore:
    """`dashboards.views.blindspots.BlindSpotsSource` of an app."""

    app: App
    coverages: Coverages
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def blind_spots(self, rule: str | None, metric: str | None) -> BlindSpotsPage:
        """Of a rule, or of the first one; an empty page where there is none."""
        names = tuple(item.name for item in self.app.rules.rules)
        if not names and rule is None:
            return BlindSpotsPage((), "", "", (), (), found=None, working=False)
        chosen = called(self.app, rule or names[0])
        metrics = tuple(item.name for item in chosen.metrics)
        if metric is not None and metric not in metrics:
            raise MissingError(f"{chosen.name} has no metric {metric}")
        found = self.coverages.of(chosen)
        wanted = metric or metrics[0]
        return BlindSpotsPage(
            rules=names,
            rule=chosen.name,
            metric=wanted,
            metrics=metrics,
            dimensions=chosen.dimensions,
            found=found[metrics.index(wanted)] if found else None,
            working=found is None,
        )

    def drill(self, rule: str, item: Slice, share: float, buckets: int) -> Tried:
        """Lose a share of a slice for so many of the newest buckets, one drill at a time."""
        chosen = called(self.app, rule)
        if not self._busy.acquire(blocking=False):
            raise RefusedError(BUSY)
        try:
            return _drilled(self.app.state, chosen, item, Loss(share, buckets))
        finally:
            self._busy.release()


def _meet(one: Slice, other: Slice) -> bool:
    """Whether an event may be of both."""
    terms = dict(one.terms)
    return all(terms.get(name, value) == value for name, value in other.terms)


def called(app: App, name: str) -> Rule:
    """The rule of a name. Raises `MissingError`."""
    rule = app.rule(name)
    if rule is None:
        raise MissingError("no rule of this name is watched")
    return rule


def _drilled(state: store.Store, rule: Rule, item: Slice, loss: Loss) -> Tried:
    scene = stored_scene(state, rule, loss.buckets, item)
    if scene is None:
        raise RefusedError(f"{rule.name} has not learned anything yet: there is no history to lose events from")
    if any(name not in rule.dimensions for name in item.dimensions):
        raise MissingError(f"{rule.name} has no such dimension")
    row = int(scene.lattice.rows_of(np.array([scene.lattice.leaves.codes_of(item)], dtype=np.int32))[0])
    if row < 0:
        raise MissingError("this slice was never seen, or names more dimensions than the rule tests")
    (found,) = Drill(scene, loss).run([row])
    return Tried(
        rule=rule.name,
        slice=item,
        share=loss.share,
        begin=to_datetime(int(scene.starts[scene.begin])),
        buckets=loss.buckets,
        bucket_seconds=int(rule.time_bucket.total_seconds()),
        usual=found.usual,
        after=found.after,
        cause=found.cause,
        foreseen=found.foreseen,
    )


def stored_scene(state: store.Store, rule: Rule, buckets: int, quiet: Slice | None = None) -> Scene | None:
    """The newest buckets that are remembered, to be judged anew by what had been learned before them; None without any.

    With `quiet` the newest in which nothing was wrong with that slice: what is gone already cannot be lost.
    """
    grid = Watched.of(rule).grid
    with state.read() as tx:
        last = store.newest_bucket(tx, rule.name)
        known_bad = [] if quiet is None else [i for i in store.incidents(tx, rule=rule.name) if _meet(i.cause, quiet)]
    if last is None:
        return None
    for incident in known_bad:
        if to_epoch(incident.since) < grid.end(last) and to_epoch(incident.until) > grid.shift(last, 1 - buckets):
            last = grid.shift(grid.floor(to_epoch(incident.since)), -1)
    first = grid.shift(last, 1 - buckets)
    known = newest(state, rule, first) or newest(state, rule, FAR)
    if known is None:
        return None
    starts = grid.starts(grid.shift(first, -(level_span(grid) + 3 * max(windows_of(grid)))), grid.end(last))
    with state.read() as tx:
        terms = store.leaves(tx, rule.name).terms[: len(known.lattice.leaves)]
        series = read_series(tx, rule.name, starts, terms, len(rule.metrics), None)
    fits = tuple(item.fit for item in known.learned)
    begin = int(np.searchsorted(starts, first))
    return Scene(rule, known.lattice, fits, starts, np.stack([item.values for item in series]), begin)
