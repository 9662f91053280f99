"""One tick of one rule: where the pure parts meet the source and the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.incidents import StepPolicy, step
from alerts.message import RuleFacts, compose, parts_of
from alerts.model import Assessment, Decision, Finding, Incident, Kind, Message, State, Transition
from alerts.plan import Routes, plan
from monitor import store
from monitor.buckets import DAY, Grid, Times, to_datetime, to_epoch
from monitor.counts import Counts, Terms
from monitor.detectors.fit import Fit, fit
from monitor.detectors.model import Context, LeafSeries
from monitor.fits import carry_over, pack, unpack
from monitor.history import Rename, read_series, with_renames
from monitor.judging import first_needed, judge_bucket
from monitor.lattice import Lattice, Leaves
from monitor.paste import query_to_paste
from monitor.query import CountQuery, Source, SourceError
from monitor.ripeness import Schedule
from rules.model import Direction, Interval, Rule
from rules.slices import Slice


@dataclass(frozen=True)
class Outcome:
    """What a tick came to; nothing of it was sent yet."""

    rule: str
    tick: datetime
    judged: tuple[datetime, ...] = ()
    """Starts of the buckets judged."""
    transitions: tuple[Transition, ...] = ()
    decisions: tuple[Decision, ...] = ()
    messages: tuple[tuple[str, Message], ...] = ()
    """(receiver, message) pairs."""
    blind: str = ""
    """The source's error where it could not be asked."""
    repeated: bool = False
    """The tick had been evaluated before."""


@dataclass(frozen=True)
class Watched:
    """A rule with its clockwork."""

    rule: Rule
    schedule: Schedule
    fallback: str | None = None

    @classmethod
    def of(cls, rule: Rule, fallback: str | None = None) -> Watched:
        grid = Grid.of(rule.time_bucket, rule.timezone)
        return cls(rule, Schedule(grid, int(rule.detection_delay.total_seconds())), fallback)

    @property
    def grid(self) -> Grid:
        return self.schedule.grid

    @property
    def lookback(self) -> int:
        """Seconds of history that the baseline is made from."""
        return int(self.rule.lookback.total_seconds())

    def query(self, windows: Sequence[Interval]) -> CountQuery:
        """The rule's question for some stretches of time."""
        rule = self.rule
        return CountQuery(
            source=rule.source,
            timestamp=rule.timestamp,
            bucket=rule.time_bucket,
            windows=tuple(windows),
            dimensions=rule.dimensions,
            measures=rule.metrics,
            where=rule.where,
            timezone=rule.timezone,
        )

    def windows(self, buckets: Sequence[int]) -> list[Interval]:
        """Buckets (ascending) as disjoint stretches of time."""
        out: list[list[int]] = []
        for bucket in buckets:
            if out and out[-1][1] == bucket:
                out[-1][1] = self.grid.end(bucket)
            else:
                out.append([bucket, self.grid.end(bucket)])
        return [Interval(to_datetime(start), to_datetime(end)) for start, end in out]


