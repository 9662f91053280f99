"""One tick of one rule: where the pure parts meet the source and the store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from alerts.incidents import StepPolicy, amend, step
from alerts.marks import CHARTED
from alerts.model import Assessment, Finding, Incident, Kind, State
from alerts.newcomers import told_once
from alerts.plan import Around
from alerts.silences import LONGEST_SILENCE
from monitor import store
from monitor.accepted import accepted_of
from monitor.assess import Question
from monitor.buckets import DAY, to_datetime, to_epoch
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
from monitor.recording import record, same_leaves, write_pages
from monitor.refolding import Refolding
from monitor.ripeness import LAG_SECONDS, lag_class
from monitor.telling import decide, messages
from monitor.tick import (
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
from monitor.tracing import span
from monitor.watched import Watched
from monitor.watermark import behind, same_places
from rules.model import Interval, NewValues
from rules.slices import Folded, Slice


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

    def evaluate(self, tick: datetime, now: datetime | None = None) -> Outcome:
        """Count, judge, decide, and remember it all in one transaction; `now`, at the tick by default, is when it is told.

        A tick that was evaluated before is counted again; where the counts are the same, nothing is written.
        """
        with self.state.read() as tx:
            before = self._remembered(tx, tick, now)
        if before.done:
            return self._repeat(tick, before)
        refolded = self._refolded(before)
        if refolded is not None:
            with self.state.read() as tx:
                before = self._remembered(tx, tick, now)
        try:
            fresh = self._count(before)
            self._check_slices(fresh.terms)
            late = self._late(before, fresh)
        except (SourceError, TooManySlicesError) as error:
            return self._unknown(tick, before, Kind.BLIND, str(error))
        if late:
            return self._unknown(tick, before, Kind.LATE, late)
        try:
            with self.state.read() as tx:
                new = self._new_values(tx, before, fresh)
            judged = self._judge(tick, before, fresh).after(told_once(new, self.watched.rule.severity, tick), {}, {})
            found = self._finish(tick, before, fresh, judged, notices=self._notices(before, fresh, judged, refolded))
        except BaseException:
            # A fit that was made on the way was not stored: the next attempt has to make it again, and store it.
            self._learner.forget()
            raise
        if found.repeated:
            # Another one was stored by whoever was first, and it is the one to judge by.
            self._learner.forget()
        return found

    def blind(self, tick: datetime, error: str, now: datetime | None = None) -> Outcome:
        """The tick of a source that could not be asked: one blind incident, everything else frozen."""
        with self.state.read() as tx:
            before = self._remembered(tx, tick, now)
        if before.done:
            return Outcome(self.watched.rule.name, tick, blind=error, repeated=True)
        return self._unknown(tick, before, Kind.BLIND, error)

    # --- reading -----------------------------------------------------------------------------

    def _remembered(self, tx: store.Tx, tick: datetime, now: datetime | None = None) -> Remembered:
        name, epoch = self.watched.rule.name, to_epoch(tick)
        last_good = store.newest_good(tx, name, epoch)
        newest = self.watched.schedule.newest(epoch)
        known = store.coverage(tx, name, newest - self.watched.lookback, newest + DAY)
        to_judge = self.watched.schedule.newly_due(last_good, epoch)
        first = self.watched.grid.floor(newest - self.watched.lookback)
        to_read = self.watched.schedule.to_read(epoch, known, first)
        to_read |= {b: self._age(b, epoch) for b in to_judge if b not in to_read and b not in known}
        every = store.incidents(tx, rule=name, newest_first=False)
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
        )

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
        seen = (*self._first_seen, *seen_first(fresh, known).tolist())
        now = newcomers(self.watched, fresh.terms, seen, complete)
        if rule.slices.new is NewValues.IGNORE:
            heirs = {term for told in before.renames for term in told.rename.new.terms}
            self._learner.newcomers = tuple(item for item in now if heirs.isdisjoint(item.terms))
            return []
        return appeared(self.watched, fresh, newcomers(self.watched, before.terms, self._first_seen, complete), now)

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
            out = self._judge_bucket(bucket, at, with_news(before, out.transitions), fresh, out)
        return replace(out, transitions=tuple(blind_until(tick, t) for t in out.transitions))

    def _judge_bucket(self, bucket: int, at: datetime, before: Remembered, fresh: Counts, so_far: Judged) -> Judged:
        rule, terms = self.watched.rule, fresh.terms
        if not terms:
            return so_far.after(step(so_far.open, Assessment(rule.name, at), StepPolicy.of(rule)), {}, {})
        with self.state.read() as tx:
            questions, blob, closed = self._questions(tx, bucket, before, fresh, so_far)
        with span("judge", rule=rule.name, bucket=to_datetime(bucket).isoformat()) as traced:
            judged = judge_bucket(rule, at, questions, so_far.open)
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
            fresh = self._count(before)
            self._new_values(tx, before, fresh)
            return self._questions(tx, bucket, before, fresh, Judged(open=before.open))[0]

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
            store.record_run(tx, self.watched.rule.name, to_epoch(tick), outcome, detail)
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
