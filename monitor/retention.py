"""What is no longer kept goes, once a day, step by step: no transaction is longer than a tick may wait."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from alerts.model import Incident
from monitor import store
from monitor.buckets import DAY, Grid, to_epoch
from monitor.keeping import Retention
from monitor.lattice import Leaves
from monitor.watched import Watched

log = logging.getLogger("slicewatch")

UPKEEP = "retention"
EVERY = timedelta(hours=20)
"""Done once a day, at a daemon's first look after this time; `once` does it too."""
STRIDE = timedelta(days=2)
"""By how much one round may be ahead of the one before. After a longer absence some rounds make up for it, one at each
look; a clock that says 2036 costs days of history in the hours in which somebody sees it, not all of it at once."""
BEYOND_LOOKBACK = 35 * DAY
"""Buckets are kept so much longer than a rule's baseline reaches back, whatever the settings say: an incident that is
followed, a midnight that is made up for, and the days in which a bucket ripens."""
SCANNED = 300
"""Buckets that one step looks through for leaves."""
FINE = 3_600
"""Buckets shorter than this are kept as sums of hours later on."""

Breathe = Callable[[], object]
"""Called between two steps: others have their turn."""


def tidy(
    state: store.Store,
    keep: Retention,
    rules: Sequence[Watched],
    now: datetime,
    stopped: Callable[[], bool] = lambda: False,
    breathe: Breathe = lambda: None,
) -> str:
    """Do it where it was not done in the last twenty hours; what went, in a line.

    Of a store that is damaged nothing is taken away: raises StoreDamagedError, every time. A clock that is far ahead takes away no more than the next days would have.
    """
    with state.read() as tx:
        last = store.upkeep_done(tx, UPKEEP)
    if last is not None and abs(now - last) < EVERY:
        return ""
    state.examine()
    now = now if last is None else min(now, last + STRIDE)
    done = Tidying(state, keep, now, stopped, breathe).run(rules).text()
    if stopped():
        return done
    state.shrink(breathe)
    with state.write() as tx:
        store.put_upkeep(tx, UPKEEP, now)
    return done


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Tidied:
    """What went."""

    counts: Mapping[str, int] = field(default_factory=dict)

    def text(self) -> str:
        """In a line; "" where nothing did."""
        return ", ".join(f"{count:,} {name}" for name, count in sorted(self.counts.items()) if count)


