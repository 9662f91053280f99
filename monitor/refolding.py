"""The membership of a bounded cube, decided anew once a local day; history is rewritten, and every total stays.

The source is asked for the lookback's volumes by leaf, which is exact and costs one GROUP BY a day, and only where the
cube folds. Each day of history is a transaction of its own; whoever is interrupted begins again and ends the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor import store
from monitor.buckets import DAY, to_datetime
from monitor.counts import Counts, Terms
from monitor.membership import Lookback
from monitor.promotion import Change, Places, change_text, decide
from monitor.query import Source, SourceError
from monitor.recording import same_leaves
from monitor.ripeness import LAGS
from monitor.watched import Watched
from rules.model import Interval


@dataclass(frozen=True)
class Refolding:
    """One decision: as of a local `midnight`, by what the source holds at a `tick` (epoch seconds)."""

    watched: Watched
    source: Source
    state: store.Store
    terms: tuple[Terms, ...]
    """All leaves of the store, by id; the folded one is among them."""
    before: store.Membership
    midnight: int
    tick: int
    dropped: int = 0
    """Leaves that had been dropped when `terms` were read."""

    def run(self, held: AbstractSet[Terms]) -> str:
        """Decide, rewrite and remember; a line where anything changed. `held` leaves keep their place.

        A source that cannot say the volumes leaves everything as it is until the next midnight.
        """
        try:
            volumes = self._volumes()
            change = self._change(volumes, held)
            combinations = self._combinations(volumes, change)
            if change:
                self._apply(change, combinations)
        except SourceError as error:
            self._remember(self.before.combinations, set(self.before.folded.tolist()))
            return f"which combinations slices.max keeps apart was not decided anew today: {error}"
        if not change:
            self._remember(combinations, set(self.before.folded.tolist()))
        return change_text(change, self.watched.rule.dimensions) if change else ""

    # --- deciding ----------------------------------------------------------------------------

    def _volumes(self) -> Counts:
        """Leaf sums by UTC day, or by bucket where that is longer, of the lookback; nothing of after the midnight."""
        grid, rule = self.watched.grid, self.watched.rule
        first, last = self.midnight - self.watched.lookback, self.midnight
        if grid.daily:
            starts = grid.starts(grid.floor(first), last)
            query = self.watched.query([Interval(to_datetime(int(starts[0])), to_datetime(last))], self.tick)
        else:
            starts = np.arange(first // DAY * DAY, last // DAY * DAY, DAY, dtype=np.int64)
            stretch = Interval(to_datetime(first // DAY * DAY), to_datetime(last // DAY * DAY))
            query = self.watched.by_day(stretch, self.tick)
        return Counts.from_frame(
            self.source.count(query),
            dimensions=rule.dimensions,
            measures=len(rule.metrics),
            starts=starts,
            known=self.terms,
        )

    def _change(self, volumes: Counts, held: AbstractSet[Terms]) -> Change:
        sums = volumes.values.sum(axis=(0, 2)).tolist()
        silent = np.asarray(volumes.values[:, :, -1].sum(axis=0) == 0)
        apart = self._apart()
        by_terms = {terms: n for terms, n in zip(volumes.terms, sums, strict=True) if n > 0}
        kept = {terms: n for terms, n in by_terms.items() if terms in apart}
        quiet = {terms for terms, none in zip(volumes.terms, silent.tolist(), strict=True) if none}
        outside = {terms: n for terms, n in by_terms.items() if terms not in apart}
        return decide(kept, outside, self.watched.rule.slices.max, held | quiet)

    def _apart(self) -> frozenset[Terms]:
        """Leaves with a place of their own."""
        out = {self._rest, *self.before.folded.tolist()}
        return frozenset(terms for i, terms in enumerate(self.terms) if i not in out)

    @property
    def _rest(self) -> int:
        return self.terms.index(self.watched.folded)

    def _combinations(self, volumes: Counts, change: Change) -> int:
        sums, apart = volumes.values.sum(axis=(0, 2)).tolist(), self._apart()
        outside = sum(1 for terms, n in zip(volumes.terms, sums, strict=True) if n > 0 and terms not in apart)
        return outside - len(change.promoted) + len(change.folded)

    # --- rewriting ---------------------------------------------------------------------------

    def _apply(self, change: Change, combinations: int) -> None:
        name, rest = self.watched.rule.name, self._rest
        # All questions come before the first write: a source that fails leaves no history half moved.
        history = [(day, self._wanted(day, change.promoted)) for day in self._days()]
        ids = {terms: i for i, terms in enumerate(self.terms)}
        down = np.array([ids[terms] for terms in change.folded], dtype=np.int64)
        with self._writing() as tx:
            seen = np.full(len(change.promoted), self.midnight - self.watched.lookback, dtype=np.int64)
            up = store.add_leaves(tx, name, list(change.promoted), seen).astype(np.int64)
            begun = sorted({*self.before.folded.tolist(), *up.tolist()})
            store.put_membership(
                tx, name, store.Membership(self.before.as_of, self.before.combinations, np.array(begun, dtype=np.int64))
            )
        for day, wanted in history:
            with self._writing() as tx:
                rewrite(tx, self.watched, day, Places(rest, down, up), wanted)
        folded = ({*self.before.folded.tolist()} - {*up.tolist()}) | {*down.tolist()}
        self._remember(combinations, folded)

    def _days(self) -> list[list[int]]:
        """Stored buckets by local day, the newest first, as far back as a midnight looks to see who retires."""
        begin = Lookback.of(self.watched, self.midnight, len(self.terms)).left_behind()[0]
        days: dict[int, list[int]] = {}
        with self.state.read() as tx:
            for bucket in sorted(store.coverage(tx, self.watched.rule.name, begin, self.tick)):
                days.setdefault(self.watched.grid.midnight(bucket), []).append(bucket)
        return [days[at] for at in sorted(days, reverse=True)]

    def _wanted(self, day: list[int], promoted: tuple[Terms, ...]) -> Counts:
        """What those that rise had in each bucket, in their order."""
        rule = self.watched.rule
        if not promoted:
            return Counts((), np.array(day), np.zeros((len(rule.metrics), 0, len(day)), dtype=np.int64))
        frame = self.source.count(self.watched.query(self.watched.windows(day), self.tick))
        counts = Counts.from_frame(
            frame,
            dimensions=rule.dimensions,
            measures=len(rule.metrics),
            starts=np.array(day, dtype=np.int64),
            known=promoted,
        )
        few, earlier = len(promoted), counts.earlier
        rows = counts.values[:, :few].copy()
        return Counts(promoted, counts.starts, rows, None if earlier is None else earlier[:, :, :few].copy())

    @contextmanager
    def _writing(self) -> Iterator[store.Tx]:
        with self.state.write() as tx:
            same_leaves(tx, self.watched.rule.name, self.dropped)
            yield tx

    def _remember(self, combinations: int, folded: AbstractSet[int]) -> None:
        ids = np.array(sorted(folded), dtype=np.int64)
        with self._writing() as tx:
            store.put_membership(tx, self.watched.rule.name, store.Membership(self.midnight, combinations, ids))


def rewrite(tx: store.Tx, watched: Watched, day: list[int], places: Places, wanted: Counts) -> None:
    """The stored pages of some buckets, at every age, under the new membership."""
    rule, leaves = watched.rule, 1 + int(max(places.rest, places.up.max(initial=0), places.down.max(initial=0)))
    leaves = max(leaves, len(store.leaves(tx, rule.name)))
    blocks = [store.pages(tx, rule.name, day, n_leaves=leaves, measures=len(rule.metrics), lag=n) for n in range(LAGS)]
    for t, bucket in enumerate(day):
        ages = [n for n in range(LAGS) if blocks[n].known[t]]
        held = {n: blocks[n].values[:, :, t].astype(np.int64) for n in ages}
        for n in ages:
            page = places.rewritten(held[n], _at_age(places, wanted, t, n, held))
            _put(tx, rule.name, bucket, page, n)


def _at_age(places: Places, wanted: Counts, t: int, lag: int, held: dict[int, NDArray[np.int64]]) -> NDArray[np.int64]:
    """What those that rise had at a lag class: known where events bear the time of their arrival, else in proportion."""
    if wanted.earlier is not None and lag < len(wanted.earlier):
        return wanted.earlier[lag, :, :, t]
    final, ripest = wanted.values[:, :, t], max(held)
    return final if lag == ripest else places.at_age(final, held[lag], held[ripest])


def _put(tx: store.Tx, rule: str, bucket: int, page: NDArray[np.int64], lag: int) -> None:
    rows = np.flatnonzero(page.any(axis=0))
    store.put_page(tx, rule, bucket, rows.astype(np.int32), page[:, rows], lag=lag)