@dataclass
class Evaluator:
    """Evaluates ticks of one rule against one source and one store. Holds nothing that the store does not."""

    watched: Watched
    source: Source
    state: store.Store
    _lattices: dict[int, Lattice] = field(default_factory=dict)
    _fits: dict[tuple[int, int], list[Fit]] = field(default_factory=dict)

    def evaluate(self, tick: datetime) -> Outcome:
        """Count, judge, decide, and remember it all in one transaction.

        A tick that was evaluated before is counted again; where the counts are the same, nothing is written.
        """
        with self.state.read() as tx:
            before = self._remembered(tx, tick)
        if before.done:
            return self._repeat(tick, before)
        try:
            fresh = self._count(before)
        except SourceError as error:
            return self._blind(tick, before, str(error))
        return self._finish(tick, before, fresh, self._judge(tick, before, fresh))

    def blind(self, tick: datetime, error: str) -> Outcome:
        """The tick of a source that could not be asked: one blind incident, everything else frozen."""
        with self.state.read() as tx:
            before = self._remembered(tx, tick)
        if before.done:
            return Outcome(self.watched.rule.name, tick, blind=error, repeated=True)
        return self._blind(tick, before, error)

    # --- reading -----------------------------------------------------------------------------

    def _remembered(self, tx: store.Tx, tick: datetime) -> Remembered:
        name, epoch = self.watched.rule.name, to_epoch(tick)
        runs = [run for run in store.runs(tx, name, limit=1000) if run.tick < epoch and run.outcome == store.OK]
        last_good = runs[0].tick if runs else None
        newest = self.watched.schedule.newest(epoch)
        known = store.coverage(tx, name, newest - self.watched.lookback, newest + DAY)
        to_judge = self.watched.schedule.newly_due(last_good, epoch)
        first = self.watched.grid.floor(newest - self.watched.lookback)
        to_read = self.watched.schedule.to_read(epoch, known, first)
        to_read |= {b: 0 for b in to_judge if b not in to_read and b not in known}
        leaves = store.leaves(tx, name)
        every = store.incidents(tx, rule=name, newest_first=False)
        return Remembered(
            done=_done(tx, name, epoch),
            to_judge=tuple(to_judge),
            to_read=dict(sorted(to_read.items())),
            terms=tuple(leaves.terms),
            open=tuple(i for i in every if i.state is not State.RESOLVED),
            renames=tuple(_rename(i) for i in every if _is_told_rename(i, tick)),
            told=store.told(tx, name),
        )

    def _count(self, before: Remembered) -> Counts:
        buckets = list(before.to_read)
        if not buckets:
            empty = np.zeros((len(self.watched.rule.metrics), len(before.terms), 0), dtype=np.int64)
            return Counts(before.terms, np.zeros(0, dtype=np.int64), empty)
        frame = self.source.count(self.watched.query(self.watched.windows(buckets)))
        counts = Counts.from_frame(
            frame,
            dimensions=self.watched.rule.dimensions,
            measures=len(self.watched.rule.metrics),
            starts=np.array(buckets, dtype=np.int64),
            known=before.terms,
        )
        return counts.bounded(len(before.terms), self.watched.rule.slices.max)

    # --- judging -----------------------------------------------------------------------------

    def _judge(self, tick: datetime, before: Remembered, fresh: Counts) -> Judged:
        """Judge the newly due buckets in order; open incidents go from one to the next."""
        out = Judged(open=before.open)
        for bucket in before.to_judge:
            at = tick if bucket == before.to_judge[-1] else to_datetime(self.watched.schedule.due(bucket))
            known = replace(before, renames=(*before.renames, *_told_renames(out.transitions)))
            out = self._judge_bucket(bucket, at, known, fresh, out)
        return replace(out, transitions=tuple(_blind_until(tick, t) for t in out.transitions))

    def _judge_bucket(self, bucket: int, at: datetime, before: Remembered, fresh: Counts, so_far: Judged) -> Judged:
        rule, terms = self.watched.rule, fresh.terms
        if not terms:
            return so_far.after(step(so_far.open, Assessment(rule.name, at), StepPolicy.of(rule)), {}, {})
        with self.state.read() as tx:
            fits, blob = self._fits_for(tx, bucket, terms, before, fresh, so_far)
            recent = self._recent(tx, bucket, terms, before, fresh, so_far)
        lattice = self._lattice(terms)
        context = context_of(rule, lattice, self.watched.grid)
        made = judge_bucket(rule, at, context, lattice, fits, recent, so_far.open)
        return so_far.after(made.transitions, made.flags, blob)

    def _fits_for(
        self, tx: store.Tx, bucket: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> tuple[list[Fit], dict[int, bytes]]:
        """The fits that judge a bucket, and the blob to store where they were made anew."""
        as_of = self._as_of(bucket, before)
        key = (as_of, len(terms))
        if key in self._fits:
            return self._fits[key], {}
        blob = store.fit(tx, self.watched.rule.name, as_of)
        made: dict[int, bytes] = {}
        if blob is None:
            blob = pack(len(terms), self._refit(tx, as_of, terms, before, fresh, so_far))
            made[as_of] = blob
        leaves, fits = unpack(blob)
        lattice = self._lattice(terms)
        if leaves < len(terms):
            fits = [carry_over(item, self._lattice(terms[:leaves]), lattice) for item in fits]
        self._fits = {key: fits}
        return fits, made

    def _as_of(self, bucket: int, before: Remembered) -> int:
        """Refit at local midnight, and once a rename has been told."""
        told = [self.watched.grid.floor(r.told) for r in before.renames if r.told <= bucket]
        midnight = bucket if self.watched.grid.daily else self.watched.grid.midnight(bucket)
        return max([midnight, *told])

    def _refit(
        self, tx: store.Tx, as_of: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> list[Fit]:
        grid = self.watched.grid
        starts = grid.starts(grid.floor(as_of - self.watched.lookback), as_of)
        lattice = self._lattice(terms)
        context = context_of(self.watched.rule, lattice, grid)
        known = (
            replace(item, flagged=so_far.flagged_over(item)) for item in self._series(tx, starts, terms, before, fresh)
        )
        return [fit(lattice, _excluded(item, self.watched.rule), as_of, context) for item in known]

    def _recent(
        self, tx: store.Tx, bucket: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> list[LeafSeries]:
        """The last days up to and with the bucket: level, longest window, search for an onset, open incidents."""
        grid = self.watched.grid
        first = first_needed(grid, bucket, so_far.open)
        starts = grid.starts(first, grid.end(bucket))
        series = self._series(tx, starts, terms, before, fresh)
        return [replace(item, flagged=so_far.flagged_over(item)) for item in series]

    def _series(
        self, tx: store.Tx, starts: Times, terms: tuple[Terms, ...], before: Remembered, fresh: Counts
    ) -> list[LeafSeries]:
        rule = self.watched.rule
        found = read_series(tx, rule.name, starts, terms, len(rule.metrics), fresh)
        renames = [r.rename for r in before.renames]
        return [with_renames(item, terms, rule.dimensions, renames) for item in found]

    def _lattice(self, terms: tuple[Terms, ...]) -> Lattice:
        if len(terms) not in self._lattices:
            if len(self._lattices) > 4:
                self._lattices.clear()
            leaves = Leaves.of(self.watched.rule.dimensions, terms)
            self._lattices[len(terms)] = Lattice.of(leaves, self.watched.rule.depth)
        return self._lattices[len(terms)]

    # --- remembering -------------------------------------------------------------------------

    def _blind(self, tick: datetime, before: Remembered, error: str) -> Outcome:
        rule = self.watched.rule
        newest = before.to_judge[-1] if before.to_judge else self.watched.schedule.newest(to_epoch(tick))
        blind = Finding(
            rule=rule.name,
            metric=rule.metrics[0].name,
            kind=Kind.BLIND,
            slice=Slice(),
            since=to_datetime(before.to_judge[0] if before.to_judge else newest),
            until=to_datetime(self.watched.grid.end(newest)),
            observed=0.0,
            expected=0.0,
            p=0.0,
            detail=error,
        )
        made = step(before.open, Assessment(rule.name, tick, blind=blind), StepPolicy.of(rule))
        judged = Judged(open=before.open).after(made, {}, {})
        return self._finish(tick, before, None, judged, blind=error)

    def _finish(
        self,
        tick: datetime,
        before: Remembered,
        fresh: Counts | None,
        judged: Judged,
        *,
        blind: str = "",
    ) -> Outcome:
        transitions = judged.transitions
        decisions = plan(transitions, Routes.of(self.watched.rule, self.watched.fallback), tick, before.told)
        messages = tuple(self._messages(transitions, decisions))
        with self.state.write() as tx:
            if _done(tx, self.watched.rule.name, to_epoch(tick)):
                return Outcome(self.watched.rule.name, tick, repeated=True)
            self._write(tx, tick, before, fresh, judged, decisions, messages, blind)
        starts = () if blind else tuple(to_datetime(b) for b in before.to_judge)
        return Outcome(self.watched.rule.name, tick, starts, transitions, decisions, messages, blind)

    def _messages(self, transitions: Sequence[Transition], decisions: Sequence[Decision]) -> list[tuple[str, Message]]:
        made = {(t.incident.id, t.incident.seq): t for t in transitions}
        out = []
        for decision in decisions:
            if decision.send:
                transition = made[decision.incident, decision.seq]
                facts = RuleFacts.of(self.watched.rule, query_to_paste(self.watched.rule, transition.incident))
                out.append((decision.receiver, compose(transition, facts)))
        return out

    def _write(
        self,
        tx: store.Tx,
        tick: datetime,
        before: Remembered,
        fresh: Counts | None,
        judged: Judged,
        decisions: Sequence[Decision],
        messages: Sequence[tuple[str, Message]],
        blind: str,
    ) -> None:
        name = self.watched.rule.name
        if fresh is not None:
            write_pages(tx, name, fresh, before.terms, before.to_read)
        for as_of, blob in judged.fits.items():
            store.put_fit(tx, name, as_of, blob)
        for bucket, inside in judged.flags.items():
            store.put_flags(tx, name, bucket, np.flatnonzero(inside).astype(np.int32))
        for transition in judged.transitions:
            store.save_incident(tx, transition.incident)
            store.add_transition(tx, transition)
        for decision in decisions:
            store.add_decision(tx, decision)
        for receiver, message in messages:
            store.enqueue(tx, message, receiver, parts_of(message), tick)
        store.record_run(tx, name, to_epoch(tick), store.BLIND if blind else store.OK, blind)

    def _repeat(self, tick: datetime, before: Remembered) -> Outcome:
        """A tick again: what the source says now replaces its pages, unless riper ones are there; verdicts stand."""
        name = self.watched.rule.name
        again = dict.fromkeys(before.to_judge, 0)
        try:
            fresh = self._count(replace(before, to_read=again))
        except SourceError as error:
            return Outcome(name, tick, blind=str(error), repeated=True)
        with self.state.write() as tx:
            if store.newest_run(tx, name) == to_epoch(tick):
                write_pages(tx, name, fresh, before.terms, again)
        return Outcome(name, tick, repeated=True)


def _done(tx: store.Tx, rule: str, tick: int) -> bool:
    """Whether a tick was evaluated with an answer of the source; a blind one may be tried again."""
    known = store.run(tx, rule, tick)
    return known is not None and known.outcome == store.OK


@dataclass(frozen=True)
class ToldRename:
    """A rename, and when it was told (epoch seconds): from then on the new name has the old one's history."""

    rename: Rename
    told: int


@dataclass(frozen=True)
class Remembered:
    """What the store knew when a tick began."""

    done: bool
    to_judge: tuple[int, ...]
    to_read: Mapping[int, int]
    """Bucket to lag class."""
    terms: tuple[Terms, ...]
    open: tuple[Incident, ...]
    renames: tuple[ToldRename, ...]
    told: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Judged:
    """What judging came to so far within a tick."""

    open: tuple[Incident, ...]
    transitions: tuple[Transition, ...] = ()
    flags: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    fits: Mapping[int, bytes] = field(default_factory=dict)

    def after(
        self, made: Sequence[Transition], flags: Mapping[int, NDArray[np.bool_]], fits: Mapping[int, bytes]
    ) -> Judged:
        """With one more bucket's transitions, flags and fits."""
        latest = {incident.id: incident for incident in self.open}
        latest |= {transition.incident.id: transition.incident for transition in made}
        still = tuple(i for i in latest.values() if i.state is not State.RESOLVED)
        return Judged(still, (*self.transitions, *made), {**self.flags, **flags}, {**self.fits, **fits})

    def flagged_over(self, series: LeafSeries) -> NDArray[np.bool_]:
        """The series' flags with those of buckets judged within this tick laid over."""
        if not self.flags:
            return series.flagged
        flagged = series.flagged.copy()
        for bucket, inside in self.flags.items():
            flagged[:, series.starts == bucket] = inside[:, None]
        return flagged


def write_pages(tx: store.Tx, rule: str, counts: Counts, known: Sequence[Terms], to_read: Mapping[int, int]) -> None:
    """Store what was counted: new leaves first, then a page per bucket at its lag class."""
    fresh = counts.terms[len(known) :]
    if fresh:
        seen = counts.values[:, len(known) :].any(axis=0)
        first = counts.starts[np.argmax(seen, axis=1)]
        ids = store.add_leaves(tx, rule, list(fresh), first)
        expected = np.arange(len(known), len(counts.terms))
        if not np.array_equal(ids, expected):
            raise store.ConflictError(f"{rule}: another process counted the same rule meanwhile; run the tick again")
    for bucket, lag in to_read.items():
        positions, values = counts.page(bucket)
        store.put_page(tx, rule, bucket, positions, values, lag=lag)


def context_of(rule: Rule, lattice: Lattice, grid: Grid) -> Context:
    """What of a rule the detector may know."""
    return Context(
        grid=grid,
        false_incidents_per_week=rule.false_incidents_per_week,
        min_change=rule.min_change,
        min_loss=rule.min_loss,
        directions=2 if rule.direction is Direction.BOTH else 1,
        metrics=len(rule.metrics),
        expected=_expected(rule, lattice),
        ignored=_ignored(rule, lattice),
    )


def _expected(rule: Rule, lattice: Lattice) -> NDArray[np.bool_]:
    wanted = {Slice(((name, value),)) for name, values in rule.slices.expected for value in values}
    if not wanted:
        return np.zeros(len(lattice), dtype=bool)
    return np.array(
        [any(name in wanted for name in (lattice.slice_of(n), *lattice.names_of(n))) for n in range(len(lattice))],
        dtype=bool,
    )


def _ignored(rule: Rule, lattice: Lattice) -> NDArray[np.bool_]:
    if not rule.slices.ignore:
        return np.zeros(len(lattice), dtype=bool)
    return np.array(
        [any(item.covers(lattice.slice_of(n)) for item in rule.slices.ignore) for n in range(len(lattice))], dtype=bool
    )


def _excluded(series: LeafSeries, rule: Rule) -> LeafSeries:
    """History without the stretches that the rule's baseline leaves out: unknown, not zero."""
    if not rule.exclude:
        return series
    out = np.zeros(len(series.starts), dtype=bool)
    for part in rule.exclude:
        out |= (series.starts >= to_epoch(part.start)) & (series.starts < to_epoch(part.end))
    return replace(series, values=np.where(out[None, :], np.nan, series.values))


def _is_told_rename(incident: Incident, tick: datetime) -> bool:
    told = incident.kind is Kind.RENAMED and incident.to is not None and incident.raised_at is not None
    return told and incident.resolved_at is not None and incident.resolved_at <= tick


def _told_renames(transitions: Sequence[Transition]) -> list[ToldRename]:
    """Renames that were told and closed within a tick that judges several buckets."""
    return [_rename(t.incident) for t in transitions if _is_told_rename(t.incident, t.at)]


def _blind_until(tick: datetime, transition: Transition) -> Transition:
    """The source answers at the tick, whatever bucket is judged first then."""
    incident = transition.incident
    if incident.kind is not Kind.BLIND or incident.state is not State.RESOLVED:
        return transition
    return replace(transition, incident=replace(incident, resolved_at=tick, tick=tick), at=tick)


def _rename(incident: Incident) -> ToldRename:
    assert incident.to is not None
    assert incident.resolved_at is not None
    return ToldRename(Rename(incident.cause, incident.to, to_epoch(incident.since)), to_epoch(incident.resolved_at))