@dataclass
class Tidying:
    """One round over everything, as of `now`. It can end early: the next one goes on where it was."""

    state: store.Store
    keep: Retention
    now: datetime
    stopped: Callable[[], bool] = lambda: False
    breathe: Breathe = _nothing
    _counts: dict[str, int] = field(default_factory=dict)

    def run(self, rules: Sequence[Watched]) -> Tidied:
        """All rules that the store knows, those in `rules` by their own grid, and all that is about none."""
        known = {watched.rule.name: watched for watched in rules}
        with self.state.read() as tx:
            names = store.rules(tx)
        for name in names:
            self._history(name, known.get(name))
            self._leaves(name, known.get(name))
        self._mail()
        self._people()
        return Tidied(dict(self._counts))

    # --- history -----------------------------------------------------------------------------

    def _history(self, name: str, watched: Watched | None) -> None:
        grid = Grid(FINE) if watched is None else watched.grid
        least = 0 if watched is None else watched.lookback + BEYOND_LOOKBACK
        fine, hours = self._before(self.keep.fine, least), self._before(self.keep.buckets, least)
        ripening = self._before(self.keep.ripening, 0)
        self._steps("ripening buckets", lambda tx: store.drop_ripening(tx, name, ripening))
        if grid.seconds < FINE:
            self._sum_days(name, grid, grid.midnight(fine), store.next_bucket, _to_hours)
        before = grid.midnight(hours)
        self._sum_days(name, grid, before, store.next_bucket, _to_day)
        self._sum_days(name, grid, before, store.next_hour, _to_day)
        self._steps("sums", lambda tx: store.drop_sums(tx, name, self._before(self.keep.days, least)))
        self._steps("flags", lambda tx: store.drop_flags(tx, name, before))
        self._steps("runs", lambda tx: store.drop_runs(tx, name, self._before(self.keep.runs, 0)))

    def _before(self, keep: timedelta, least: int) -> int:
        return to_epoch(self.now) - max(int(keep.total_seconds()), least)

    def _sum_days(
        self,
        name: str,
        grid: Grid,
        before: int,
        find: Callable[[store.Tx, str, int], int | None],
        sum_up: Callable[[store.Tx, str, int, int], int],
    ) -> None:
        """Local days that ended by `before`, a midnight, one at a time."""

        def one(tx: store.Tx) -> int:
            first = find(tx, name, before)
            if first is None:
                return 0
            start = grid.midnight(first)
            return sum_up(tx, name, start, grid.midnight(start + DAY + DAY // 2))

        self._steps("buckets summed", one)

    # --- leaves ------------------------------------------------------------------------------

    def _leaves(self, name: str, watched: Watched | None) -> None:
        """Ids of leaves that no bucket names. What is written meanwhile is looked at again in the end."""
        with self.state.read() as tx:
            generation = store.dropped_leaves(tx, name)
            left = store.old_leaves(tx, name)
            recent = self._before(timedelta(0), BEYOND_LOOKBACK if watched is None else watched.lookback + 7 * DAY)
        if not _worth(left):
            return
        end: int | None = None
        while _worth(left) and not self.stopped():
            with self.state.read() as tx:
                if store.dropped_leaves(tx, name) != generation:
                    return
                buckets = store.buckets_before(tx, name, end, SCANNED)
                if not buckets:
                    break
                left = store.unseen(tx, name, left, buckets[-1], buckets[0] + 1)
            end = buckets[-1]
            self.breathe()
        if _worth(left) and not self.stopped():
            with self.state.write() as tx:
                self._drop_leaves(tx, name, watched, left, generation, recent)

    def _drop_leaves(
        self,
        tx: store.Tx,
        name: str,
        watched: Watched | None,
        left: store.Mask,
        generation: int,
        recent: int,
    ) -> None:
        if store.dropped_leaves(tx, name) != generation:
            return
        terms = store.leaves(tx, name).terms[: len(left)]
        if watched is not None:
            left = left & ~_held(watched, terms, store.open_incidents(tx, name))
        ahead = to_epoch(self.now) + 365 * DAY
        left = store.unseen(tx, name, left, recent, ahead)
        left = store.unseen(tx, name, left, 0, ahead, hours=True)
        if _worth(left):
            self._count("leaves", store.drop_leaves(tx, name, np.flatnonzero(left)))

    # --- what is about no rule ---------------------------------------------------------------

    def _mail(self) -> None:
        done, dead = self._moment(self.keep.deliveries), self._moment(self.keep.dead_letters)
        with self.state.read() as tx:
            keys = store.old_threads(tx, done, dead)
        for first in range(0, len(keys), store.THREADS):
            if self.stopped():
                return
            with self.state.write() as tx:
                self._count("messages", store.drop_threads(tx, keys[first : first + store.THREADS]))
            self.breathe()

        def incidents(tx: store.Tx) -> int:
            return store.drop_incidents(tx, store.old_incidents(tx, self._moment(self.keep.incidents)))

        self._steps("incidents", incidents)

    def _people(self) -> None:
        for name, step, keep in (
            ("actions", store.drop_actions, self.keep.actions),
            ("silences", store.drop_silences, self.keep.silences),
            ("marks", store.drop_marks, self.keep.marks),
            ("canaries", store.drop_canaries, self.keep.runs),
            ("counters", store.drop_tallies, self.keep.runs),
        ):
            self._steps(name, partial(_before, step, self._moment(keep)))

    def _moment(self, keep: timedelta) -> int:
        """Microseconds."""
        return (to_epoch(self.now) - int(keep.total_seconds())) * 1_000_000

    # --- steps -------------------------------------------------------------------------------

    def _steps(self, name: str, step: Callable[[store.Tx], int]) -> None:
        """A step, again until there is nothing left to do, each in a transaction of its own."""
        while not self.stopped():
            with self.state.write() as tx:
                done = step(tx)
            if not done:
                return
            self._count(name, done)
            self.breathe()

    def _count(self, name: str, done: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + done


def _before(step: Callable[[store.Tx, int], int], before: int, tx: store.Tx) -> int:
    return step(tx, before)


def _worth(left: store.Mask) -> bool:
    return bool(left.any()) and float(left.mean()) >= store.WORTH


def _held(watched: Watched, terms: Sequence[tuple[object, ...]], incidents: Sequence[Incident]) -> store.Mask:
    """Leaves that an open incident is about."""
    leaves = Leaves.of(watched.rule.dimensions, tuple(terms))  # type: ignore[arg-type]  # values of dimensions
    masks = [leaves.members(incident.cause) for incident in incidents]
    return np.logical_or.reduce(masks) if masks else np.zeros(len(terms), dtype=bool)


def _to_day(tx: store.Tx, name: str, start: int, end: int) -> int:
    return store.sum_up(tx, name, start, end, store.DAY_SPAN)


def _to_hours(tx: store.Tx, name: str, start: int, end: int) -> int:
    """Hours begin at the local midnight, so that they are those of a day."""
    return sum(
        store.sum_up(tx, name, at, min(at + store.HOUR_SPAN, end), store.HOUR_SPAN)
        for at in range(start, end, store.HOUR_SPAN)
    )
