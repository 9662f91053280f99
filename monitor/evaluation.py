"""One tick of one rule: where the pure parts meet the source and the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.absences import absent
from alerts.incidents import StepPolicy, amend, step
from alerts.marks import CHARTED
from alerts.model import Assessment, Finding, Incident, Kind, State
from alerts.newcomers import told_once
from alerts.plan import Around
from alerts.silences import LONGEST_SILENCE
from monitor import store
from monitor.accepted import accepted_of
from monitor.backfill import Backfill
from monitor.buckets import DAY, to_datetime, to_epoch
from monitor.catching_up import CatchingUp, absence_of, missed_until
from monitor.context import context_of
from monitor.counts import Counts, Terms
from monitor.detectors.fit import from_begin
from monitor.detectors.model import LeafSeries
from monitor.judging import judge_bucket
from monitor.learning import Learner
from monitor.membership import Lookback, silent
from monitor.newcomers import appeared, complete_from, newcomers, seen_first
from monitor.notices import overflow, retirements
from monitor.query import Source, SourceError
from monitor.question import Question
from monitor.recording import record, same_leaves, write_pages
from monitor.refolding import Refolding
from monitor.ripeness import LAG_SECONDS, lag_class
from monitor.telling import decide, messages
from monitor.tick import (
    MAY_BE_LATE,
    UNKNOWN,
    Judged,
    Outcome,
    Reach,
    Remembered,
    blind_until,
    is_told_rename,
    may_be_late,
    rename_of,
    with_news,
)
from monitor.ticks import SECOND, ticks_between
from monitor.tracing import span
from monitor.watched import Watched
from monitor.watermark import behind, same_places
from rules.model import Interval, NewValues
from rules.slices import Folded, Slice

log = logging.getLogger("slicewatch")


class TooManySlicesError(Exception):
    """The rule's detector cannot judge so many slices; nothing is judged, and somebody is told."""


