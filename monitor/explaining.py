"""Where a chain comes from: a rule as it stood before an evaluation, on a private copy of the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.marks import CHARTED, Mark, near, of_rule
from alerts.model import Decision, Incident, Transition
from monitor import store
from monitor.app import App
from monitor.buckets import to_datetime
from monitor.chain import Chain, Past, Read, chain_of
from monitor.paste import query_of
from monitor.question import Question
from monitor.rewind import rewind
from monitor.ripeness import LAGS
from monitor.watched import Watched
from rules.model import Rule
from rules.slices import Slice

UNTOLD = "nothing was told when it was judged; by the counts known today it is, or is part of, a cause of its own:"


@dataclass(frozen=True)
class Told:
    """What became of an incident: its steps, who was (not) told and why, and what the outbox says."""

    incident: Incident
    transitions: tuple[Transition, ...]
    decisions: tuple[Decision, ...]
    deliveries: tuple[store.Delivered, ...]
    actions: tuple[store.Acted, ...] = ()
    """What people did about it."""


@dataclass(frozen=True)
class Explanation:
    """One chain per metric, the incidents the slice had part in, and the query to paste of each chain."""

    chains: tuple[Chain, ...]
    told: tuple[Told, ...]
    queries: tuple[str, ...]
    run: store.Run | None
    """The evaluation of that bucket, as far as one is known."""
    marks: tuple[Mark, ...] = ()
    """What people say changed at about that time."""


def explained(app: App, rule: Rule, item: Slice, moment: datetime) -> Explanation:
    """Explain a slice in the bucket that holds a moment. Reads the store alone; the app works on a copy after it.

    Counts are those known today. Raises SourceError or SettingsError where the source's settings are unusable.
    """
    watched = Watched.of(rule)
    bucket = watched.grid.floor(int(moment.timestamp()))
    tick = to_datetime(watched.schedule.due(bucket))
    with app.state.read() as tx:
        told = tuple(_told(tx, rule, item, bucket, watched))
        run = store.run(tx, rule.name, int(tick.timestamp()))
        start = to_datetime(bucket)
        known = near(of_rule(store.marks(tx, start - CHARTED), rule), start, rule.time_bucket)
    app.on_a_copy()
    rewind(app.state, watched, tick)
    questions = app.evaluator(rule).questions(tick)
    with app.state.read() as tx:
        found = (_chain(tx, watched, item, bucket, m, question) for m, question in enumerate(questions))
        chains = tuple(_as_told(chain, told) for chain in found)
    queries = tuple(query_of(rule, c.metric, item, (c.start, c.end), _expected(c)) for c in chains)
    return Explanation(chains, told, queries, run, known)


def _as_told(chain: Chain, told: tuple[Told, ...]) -> Chain:
    """The chain, where nothing was told of what it finds: it is made from the counts known today, which may say more."""
    known = any(item.incident.metric == chain.metric for item in told)
    if known or chain.explained_by is None:
        return chain
    return replace(chain, conclusion=f"{UNTOLD} {chain.explained_by.label()}")


def _expected(chain: Chain) -> float:
    return chain.windows[0].expected if chain.windows else 0.0


def _chain(tx: store.Tx, watched: Watched, item: Slice, bucket: int, m: int, question: Question) -> Chain:
    leaves = np.flatnonzero(question.lattice.leaves.members(item)).astype(np.int64)
    reads = tuple(_reads(tx, watched, leaves, bucket, m))
    if not reads:
        start, end = to_datetime(bucket), to_datetime(watched.grid.end(bucket))
        text = "unknown: the bucket was never read; unknown is not zero, and nothing is judged by it"
        return Chain(question.rule, question.metric, item, start, end, text)
    return chain_of(question, item, tuple(_past(tx, watched, leaves, bucket, m)), reads)


def _reads(tx: store.Tx, watched: Watched, leaves: NDArray[np.int64], bucket: int, m: int) -> list[Read]:
    rule, found = watched.rule, []
    last = 1 + int(leaves.max(initial=0))
    for lag in range(LAGS):
        block = store.pages(tx, rule.name, [bucket], n_leaves=last, measures=len(rule.metrics), lag=lag)
        if block.known[0]:
            found.append(Read(lag, float(block.values[m, leaves, 0].sum())))
    return found


def _past(tx: store.Tx, watched: Watched, leaves: NDArray[np.int64], bucket: int, m: int) -> list[Past]:
    """The same place of the week in the lookback, the newest first."""
    grid, rule = watched.grid, watched.rule
    every = grid.starts(grid.floor(bucket - watched.lookback), bucket)
    starts = every[grid.position(every) == grid.position(np.array([bucket]))[0]]
    last = 1 + int(leaves.max(initial=0))
    block = store.pages(tx, rule.name, starts, n_leaves=last, measures=len(rule.metrics))
    flagged = np.asarray(store.flags(tx, rule.name, starts, last)[leaves].sum(axis=0) > 0)
    sums = block.values[m][leaves].sum(axis=0)
    return [
        Past(to_datetime(int(start)), float(n) if known else None, bool(bad))
        for start, n, known, bad in zip(starts, sums, block.known, flagged, strict=True)
    ][::-1]


def _told(tx: store.Tx, rule: Rule, item: Slice, bucket: int, watched: Watched) -> list[Told]:
    """Incidents that were there in the bucket, and whose cause holds the slice or lies in it."""
    start, end = to_datetime(bucket), to_datetime(watched.grid.end(bucket))
    found = []
    for incident in store.incidents(tx, rule=rule.name, newest_first=False):
        near = incident.cause.covers(item) or item.covers(incident.cause)
        if near and incident.since < end and (incident.resolved_at is None or incident.resolved_at > start):
            found.append(told_of(tx, incident))
    return found


def told_of(tx: store.Tx, incident: Incident) -> Told:
    """What became of an incident, as the store holds it."""
    steps, decided = store.transitions(tx, incident.id), store.decisions(tx, incident.id)
    sent, acted = store.deliveries(tx, incident.id), store.actions(tx, incident.id)
    return Told(incident, tuple(steps), tuple(decided), tuple(sent), tuple(acted))
