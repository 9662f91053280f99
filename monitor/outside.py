"""Looking closer at a loss that was just told: whether it is that of one value of a column outside of the rule.

It is asked once an incident stands in the store and its message is on the way: nothing of it delays or stops what is
told, and what it finds is told after it. A few small queries for each new cause, each bounded in time and rows, of the
slice and of the bad hours only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from alerts.marks import CHARTED
from alerts.model import Change, Incident, Kind, Outside, State
from alerts.outside import Counted, Lost, located, location
from alerts.plan import Routes, plan
from alerts.reprocess import own_start, sums_within
from monitor import store
from monitor.buckets import DAY, WEEK, to_datetime, to_epoch
from monitor.news import News, record_news
from monitor.profile import is_name
from monitor.query import Column, CountQuery, Source, SourceError
from monitor.telling import messages
from monitor.tick import Outcome
from monitor.watched import Watched
from rules.model import Metric, Mode
from rules.slices import Folded, Value

log = logging.getLogger("slicewatch")

MOST_INCIDENTS = 3
"""New causes of one evaluation that are looked at, the largest losses first."""
MOST_COLUMNS = 8
MOST_VALUES = 100
"""Values of a column, and more are too many to name one."""
MOST_HOURS = 24
"""The newest hours of a bad stretch that are compared; one bucket at least."""
QUERY_SECONDS = 10.0
ALL_SECONDS = 30.0
"""For all the queries of one evaluation together."""
NEW_CAUSES = frozenset({Change.OPENED, Change.WIDENED, Change.NARROWED})


@dataclass(frozen=True)
class Closer:
    """Looks closer at what a tick of one rule has told."""

    watched: Watched
    source: Source
    state: store.Store
    clock: Callable[[], float] = time.monotonic

    def look(self, outcome: Outcome, routes: Callable[[store.Tx], Routes]) -> Outcome:
        """The outcome with what was found. Whatever fails is logged, and changes nothing."""
        for incident in self._worth(outcome):
            try:
                found = self._found(incident, outcome.tick)
                if found is not None:
                    outcome = self._tell(incident.id, found, outcome, routes)
            except (SourceError, store.StoreError) as error:
                log.info("%s: not looked at closer: %s", incident.id, error)
            except Exception:
                log.exception("%s: could not be looked at closer", incident.id)
        return outcome

    def _worth(self, outcome: Outcome) -> list[Incident]:
        """Of what was just told: partial losses. Where all of a slice is gone, all values of every column are."""
        if self.watched.rule.mode is not Mode.LIVE:
            return []
        new = {t.incident.id for t in outcome.transitions if t.change in NEW_CAUSES}
        latest = {t.incident.id: t.incident for t in outcome.transitions if t.incident.id in new}
        partial = [
            i
            for i in latest.values()
            if i.kind is Kind.DROP and i.state is not State.RESOLVED and 0 < i.observed < i.expected
        ]
        known = [i for i in partial if i.raised_at is not None and not any(isinstance(v, Folded) for _, v in i.cause)]
        return sorted(known, key=lambda i: i.observed - i.expected)[:MOST_INCIDENTS]

    # --- asking ----------------------------------------------------------------------------------------------

    def _found(self, incident: Incident, tick: datetime) -> Outside | None:
        until = self.clock() + ALL_SECONDS / MOST_INCIDENTS
        stretch = self._stretch(incident)
        if not stretch:
            return None
        counted: list[Counted] = []
        for column in candidates(self.source.columns(self.watched.rule.source), self.watched):
            left = until - self.clock()
            if left <= 0:
                log.info("%s: the time to look closer is up before column %s", incident.id, column)
                break
            counted += self._counted(incident, column, stretch, tick, min(left, QUERY_SECONDS))
        series = incident.evidence.series if incident.evidence is not None else None
        first, last = to_datetime(stretch[0]), to_datetime(self.watched.grid.end(stretch[-1]))
        lost = Lost(incident.cause, first, last, sums_within(series, first, last)[1])
        return located(lost, tuple(counted))

    def _stretch(self, incident: Incident) -> list[int]:
        """Starts of the newest bad buckets, epoch seconds."""
        grid = self.watched.grid
        every = grid.starts(grid.floor(to_epoch(own_start(incident))), to_epoch(incident.until))
        starts = [int(start) for start in every]
        return starts[-max(1, MOST_HOURS * 3_600 // grid.seconds) :]

    def _before(self, incident: Incident, stretch: Sequence[int], seconds: int) -> list[int]:
        """The same buckets so long before; those that are bad themselves are left out."""
        grid, begin = self.watched.grid, to_epoch(own_start(incident))
        shifted = (grid.floor(start - seconds + grid.seconds // 2) for start in stretch)
        return [start for start in shifted if start < begin]

    def _counted(
        self, incident: Incident, column: str, stretch: list[int], tick: datetime, limit: float
    ) -> Iterator[Counted]:
        """A column's counts; nothing where it has too many values, or cannot be counted."""
        parts = (stretch, *(self._before(incident, stretch, seconds) for seconds in (WEEK, DAY)))
        query = self._query(incident, column, sorted({start for part in parts for start in part}), tick, limit)
        try:
            frame = self.source.count(query)
        except SourceError as error:
            log.info("%s: column %s not looked at: %s", incident.id, column, error)
            return
        if query.most is None or len(frame) < query.most:
            # Two comparisons are to be of as many buckets as the bad stretch has: fewer say nothing of its level.
            sums = [_sums(frame, column, part) if len(part) == len(stretch) else {} for part in parts]
            yield Counted(column, *sums)

    def _query(self, incident: Incident, column: str, starts: list[int], tick: datetime, limit: float) -> CountQuery:
        rule = self.watched.rule
        measure = next((m for m in rule.metrics if m.name == incident.metric), Metric("count"))
        return replace(
            self.watched.query(self.watched.windows(starts), to_epoch(tick)),
            dimensions=(column,),
            measures=(measure,),
            within=incident.cause,
            most=MOST_VALUES * len(starts) * (2 if rule.arrived_at is not None else 1),
            timeout=timedelta(seconds=limit),
        )

    # --- telling ---------------------------------------------------------------------------------------------

    def _tell(self, name: str, found: Outside, outcome: Outcome, routes: Callable[[store.Tx], Routes]) -> Outcome:
        """Write it to the incident as it stands now, and tell who was told; nothing where its cause is another by now."""
        rule = self.watched.rule
        with self.state.write() as tx:
            incident = store.incident(tx, name)
            if incident is None or incident.state is State.RESOLVED or incident.cause != found.cause:
                return outcome
            step = location(incident, found, outcome.tick)
            decisions = plan([step], routes(tx), outcome.tick, store.told(tx, rule.name))
            texts = messages(rule, [step], decisions, store.marks(tx, outcome.tick - CHARTED))
            news: News = record_news(tx, [step], decisions, texts, outcome.tick)
        return replace(
            outcome,
            transitions=(*outcome.transitions, step),
            decisions=(*outcome.decisions, *news.decisions),
            messages=(*outcome.messages, *news.messages),
        )


def candidates(columns: Sequence[Column], watched: Watched) -> list[str]:
    """Columns that may name what was lost: words first, then truths and whole numbers; at most `MOST_COLUMNS`."""
    rule = watched.rule
    used = {*rule.dimensions, rule.timestamp.column, *(m.column for m in rule.metrics)}
    used |= {rule.arrived_at.column} if rule.arrived_at is not None else set()
    order = ("string", "boolean", "integer")
    named = [c for c in columns if c.family in order and c.name not in used and is_name(c)]
    return [c.name for c in sorted(named, key=lambda c: order.index(c.family))][:MOST_COLUMNS]


def _sums(frame: pd.DataFrame, column: str, starts: Sequence[int]) -> dict[Value, float]:
    """Events by value in some buckets; of a source that knows when they arrived, those that came on time."""
    inside = frame["bucket"].isin(pd.to_datetime(list(starts), unit="s", utc=True).astype(frame["bucket"].dtype))
    if "lag" in frame:
        inside &= frame["lag"] == 0
    sums = frame[inside].groupby(column, dropna=False)["m0"].sum()
    return {value if isinstance(value, str) else None: float(amount) for value, amount in sums.items()}