@dataclass
class Evaluator:
    """Evaluates ticks of one rule against one source and one store. Holds nothing that the store does not."""

    watched: Watched
    source: Source
    state: store.Store
    definition: str | None = None
    """The fingerprint of what its rule counts, by which the store knows what the history means; None: not compared."""
    _terms: tuple[Terms, ...] = ()
    _first_seen: tuple[int, ...] = ()
    """When each of `_terms` was, epoch seconds."""
    _retired: dict[int, int] = field(default_factory=dict)
    """Leaves silent for the whole lookback, by the midnight before which."""
    _members: int = -1
    """Since when the leaves that are kept apart are these; another daemon may decide it anew."""
    _dropped: int = 0
    """Leaves that had been dropped when `_terms` were read."""

    def __post_init__(self) -> None:
        self._learner = Learner(self.watched)

    def evaluate(self, tick: datetime, now: datetime | None = None, catching_up: CatchingUp | None = None) -> Outcome:
        """Count, judge, decide, and remember it all in one transaction; `now`, at the tick by default, is when it is told.

        A tick that was evaluated before is counted again; where the counts are the same, nothing is written. Where
        several buckets are to be judged, all but the newest are read and remembered before, the newest day first.
        """
        with self.state.read() as tx:
            before = self._remembered(tx, tick, now, catching_up)
        if before.done:
            return self._repeat(tick, before)
        refolded = self._refolded(before)
        try:
            read_at = self._read_ahead(before)
            if refolded is not None or read_at is not None:
                with self.state.read() as tx:
                    before = self._remembered(tx, tick, now, catching_up, read_at)
            fresh = self._count(before)
            self._check_slices(fresh.terms)
            late = self._late(before, fresh)
        except (SourceError, TooManySlicesError) as error:
            return self.blind(tick, str(error), now, catching_up)
        if late:
            return self._unknown(tick, before, Kind.LATE, late)
        try:
            with self.state.read() as tx:
                new = self._new_values(tx, before, fresh)
            absence = before.absence if before.behind else None
            seen = told_once(new, self.watched.rule.severity, tick, absence)
            judged = self._judge(tick, before, fresh).after(seen, {}, {})
            found = self._finish(tick, before, fresh, judged, notices=self._notices(before, fresh, judged, refolded))
        except BaseException:
            # A fit that was made on the way was not stored: the next attempt has to make it again, and store it.
            self._learner.forget()
            raise
        if found.repeated:
            # Another one was stored by whoever was first, and it is the one to judge by.
            self._learner.forget()
        return found

    def blind(
        self, tick: datetime, error: str, now: datetime | None = None, catching_up: CatchingUp | None = None
    ) -> Outcome:
        """The tick of a source that could not be asked: one blind incident, everything else frozen.

        All ticks that are caught up with are blind at once: to ask for each would take hours in which nobody is told.
        """
        missed: Sequence[datetime] = ()
        if catching_up is not None and tick < catching_up.last:
            tick, missed = catching_up.last, ticks_between(self.watched, tick, catching_up.last - SECOND)
        with self.state.read() as tx:
            before = self._remembered(tx, tick, now)
        if before.done:
            return Outcome(self.watched.rule.name, tick, blind=error, repeated=True)
        return self._unknown(tick, before, Kind.BLIND, error, missed)

    # --- reading -----------------------------------------------------------------------------

    def _remembered(
        self,
        tx: store.Tx,
        tick: datetime,
        now: datetime | None = None,
        catching_up: CatchingUp | None = None,
        read_at: int | None = None,
    ) -> Remembered:
        name, epoch, schedule = self.watched.rule.name, to_epoch(tick), self.watched.schedule
        last_good = store.newest_good(tx, name, epoch)
        newest = schedule.newest(epoch)
        known = store.coverage(tx, name, newest - self.watched.lookback, newest + DAY)
        to_judge = schedule.newly_due(last_good, epoch)
        first = self.watched.grid.floor(newest - self.watched.lookback)
        last = max(catching_up.last, tick) if catching_up is not None else tick
        read_at = to_epoch(last) if read_at is None else read_at
        to_read = {b: lag for b, lag in schedule.to_read(read_at, known, first).items() if b <= newest}
        to_read |= {b: self._age(b, read_at) for b in to_judge if b not in to_read and b not in known}
        absence = catching_up.absence if catching_up is not None else None
        if absence is None and len(to_judge) > 1:
            absence = absence_of(self.watched, last_good, tick, max(tick, now or tick))
        every = store.incidents_at_hand(tx, name, tick - MAY_BE_LATE)
        closed = tuple(i for i in every if may_be_late(i, tick))
        members = store.membership(tx, name)
        if members.as_of != self._members:
            self._begin_anew(members.as_of)
        return Remembered(
            tick=epoch,
            now=max(tick, now or tick),
            done=_done(tx, name, epoch),
            to_judge=tuple(to_judge),
            to_read=dict(sorted(to_read.items())),
            terms=self._known_terms(tx, members.combinations),
            open=tuple(i for i in every if i.state is not State.RESOLVED),
            closed=closed,
            renames=tuple(rename_of(i) for i in every if is_told_rename(i, tick)),
            accepted=accepted_of(every, epoch),
            told=store.told(tx, name, [i.id for i in closed]),
            told_at=store.told_at(tx, name),
            around=Around(
                inhibitors=store.inhibitors(tx, self.watched.rule.inhibited_by),
                dismissed=tuple(i for i in every if i.feedback is not None),
                silences=tuple(store.silences(tx, tick - LONGEST_SILENCE)),
            ),
            membership=members,
            marks=tuple(store.marks(tx, tick - CHARTED)),
            dropped=self._dropped,
            read_at=read_at,
            absence=absence,
            missed_until=missed_until(self.watched, last) if absence is not None else 0,
            behind=absent(absence) if absence is not None and tick < last else "",
        )

    def _read_ahead(self, before: Remembered) -> int | None:
        """Read and remember what is there before the first of several buckets is judged; as of when (epoch seconds).

        So a stop in between loses no counts, and how late events come is known as it would have been tick by tick. None
        where nothing is to be read ahead. Of a source that is behind what came by its last arrival is read.
        """
        late = len(before.to_judge) > 1 or before.tick < before.read_at
        newest = self.watched.schedule.newest(before.read_at)
        if not late or not before.terms or not before.to_read.keys() - {newest}:
            return None
        read_at = min(before.read_at, self._known_until(before))
        if read_at < before.tick:
            return before.tick
        backfill = Backfill(self.watched, self.source, self.state)
        plan = backfill.plan(self.watched.schedule.newest(read_at), read_at, riper=True)
        if plan.days:
            log.info(plan.describe(self.watched.rule.name))
        for _ in backfill.run(plan, read_at):
            pass
        return read_at

    def _known_until(self, before: Remembered) -> int:
        """The last arrival (epoch seconds) of a source that is behind when it is read; else when it is read."""
        if self.watched.rule.arrived_at is None:
            return before.read_at
        bucket = self.watched.schedule.newest(before.read_at)
        newest = self._asked(replace(before, to_read={bucket: 0}))
        assert newest.earlier is not None
        came = float(newest.earlier[0, 0].sum())
        late, last = self._behind(before, bucket, came)
        return to_epoch(last) if late and last is not None else before.read_at

    def _known_terms(self, tx: store.Tx, combinations: int) -> tuple[Terms, ...]:
        """All leaves of the rule; those read before are kept, since a place means the same until leaves are dropped."""
        dropped = store.dropped_leaves(tx, self.watched.rule.name)
        if dropped != self._dropped:
            self._start_over()
            self._dropped = dropped
        table = store.leaves(tx, self.watched.rule.name, len(self._terms))
        fresh = table.terms
        if fresh:
            self._first_seen = (*self._first_seen, *table.first_seen.tolist())
            rest = (Folded(combinations),) * len(self.watched.rule.dimensions)
            self._terms = (*self._terms, *(rest if item == rest else item for item in fresh))
        return self._terms

    def _age(self, bucket: int, tick: int) -> int:
        """The lag class at which a bucket is read at a tick."""
        return max(lag_class(tick - self.watched.schedule.due(bucket)), 0)

    def _count(self, before: Remembered) -> Counts:
        """What is read at the tick, and what was read ahead of the buckets to be judged."""
        return self._asked(before).with_columns(self._stored(before))

    def _stored(self, before: Remembered) -> Counts:
        """Buckets to be judged that were read before; each as ripe as it is known."""
        starts = np.array([b for b in before.to_judge if b not in before.to_read], dtype=np.int64)
        if not len(starts):
            return Counts(
                before.terms, starts, np.zeros((len(self.watched.rule.metrics), len(before.terms), 0), np.int64)
            )
        with self.state.read() as tx:
            rule, measures = self.watched.rule.name, len(self.watched.rule.metrics)
            block = store.pages(tx, rule, starts, n_leaves=len(before.terms), measures=measures)
        return Counts(before.terms, starts[block.known], block.values[:, :, block.known].astype(np.int64))

    def _asked(self, before: Remembered) -> Counts:
        buckets = list(before.to_read)
        if not buckets:
            empty = np.zeros((len(self.watched.rule.metrics), len(before.terms), 0), dtype=np.int64)
            return Counts(before.terms, np.zeros(0, dtype=np.int64), empty)
        frame = self.source.count(self.watched.query(self.watched.windows(buckets), before.read_at))
        counts = Counts.from_frame(
            frame,
            dimensions=self.watched.rule.dimensions,
            measures=len(self.watched.rule.metrics),
            starts=np.array(buckets, dtype=np.int64),
            known=before.terms,
            leaves=self._learner.leaves_of(before.terms),
        )
        return self._bounded(counts, before)

    def _bounded(self, counts: Counts, before: Remembered) -> Counts:
        """No more leaves than `slices.max`, those silent for the whole lookback not counted."""
        known, most = len(before.terms), self.watched.rule.slices.max
        counts = counts.refolded(before.membership.folded)
        if len(counts.terms) <= most or not before.to_judge:
            return counts.bounded(known, most)
        midnight = self.watched.grid.midnight(before.to_judge[0])
        if midnight not in self._retired:
            with self.state.read() as tx:
                self._retired = {midnight: int(silent(tx, Lookback.of(self.watched, midnight, known)).sum())}
        return counts.bounded(known, most + self._retired[midnight])

    def _refolded(self, before: Remembered) -> str | None:
        """Decide anew which leaves a cube that folds keeps apart, once a local day; what is told of it, or None."""
        if not before.to_judge or self.watched.folded not in before.terms:
            return None
        midnight = self.watched.grid.midnight(before.to_judge[0])
        if before.membership.as_of >= midnight:
            return None
        leaves = self._learner.leaves_of(before.terms)
        held = np.logical_or.reduce([leaves.members(i.cause) for i in before.open] or [np.zeros(len(leaves), bool)])
        deciding = Refolding(
            self.watched,
            self.source,
            self.state,
            before.terms,
            before.membership,
            midnight,
            before.tick,
            before.dropped,
        )
        return deciding.run({before.terms[i] for i in np.flatnonzero(held)})

    def _begin_anew(self, members: int) -> None:
        """The rest stands for another number of combinations: what was made with the old one is made again."""
        self._start_over()
        self._members = members

    def _start_over(self) -> None:
        """Forget what was read of the leaves."""
        self._terms, self._first_seen, self._learner, self._retired = (), (), Learner(self.watched), {}

    def _notices(self, before: Remembered, fresh: Counts, judged: Judged, refolded: str | None) -> tuple[str, ...]:
        """What is told once: slices retired at a midnight of this tick, a cube that has begun to be folded or changed."""
        grid, terms = self.watched.grid, before.terms
        midnights = [at for at in sorted(judged.fits) if at == grid.midnight(at)]
        with self.state.read() as tx:
            gone = retirements(tx, self.watched, midnights, len(terms), lambda: self._learner.lattice(terms))
            found = (*gone, *overflow(tx, self.watched, fresh, before.to_judge))
        return (*found, refolded) if refolded else found

    def _check_slices(self, terms: tuple[Terms, ...]) -> None:
        most = min((d.most_slices for d in self._learner.detectors if d.most_slices is not None), default=None)
        if most is not None and len(self._learner.lattice(terms)) > most:
            name = self.watched.rule.detector.name
            raise TooManySlicesError(
                f"detector {name} judges at most {most} slices, and there are {len(self._learner.lattice(terms))}: "
                "name fewer dimensions, a smaller depth, or detector: default"
            )

    def _new_values(self, tx: store.Tx, before: Remembered, fresh: Counts) -> list[Finding]:
        """Values of this tick that were never seen before, where the rule wants them told; those never to be tested."""
        rule, known = self.watched.rule, len(before.terms)
        if rule.slices.new is NewValues.LEARN or not known:
            return []
        complete = complete_from(tx, self.watched)
        seen = np.array([*self._first_seen, *seen_first(fresh, known).tolist()], dtype=np.int64)
        # What was read ahead is there already: it is new in the bucket in which it was first seen.
        ahead = [bucket for bucket in before.to_judge if bucket not in before.to_read]
        old = np.flatnonzero(seen[:known] < min(ahead, default=np.iinfo(np.int64).max))
        here = np.flatnonzero(seen <= self.watched.schedule.newest(before.tick))
        now = self._newcomers(fresh.terms, seen, here, complete)
        if rule.slices.new is NewValues.IGNORE:
            heirs = {term for told in before.renames for term in told.rename.new.terms}
            self._learner.newcomers = tuple(item for item in now if heirs.isdisjoint(item.terms))
            return []
        return appeared(self.watched, fresh, self._newcomers(before.terms, seen, old, complete), now)

    def _newcomers(
        self, terms: tuple[Terms, ...], seen: NDArray[np.int64], rows: NDArray[np.int64], complete: float
    ) -> tuple[Slice, ...]:
        return newcomers(self.watched, [terms[row] for row in rows], seen[rows].tolist(), complete)

    def _late(self, before: Remembered, fresh: Counts) -> str:
        """Since when the source is behind; "" where its watermark does not say so, or there is none."""
        if self.watched.rule.arrived_at is None or not before.to_judge:
            return ""
        bucket = before.to_judge[-1]
        column = int(np.searchsorted(fresh.starts, bucket))
        # What is caught up with has had time to arrive: it is known where that was enough of it.
        counts = fresh.values if fresh.earlier is None or before.tick < before.read_at else fresh.earlier[0]
        came = float(counts[0, :, column].sum())
        return self._behind(before, bucket, came)[0]

    def _behind(self, before: Remembered, bucket: int, came: float) -> tuple[str, datetime | None]:
        """Since when the source is behind ("" where it is not), of which so much of a bucket `came`; and its last arrival."""
        places = same_places(self.watched.grid, bucket)
        with self.state.read() as tx:
            measures = len(self.watched.rule.metrics)
            past = store.pages(tx, self.watched.rule.name, places, n_leaves=len(before.terms), measures=measures, lag=0)
        usual = past.values[0][:, past.known].sum(axis=0)
        end = self.watched.grid.end(bucket)
        if not behind(came, usual, bucket, end, None):
            return "", None
        newest = Interval(to_datetime(bucket - LAG_SECONDS[-1]), to_datetime(end))
        last = self.source.watermark(self.watched.query([newest], before.read_at))
        return behind(came, usual, bucket, end, last), last

    # --- judging -----------------------------------------------------------------------------

    def _judge(self, tick: datetime, before: Remembered, fresh: Counts) -> Judged:
        """Judge the newly due buckets in order; open incidents go from one to the next."""
        out = Judged(open=before.open)
        if len(before.to_judge) > 1:
            with self.state.read() as tx:
                self._learner.hold(tx, before.to_judge, len(fresh.terms), before.open)
        try:
            for bucket in before.to_judge:
                at = tick if bucket == before.to_judge[-1] else to_datetime(self.watched.schedule.due(bucket))
                out = self._judge_bucket(bucket, at, with_news(before, out.transitions), fresh, out)
        finally:
            self._learner.let_go()
        return replace(out, transitions=tuple(blind_until(tick, t) for t in out.transitions))

    def _judge_bucket(self, bucket: int, at: datetime, before: Remembered, fresh: Counts, so_far: Judged) -> Judged:
        rule, terms = self.watched.rule, fresh.terms
        if not terms:
            return so_far.after(step(so_far.open, Assessment(rule.name, at), StepPolicy.of(rule)), {}, {})
        with self.state.read() as tx:
            questions, blob, closed = self._questions(tx, bucket, before, fresh, so_far)
        missed = self.watched.schedule.due(bucket) <= before.missed_until
        with span("judge", rule=rule.name, bucket=to_datetime(bucket).isoformat()) as traced:
            judged = judge_bucket(rule, at, questions, so_far.open, before.absence if missed else None)
            traced.note(slices=len(questions[0].lattice), transitions=len(judged.transitions))
        known = {incident.id: so_far.closed.get(incident.id, incident) for incident in closed}
        grown = [amend(known[r.incident], r, at) for answer in judged.answers for r in answer.amendments]
        made = (*judged.transitions, *(transition for transition in grown if transition is not None))
        reach = _reach(questions[0], before.membership.combinations)
        return replace(so_far.after(made, judged.flags, blob), reach=reach)

    def _questions(
        self, tx: store.Tx, bucket: int, before: Remembered, fresh: Counts, so_far: Judged
    ) -> tuple[list[Question], dict[int, bytes], tuple[Incident, ...]]:
        """One question per metric, the fits to store, and the closed incidents that are followed."""
        rule, terms = self.watched.rule, fresh.terms
        learned, blob = self._learner.learned_for(tx, bucket, terms, before, fresh, so_far)
        closed = before.closed if any(item.curves is not None for item in learned) else ()
        found = self._learner.recent(tx, bucket, terms, before, fresh, so_far, (*so_far.open, *closed))
        recent = [from_begin(item, known.fit.begin) for item, known in zip(found, learned, strict=True)]
        past = self._learner.past(tx, bucket, terms, before, fresh, so_far)
        lattice = self._learner.lattice(terms)
        occasions = self._learner.calendar.over(self.watched.grid, lattice.leaves, recent[0].starts)
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
                context=context_of(rule, lattice, self.watched.grid, self._learner.newcomers),
                detector=self._learner.detectors[m],
                occasions=occasions,
                curves=learned[m].curves,
                closed=tuple(i for i in closed if i.metric == metric.name),
                past=_earlier(past[m], recent[m], learned[m].fit.begin),
            )
            for m, metric in enumerate(rule.metrics)
        ]
        return questions, blob, closed

    def questions(self, tick: datetime) -> list[Question]:
        """What the newest bucket of a tick is judged by, from the store alone; nothing is asked or remembered.

        Empty where nothing was ever counted.
        """
        with self.state.read() as tx:
            before = replace(self._remembered(tx, tick), to_read={})
            if not before.terms:
                return []
            bucket = self.watched.schedule.newest(before.tick)
            fresh = self._asked(before)
            self._new_values(tx, before, fresh)
            return self._questions(tx, bucket, before, fresh, Judged(open=before.open))[0]

    # --- remembering -------------------------------------------------------------------------

    def _unknown(
        self, tick: datetime, before: Remembered, kind: Kind, detail: str, missed: Sequence[datetime] = ()
    ) -> Outcome:
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
        absence = before.absence if before.behind else None
        made = step(before.open, Assessment(rule.name, tick, blind=trouble, absence=absence), StepPolicy.of(rule))
        judged = Judged(open=before.open).after(made, {}, {})
        return self._finish(tick, before, None, judged, trouble=trouble, missed=missed)

    def _finish(
        self,
        tick: datetime,
        before: Remembered,
        fresh: Counts | None,
        judged: Judged,
        *,
        trouble: Finding | None = None,
        notices: tuple[str, ...] = (),
        missed: Sequence[datetime] = (),
    ) -> Outcome:
        with self.state.write() as tx:
            if _done(tx, self.watched.rule.name, to_epoch(tick)) or _passed(tx, self.watched.rule.name, to_epoch(tick)):
                return Outcome(self.watched.rule.name, tick, repeated=True)
            if before.terms and not store.is_known(tx, self.watched.rule.name):
                raise store.ConflictError(f"{self.watched.rule.name}: it goes on under another name since")
            if self.definition is not None and store.definition(tx, self.watched.rule.name) != self.definition:
                raise store.ConflictError(f"{self.watched.rule.name}: it counts something else since")
            same_leaves(tx, self.watched.rule.name, before.dropped)
            # Whoever was told while the source was asked, as the fallback is, hears of it from here on.
            now_told = store.told(tx, self.watched.rule.name, [i.id for i in before.closed])
            judged, decisions = decide(self.watched, replace(before, told=now_told), judged, tick)
            texts = messages(self.watched.rule, judged.transitions, decisions, before.marks)
            news = record(tx, self.watched.rule.name, before, fresh, judged, decisions, texts)
            outcome, detail = (store.OK, "; ".join(notices)) if trouble is None else _recorded(trouble)
            for each in (*missed, tick):
                store.record_run(tx, self.watched.rule.name, to_epoch(each), outcome, detail)
        starts = () if trouble is not None else tuple(to_datetime(b) for b in before.to_judge)
        blind, late = (trouble.detail if trouble is not None and trouble.kind is kind else "" for kind in UNKNOWN)
        return Outcome(
            self.watched.rule.name,
            tick,
            starts,
            judged.transitions,
            news.decisions,
            news.messages,
            blind,
            late,
            notices=notices,
            reach=judged.reach,
        )

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
                same_leaves(tx, name, before.dropped)
                write_pages(tx, name, fresh, before.terms, again)
        return Outcome(name, tick, repeated=True)


