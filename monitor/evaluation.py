"""One tick of one rule: where the pure parts meet the source and the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alerts.incidents import FAMILIES, Family, StepPolicy, amend, step
from alerts.message import RuleFacts, compose, parts_of
from alerts.model import Assessment, Decision, Finding, Incident, Kind, Message, State, Transition
from alerts.plan import Routes, plan
from monitor import store
from monitor.accepted import Accepted, accepted_of, with_accepted
from monitor.assess import Question, codes_of
from monitor.buckets import DAY, Grid, Times, to_datetime, to_epoch
from monitor.calendars import Calendar
from monitor.completeness import Curves, Reads, learn
from monitor.counts import Counts, Terms
from monitor.detectors import open_detector
from monitor.detectors.fit import from_begin, windows_of
from monitor.detectors.model import Context, LeafSeries
from monitor.detectors.occasions import Occasions
from monitor.detectors.protocol import Detector
from monitor.fits import Learned, carry_over, is_of, method_of, pack, unpack
from monitor.history import Rename, read_classes, read_series, with_renames
from monitor.judging import first_needed, judge_bucket
from monitor.lattice import Lattice, Leaves
from monitor.membership import Lookback, overflow_text, overflows, retired, retired_text, silent
from monitor.paste import query_to_paste
from monitor.query import Arrivals, CountQuery, Source, SourceError
from monitor.ripeness import LAG_SECONDS, Schedule, lag_class
from monitor.statistics import constants as k
from monitor.watermark import behind, same_places
from rules.model import Direction, Interval, Rule
from rules.slices import Slice

_UNKNOWN = {Kind.BLIND: store.BLIND, Kind.LATE: store.LATE}
"""Kinds of trouble with the source, and how the run is recorded."""
_NOTHING = np.zeros((0, 0))


class TooManySlicesError(Exception):
    """The rule's detector cannot judge so many slices; nothing is judged, and somebody is told."""


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
    late: str = ""
    """Since when nothing arrived, where the source is behind."""
    repeated: bool = False
    """The tick had been evaluated before."""
    notices: tuple[str, ...] = ()
    """What a person should know once and nobody is woken for: lines of text."""


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

    def query(self, windows: Sequence[Interval], tick: int) -> CountQuery:
        """The rule's question for some stretches of time, as the source was at a tick where it knows that."""
        rule = self.rule
        lags = tuple(timedelta(seconds=self.schedule.delay + lag) for lag in LAG_SECONDS)
        arrivals = Arrivals(rule.arrived_at, lags, to_datetime(tick)) if rule.arrived_at is not None else None
        return CountQuery(
            source=rule.source,
            timestamp=rule.timestamp,
            bucket=rule.time_bucket,
            windows=tuple(windows),
            dimensions=rule.dimensions,
            measures=rule.metrics,
            where=rule.where,
            timezone=rule.timezone,
            arrivals=arrivals,
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
    _terms: tuple[Terms, ...] = ()
    _leaves: Leaves | None = None
    _lattices: dict[int, Lattice] = field(default_factory=dict)
    _learned: dict[tuple[int, int], list[Learned]] = field(default_factory=dict)
    _retired: dict[int, int] = field(default_factory=dict)
    """Leaves silent for the whole lookback, by the midnight before which."""

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
            self._check_slices(fresh.terms)
            late = self._late(before, fresh)
        except (SourceError, TooManySlicesError) as error:
            return self._unknown(tick, before, Kind.BLIND, str(error))
        if late:
            return self._unknown(tick, before, Kind.LATE, late)
        try:
            judged = self._judge(tick, before, fresh)
            return self._finish(tick, before, fresh, judged, notices=self._notices(before, fresh, judged))
        except BaseException:
            # A fit that was made on the way was not stored: the next attempt has to make it again, and store it.
            self._learned.clear()
            raise

    def blind(self, tick: datetime, error: str) -> Outcome:
        """The tick of a source that could not be asked: one blind incident, everything else frozen."""
        with self.state.read() as tx:
            before = self._remembered(tx, tick)
        if before.done:
            return Outcome(self.watched.rule.name, tick, blind=error, repeated=True)
        return self._unknown(tick, before, Kind.BLIND, error)

    # --- reading -----------------------------------------------------------------------------

    def _remembered(self, tx: store.Tx, tick: datetime) -> Remembered:
        name, epoch = self.watched.rule.name, to_epoch(tick)
        last_good = store.newest_good(tx, name, epoch)
        newest = self.watched.schedule.newest(epoch)
        known = store.coverage(tx, name, newest - self.watched.lookback, newest + DAY)
        to_judge = self.watched.schedule.newly_due(last_good, epoch)
        first = self.watched.grid.floor(newest - self.watched.lookback)
        to_read = self.watched.schedule.to_read(epoch, known, first)
        to_read |= {b: self._age(b, epoch) for b in to_judge if b not in to_read and b not in known}
        every = store.incidents(tx, rule=name, newest_first=False)
        return Remembered(
            tick=epoch,
            done=_done(tx, name, epoch),
            to_judge=tuple(to_judge),
            to_read=dict(sorted(to_read.items())),
            terms=self._known_terms(tx),
            open=tuple(i for i in every if i.state is not State.RESOLVED),
            closed=tuple(i for i in every if _may_be_late(i, tick)),
            renames=tuple(_rename(i) for i in every if _is_told_rename(i, tick)),
            accepted=accepted_of(every, epoch),
            told=store.told(tx, name),
        )

    def _known_terms(self, tx: store.Tx) -> tuple[Terms, ...]:
        """All leaves of the rule; those read before are kept, since an id always means the same."""
        fresh = store.leaves(tx, self.watched.rule.name, len(self._terms)).terms
        if fresh:
            self._terms = (*self._terms, *fresh)
        return self._terms

    def _age(self, bucket: int, tick: int) -> int:
        """The lag class at which a bucket is read at a tick."""
        return max(lag_class(tick - self.watched.schedule.due(bucket)), 0)

    def _count(self, before: Remembered) -> Counts:
        buckets = list(before.to_read)
        if not buckets:
            empty = np.zeros((len(self.watched.rule.metrics), len(before.terms), 0), dtype=np.int64)
            return Counts(before.terms, np.zeros(0, dtype=np.int64), empty)
        frame = self.source.count(self.watched.query(self.watched.windows(buckets), before.tick))
        counts = Counts.from_frame(
            frame,
            dimensions=self.watched.rule.dimensions,
            measures=len(self.watched.rule.metrics),
            starts=np.array(buckets, dtype=np.int64),
            known=before.terms,
            leaves=self._leaves_of(before.terms),
        )
        return self._bounded(counts, before)

    def _bounded(self, counts: Counts, before: Remembered) -> Counts:
        """No more leaves than `slices.max`, those silent for the whole lookback not counted."""
        known, most = len(before.terms), self.watched.rule.slices.max
        if len(counts.terms) <= most or not before.to_judge:
            return counts.bounded(known, most)
        midnight = self.watched.grid.midnight(before.to_judge[0])
        if midnight not in self._retired:
            with self.state.read() as tx:
                self._retired = {midnight: int(silent(tx, self._lookback(midnight, known)).sum())}
        return counts.bounded(known, most + self._retired[midnight])

    def _lookback(self, as_of: int, leaves: int) -> Lookback:
        rule = self.watched.rule
        return Lookback(rule.name, self.watched.grid, self.watched.lookback, as_of, leaves, len(rule.metrics))

    def _notices(self, before: Remembered, fresh: Counts, judged: Judged) -> tuple[str, ...]:
        """What is told once: slices retired at a midnight of this tick, and a cube that has begun to be folded."""
        midnights = [at for at in sorted(judged.fits) if at == self.watched.grid.midnight(at)]
        with self.state.read() as tx:
            return (*self._retirements(tx, midnights, before.terms), *self._overflow(tx, before, fresh))

    def _retirements(self, tx: store.Tx, midnights: Sequence[int], terms: tuple[Terms, ...]) -> Iterator[str]:
        for as_of in midnights if terms else ():
            gone = retired(tx, self._lookback(as_of, len(terms)), self._lattice(terms))
            if gone:
                yield retired_text(gone, self.watched.lookback // DAY)

    def _overflow(self, tx: store.Tx, before: Remembered, fresh: Counts) -> Iterator[str]:
        rule, grid = self.watched.rule, self.watched.grid
        folded = fresh.folded()
        came = folded is not None and fresh.values[:, folded, np.isin(fresh.starts, before.to_judge)].any()
        if came and (
            store.newest_run(tx, rule.name) is None
            or overflows(tx, rule.name, grid, before.to_judge[0], fresh.terms, len(rule.metrics))
        ):
            yield overflow_text(rule.slices.max)

    def _check_slices(self, terms: tuple[Terms, ...]) -> None:
        most = min((d.most_slices for d in self._detectors if d.most_slices is not None), default=None)
        if most is not None and len(self._lattice(terms)) > most:
            name = self.watched.rule.detector.name
            raise TooManySlicesError(
                f"detector {name} judges at most {most} slices, and there are {len(self._lattice(terms))}: "
                "name fewer dimensions, a smaller depth, or detector: default"
            )

    @cached_property
    def _detectors(self) -> tuple[Detector, ...]:
        """One for each metric."""
        rule = self.watched.rule
        return tuple(open_detector(rule.detector, metric.name) for metric in rule.metrics)

    @cached_property
    def _calendar(self) -> Calendar:
        return Calendar.of(self.watched.rule)

    def _late(self, before: Remembered, fresh: Counts) -> str:
        """Since when the source is behind; "" where its watermark does not say so, or there is none."""
        if self.watched.rule.arrived_at is None or not before.to_judge or fresh.earlier is None:
            return ""
        bucket = before.to_judge[-1]
        came = float(fresh.earlier[0, 0, :, int(np.searchsorted(fresh.starts, bucket))].sum())
        places = same_places(self.watched.grid, bucket)
        with self.state.read() as tx:
            measures = len(self.watched.rule.metrics)
            past = store.pages(tx, self.watched.rule.name, places, n_leaves=len(before.terms), measures=measures, lag=0)
        usual = past.values[0][:, past.known].sum(axis=0)
        end = self.watched.grid.end(bucket)
        if not behind(came, usual, bucket, end, None):
            return ""
        newest = Interval(to_datetime(bucket - LAG_SECONDS[-1]), to_datetime(end))
        last = self.source.watermark(self.watched.query([newest], before.tick))
        return behind(came, usual, bucket, end, last)

    # --- judging -----------------------------------------------------------------------------

    def _judge(self, tick: datetime, before: Remembered, fresh: Counts) -> Judged:
        """Judge the newly due buckets in order; open incidents go from one to the next."""
        out = Judged(open=before.open)
        for bucket in before.to_judge:
            at = tick if bucket == before.to_judge[-1] else to_datetime(self.watched.schedule.due(bucket))
            known = replace(
                before,
                renames=(*before.renames, *_told_renames(out.transitions)),
                accepted=(*before.accepted, *accepted_of((t.incident for t in out.transitions), to_epoch(tick))),
            )
            out = self._judge_bucket(bucket, at, known, fresh, out)
        return replace(out, transitions=tuple(_blind_until(tick, t) for t in out.transitions))

    def _judge_bucket(self, bucket: int, at: datetime, before: Remembered, fresh: Counts, so_far: Judged) -> Judged:
        rule, terms = self.watched.rule, fresh.terms
        if not terms:
            return so_far.after(step(so_far.open, Assessment(rule.name, at), StepPolicy.of(rule)), {}, {})
        with self.state.read() as tx:
            learned, blob = self._learned_for(tx, bucket, terms, before, fresh, so_far)
            closed = before.closed if any(item.curves is not None for item in learned) else ()
            found = self._recent(tx, bucket, terms, before, fresh, so_far, (*so_far.open, *closed))
            recent = [from_begin(item, known.fit.begin) for item, known in zip(found, learned, strict=True)]
        lattice = self._lattice(terms)
        occasions = self._calendar.over(self.watched.grid, lattice.leaves, recent[0].starts)
        questions = [
            Question(
                rule=rule.name,
                metric=metric.name,
                direction=rule.direction,
                grid=self.watched.grid,
                lattice=lattice,
                fit=learned[m].judging,
                recent=recent[m],
                open=tuple(i for i in so_far.open if i.metric == metric.name),
                context=context_of(rule, lattice, self.watched.grid),
                detector=self._detectors[m],
                occasions=occasions,
                curves=learned[m].curves,
                closed=tuple(i for i in closed if i.metric == metric.name),
            )
            for m, metric in enumerate(rule.metrics)
        ]
        judged = judge_bucket(rule, at, questions, so_far.open)
        known = {incident.id: so_far.closed.get(incident.id, incident) for incident in closed}
        grown = [amend(known[r.incident], r, at) for answer in judged.answers for r in answer.amendments]
        made = (*judged.transitions, *(transition for transition in grown if transition is not None))
        return so_far.after(made, judged.flags, blob)

    def _learned_for(
        self, tx: store.Tx, bucket: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> tuple[list[Learned], dict[int, bytes]]:
        """What judges a bucket, and the blob to store where it was learned anew."""
        as_of = self._as_of(bucket, before)
        key, made = (as_of, len(terms)), dict[int, bytes]()
        if key not in self._learned:
            blob, method = store.fit(tx, self.watched.rule.name, as_of), method_of(self.watched.rule)
            if blob is None or not is_of(blob, method):
                blob = pack(len(terms), self._refit(tx, as_of, terms, before, fresh, so_far), method)
                made[as_of] = blob
            leaves, learned = unpack(blob)
            if leaves < len(terms):
                old, new = self._lattice(terms[:leaves]), self._lattice(terms)
                learned = [carry_over(item, old, new) for item in learned]
            self._learned = {key: learned}
        return self._with_young_curves(tx, self._learned[key], as_of, bucket, terms, so_far), made

    def _with_young_curves(
        self, tx: store.Tx, learned: list[Learned], as_of: int, bucket: int, terms: tuple[Terms, ...], so_far: Judged
    ) -> list[Learned]:
        """On the first day of own reads midnight knew too little of how late events come: every bucket learns anew."""
        first = store.read_again(tx, self.watched.rule.name, as_of - DAY - self.watched.grid.seconds, bucket)
        if first is not None and first <= as_of - DAY:
            return learned
        curves = self._curves(tx, bucket, terms, so_far)
        return [replace(item, curves=late) for item, late in zip(learned, curves, strict=True)]

    def _curves(self, tx: store.Tx, stop: int, terms: tuple[Terms, ...], so_far: Judged) -> list[Curves | None]:
        """How late the events of each metric come, from what was read before a bucket; None where never."""
        grid, rule = self.watched.grid, self.watched.rule
        first = store.read_again(tx, rule.name, stop - k.ARRIVAL_DAYS * DAY, stop)
        lattice, widths = self._lattice(terms), windows_of(grid)
        if first is None:
            return [Curves.unknown(lattice, grid, widths)] * len(rule.metrics)
        if not store.any_ripened(tx, rule.name, first, stop):
            return [None] * len(rule.metrics)
        starts = grid.starts(first, stop)
        flagged = so_far.flagged_over(LeafSeries(starts, _NOTHING, store.flags(tx, rule.name, starts, len(terms))))
        read = read_classes(tx, rule.name, starts, len(terms), len(rule.metrics))
        return [learn(lattice, Reads(starts, values, flagged), grid, widths) for values in read]

    def _as_of(self, bucket: int, before: Remembered) -> int:
        """Refit at local midnight, once a rename has been told, and once a change was accepted."""
        told = [self.watched.grid.floor(r.told) for r in before.renames if r.told <= bucket]
        told += [item.until for item in before.accepted if item.until <= bucket]
        midnight = bucket if self.watched.grid.daily else self.watched.grid.midnight(bucket)
        return max([midnight, *told])

    def _refit(
        self, tx: store.Tx, as_of: int, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> list[Learned]:
        grid = self.watched.grid
        starts = grid.starts(grid.floor(as_of - self.watched.lookback), as_of)
        lattice = self._lattice(terms)
        context = context_of(self.watched.rule, lattice, grid)
        occasions = self._calendar.over(grid, lattice.leaves, starts)
        curves = self._curves(tx, as_of, terms, so_far)
        series = self._series(tx, starts, terms, before, fresh, so_far)
        found = []
        for detector, item, late in zip(self._detectors, series, curves, strict=True):
            history = _ordinary(_excluded(item, self.watched.rule), occasions)
            history = history if late is None else late.completed(history)
            found.append(Learned(detector.fit(lattice, history, as_of, context), late))
        return found

    def _recent(
        self,
        tx: store.Tx,
        bucket: int,
        terms: tuple[Terms, ...],
        before: Remembered,
        fresh: Counts,
        so_far: Judged,
        followed: Sequence[Incident],
    ) -> list[LeafSeries]:
        """The last days up to and with the bucket: level, longest window, search for an onset, incidents followed."""
        grid = self.watched.grid
        first = first_needed(grid, bucket, followed)
        return self._series(tx, grid.starts(first, grid.end(bucket)), terms, before, fresh, so_far)

    def _series(
        self, tx: store.Tx, starts: Times, terms: tuple[Terms, ...], before: Remembered, fresh: Counts, so_far: Judged
    ) -> list[LeafSeries]:
        """One series per metric, with the flags so far, as if renames and accepted changes had always been."""
        rule, leaves = self.watched.rule, self._lattice(terms).leaves
        found = read_series(tx, rule.name, starts, terms, len(rule.metrics), fresh, before.to_read)
        renames = [r.rename for r in before.renames]
        named = (with_renames(item, terms, rule.dimensions, renames) for item in found)
        flagged = (replace(item, flagged=so_far.flagged_over(item)) for item in named)
        return [
            with_accepted(item, metric.name, leaves, before.accepted)
            for item, metric in zip(flagged, rule.metrics, strict=True)
        ]

    def _lattice(self, terms: tuple[Terms, ...]) -> Lattice:
        if len(terms) not in self._lattices:
            if len(self._lattices) > 4:
                self._lattices.clear()
            self._lattices[len(terms)] = Lattice.of(self._leaves_of(terms), self.watched.rule.depth)
        return self._lattices[len(terms)]

    def _leaves_of(self, terms: tuple[Terms, ...]) -> Leaves:
        if self._leaves is None or len(self._leaves) != len(terms):
            self._leaves = Leaves.of(self.watched.rule.dimensions, terms)
        return self._leaves

    # --- remembering -------------------------------------------------------------------------

    def _unknown(self, tick: datetime, before: Remembered, kind: Kind, detail: str) -> Outcome:
        """A tick of which nothing is known: the source could not be asked (blind), or is behind (late)."""
        rule = self.watched.rule
        newest = before.to_judge[-1] if before.to_judge else self.watched.schedule.newest(to_epoch(tick))
        trouble = Finding(
            rule=rule.name,
            metric=rule.metrics[0].name,
            kind=kind,
            slice=Slice(),
            since=to_datetime(before.to_judge[0] if before.to_judge else newest),
            until=to_datetime(self.watched.grid.end(newest)),
            observed=0.0,
            expected=0.0,
            p=0.0,
            detail=detail,
        )
        made = step(before.open, Assessment(rule.name, tick, blind=trouble), StepPolicy.of(rule))
        judged = Judged(open=before.open).after(made, {}, {})
        return self._finish(tick, before, None, judged, trouble=trouble)

    def _finish(
        self,
        tick: datetime,
        before: Remembered,
        fresh: Counts | None,
        judged: Judged,
        *,
        trouble: Finding | None = None,
        notices: tuple[str, ...] = (),
    ) -> Outcome:
        transitions = judged.transitions
        decisions = plan(transitions, Routes.of(self.watched.rule, self.watched.fallback), tick, before.told)
        messages = tuple(self._messages(transitions, decisions))
        with self.state.write() as tx:
            if _done(tx, self.watched.rule.name, to_epoch(tick)):
                return Outcome(self.watched.rule.name, tick, repeated=True)
            self._write(tx, tick, before, fresh, judged, decisions, messages)
            outcome, detail = (store.OK, "; ".join(notices)) if trouble is None else _recorded(trouble)
            store.record_run(tx, self.watched.rule.name, to_epoch(tick), outcome, detail)
        starts = () if trouble is not None else tuple(to_datetime(b) for b in before.to_judge)
        blind, late = (trouble.detail if trouble is not None and trouble.kind is kind else "" for kind in _UNKNOWN)
        return Outcome(
            self.watched.rule.name, tick, starts, transitions, decisions, messages, blind, late, notices=notices
        )

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
    ) -> None:
        name = self.watched.rule.name
        if fresh is not None:
            write_pages(tx, name, fresh, before.terms, before.to_read)
        for as_of, blob in judged.fits.items():
            store.put_fit(tx, name, as_of, blob)
        if judged.fits:
            store.prune(tx, name, to_epoch(tick))
        for bucket, inside in judged.flags.items():
            store.put_flags(tx, name, bucket, np.flatnonzero(inside).astype(np.int32))
        for transition in judged.transitions:
            store.save_incident(tx, transition.incident)
            store.add_transition(tx, transition)
        for decision in decisions:
            store.add_decision(tx, decision)
        for receiver, message in messages:
            store.enqueue(tx, message, receiver, parts_of(message), tick)

    def _repeat(self, tick: datetime, before: Remembered) -> Outcome:
        """A tick again: what the source says now replaces its pages, unless riper ones are there; verdicts stand."""
        name = self.watched.rule.name
        again = {bucket: self._age(bucket, before.tick) for bucket in before.to_judge}
        try:
            fresh = self._count(replace(before, to_read=again))
        except SourceError as error:
            return Outcome(name, tick, blind=str(error), repeated=True)
        with self.state.write() as tx:
            if store.newest_run(tx, name) == to_epoch(tick):
                write_pages(tx, name, fresh, before.terms, again)
        return Outcome(name, tick, repeated=True)


def _recorded(trouble: Finding) -> tuple[str, str]:
    """How a run is recorded whose source could not be asked, or is behind."""
    return _UNKNOWN[trouble.kind], trouble.detail


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

    tick: int
    done: bool
    to_judge: tuple[int, ...]
    to_read: Mapping[int, int]
    """Bucket to lag class."""
    terms: tuple[Terms, ...]
    open: tuple[Incident, ...]
    closed: tuple[Incident, ...]
    """Resolved ones whose buckets are still ripening."""
    renames: tuple[ToldRename, ...]
    accepted: tuple[Accepted, ...]
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

    @property
    def closed(self) -> Mapping[str, Incident]:
        """Resolved incidents that this tick's transitions changed, as they are now."""
        return {t.incident.id: t.incident for t in self.transitions if t.incident.state is State.RESOLVED}

    def flagged_over(self, series: LeafSeries) -> NDArray[np.bool_]:
        """The series' flags with those of buckets judged within this tick laid over."""
        if not self.flags:
            return series.flagged
        flagged = series.flagged.copy()
        for bucket, inside in self.flags.items():
            flagged[:, series.starts == bucket] = inside[:, None]
        return flagged


def write_pages(tx: store.Tx, rule: str, counts: Counts, known: Sequence[Terms], to_read: Mapping[int, int]) -> None:
    """Store what was counted: new leaves first, then a page per bucket at its lag class, and at earlier known ones."""
    fresh = counts.terms[len(known) :]
    if fresh:
        seen = counts.values[:, len(known) :].any(axis=0)
        first = counts.starts[np.argmax(seen, axis=1)]
        ids = store.add_leaves(tx, rule, list(fresh), first)
        expected = np.arange(len(known), len(counts.terms))
        if not np.array_equal(ids, expected):
            raise store.ConflictError(f"{rule}: another process counted the same rule meanwhile; run the tick again")
    for bucket, lag in to_read.items():
        for earlier in range(lag if counts.earlier is not None else 0):
            positions, values = counts.page(bucket, earlier)
            store.put_page(tx, rule, bucket, positions, values, lag=earlier)
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
    expected = np.zeros(len(lattice), dtype=bool)
    named = [Slice(((name, value),)) for name, values in rule.slices.expected for value in values]
    if named:
        rows = lattice.rows_of(np.array([codes_of(lattice, item) for item in named], dtype=np.int32))
        expected[rows[rows >= 0]] = True
    return expected


def _ignored(rule: Rule, lattice: Lattice) -> NDArray[np.bool_]:
    ignored = np.zeros(len(lattice), dtype=bool)
    for item in rule.slices.ignore:
        ignored |= lattice.covered_by(item)
    return ignored


def _excluded(series: LeafSeries, rule: Rule) -> LeafSeries:
    """History without the stretches that the rule's baseline leaves out: unknown, not zero."""
    if not rule.exclude:
        return series
    out = np.zeros(len(series.starts), dtype=bool)
    for part in rule.exclude:
        out |= (series.starts >= to_epoch(part.start)) & (series.starts < to_epoch(part.end))
    return replace(series, values=np.where(out[None, :], np.nan, series.values))


def _ordinary(series: LeafSeries, occasions: Occasions) -> LeafSeries:
    """History whose holidays and planned events teach nothing, as what was flagged teaches nothing."""
    if not occasions:
        return series
    return replace(series, flagged=series.flagged | occasions.touched(*series.values.shape))


def _is_told_rename(incident: Incident, tick: datetime) -> bool:
    told = incident.kind is Kind.RENAMED and incident.to is not None and incident.raised_at is not None
    return told and incident.resolved_at is not None and incident.resolved_at <= tick


def _told_renames(transitions: Sequence[Transition]) -> list[ToldRename]:
    """Renames that were told and closed within a tick that judges several buckets."""
    return [_rename(t.incident) for t in transitions if _is_told_rename(t.incident, t.at)]


def _may_be_late(incident: Incident, tick: datetime) -> bool:
    """Whether a resolved loss may still turn out to have been late, or less than it seemed: its buckets ripen."""
    if incident.resolved_at is None or incident.raised_at is None:
        return False
    loss = FAMILIES[incident.kind] is Family.LOSS and incident.resolved_at <= tick
    return loss and to_epoch(tick) - to_epoch(incident.until) <= LAG_SECONDS[-1] + DAY


def _blind_until(tick: datetime, transition: Transition) -> Transition:
    """The source answers at the tick, whatever bucket is judged first then."""
    incident = transition.incident
    if incident.kind not in _UNKNOWN or incident.state is not State.RESOLVED:
        return transition
    return replace(transition, incident=replace(incident, resolved_at=tick, tick=tick), at=tick)


def _rename(incident: Incident) -> ToldRename:
    assert incident.to is not None
    assert incident.resolved_at is not None
    return ToldRename(Rename(incident.cause, incident.to, to_epoch(incident.since)), to_epoch(incident.resolved_at))