def _reach(question: Question, combinations: int) -> Reach:
    ignored = question.context.ignored
    judged = question.fit.eligible & ~ignored
    return Reach(int(judged.sum()), int((~judged & ~ignored).sum()), int(ignored.sum()), combinations)


def _earlier(past: LeafSeries | None, recent: LeafSeries, begin: int) -> LeafSeries | None:
    """What of the past lies before what is recent; an incident that is followed reaches further back."""
    if past is None:
        return None
    kept = past.starts < recent.starts[0]
    shorter = replace(
        past, starts=past.starts[kept], values=past.values[:, kept], flagged=past.flagged[:, kept], lag=None
    )
    return from_begin(shorter, begin)


def _recorded(trouble: Finding) -> tuple[str, str]:
    """How a run is recorded whose source could not be asked, or is behind."""
    return UNKNOWN[trouble.kind], trouble.detail


def _done(tx: store.Tx, rule: str, tick: int) -> bool:
    """Whether a tick was evaluated with an answer of the source; a blind one may be tried again."""
    known = store.run(tx, rule, tick)
    return known is not None and known.outcome == store.OK


def _passed(tx: store.Tx, rule: str, tick: int) -> bool:
    """Whether a later tick was evaluated meanwhile, by a daemon that took this one for abandoned: ticks are judged in order."""
    newest = store.newest_run(tx, rule)
    return newest is not None and newest > tick
