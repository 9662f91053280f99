"""Canaries: made-up events of which a slice is dropped on purpose, counted, judged and told like any others.

The news must arrive at a receiver that is there for this. Nothing of it is real but the way it takes: the evaluator, the
store, the outbox and the delivering thread are those of all rules.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from alerts.canary import CAME, LOST, canary_came, canary_lost
from alerts.message import parts_of
from alerts.model import Message
from alerts.operations import Operations
from alerts.wording import lasting
from monitor import store
from monitor.backfill import Backfill
from monitor.buckets import Grid, to_datetime, to_epoch
from monitor.evaluation import Evaluator
from monitor.reserved import CANARY
from monitor.selfwatch_settings import CanaryPlan
from monitor.synthetic import Synthetic
from monitor.watched import Watched
from rules.model import Rule, Severity, SourceRef, Timestamp
from rules.problem import Place

if TYPE_CHECKING:
    import pandas as pd

    from monitor.query import Column, Cost, CountQuery
    from rules.model import Interval

log = logging.getLogger("slicewatch")

LOOK_SECONDS = 15.0
HOUR = timedelta(hours=1)
DEVICE, DROPPED = "device", "canary"
VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {DEVICE: ("android", DROPPED, "ios", "tv", "web"), "country": ("DE", "GB", "NO", "SE", "US")}
)
EVENTS = 20_000.0
"""A bucket: enough that the silence of one device cannot be chance."""
WARM = 4
"""Buckets evaluated before one breaks: until then whoever has just started doubts what is late."""
AFTER = 2
"""Buckets after it, by which it is over."""
ABANDONED = timedelta(minutes=5)
"""A canary that was begun and not judged by then goes to whoever looks next."""
THREAD = "canary-"


@dataclass(frozen=True)
class CanaryEvents:
    """The events: in the bucket that starts at `dropped` (epoch seconds) one device has none. A `Source` in memory."""

    dropped: int

    @cached_property
    def _whole(self) -> Synthetic:
        return Synthetic(Grid.of(HOUR, "UTC"), VALUES, EVENTS)

    def count(self, query: CountQuery) -> pd.DataFrame:
        """As of `Synthetic`, without those that are dropped."""
        found = self._whole.count(query)
        gone = (found["bucket"] == to_datetime(self.dropped)) & (found[DEVICE] == DROPPED)
        return found[~gone].reset_index(drop=True)

    def watermark(self, query: CountQuery) -> datetime | None:
        """Everything arrives at once."""
        return self._whole.watermark(query)

    def columns(self, ref: SourceRef) -> tuple[Column, ...]:
        """Its dimensions."""
        return self._whole.columns(ref)

    def span(self, ref: SourceRef, timestamp: Timestamp, where: str | None) -> Interval | None:
        """There is no first and no last event."""
        return self._whole.span(ref, timestamp, where)

    def cost(self, query: CountQuery) -> Cost:
        """Nothing is read."""
        return self._whole.cost(query)

    def close(self) -> None:
        """Nothing is open."""


def rule_of(plan: CanaryPlan) -> Rule:
    """The rule by which the events are judged, as any other; nobody can have one of that name."""
    return Rule(
        name=CANARY,
        source=SourceRef("slicewatch", ("canary",)),
        timestamp=Timestamp("at"),
        dimensions=tuple(VALUES),
        place=Place("[canary]"),
        description="Made-up events, to see that news arrive.",
        severity=Severity.INFO,
        keep_firing_for=0,
        notify=tuple((severity, (plan.receiver,)) for severity in Severity),
    )


@dataclass
class Canaries:
    """Sends canaries and looks whether they arrived. Any number of daemons may: each canary is taken by one."""

    plan: CanaryPlan
    state: store.Store
    daemon: str
    fallback: str | None
    """Who is told that one did not arrive."""
    _rule: Rule = field(init=False)

    def __post_init__(self) -> None:
        self._rule = rule_of(self.plan)

    def look(self, now: datetime) -> bool:
        """Take the step that is due; whether there is something to deliver."""
        due = self.plan.cron.latest(now, ZoneInfo(self.plan.timezone))
        with self.state.read() as tx:
            newest = next(iter(store.canaries(tx)), None)
        if newest is not None and newest.over is None and (newest.incident or newest.due != due):
            return self._look_after(newest, now, passed=newest.due != due)
        if newest is None or newest.due != due or newest.over is None:
            return self._send(store.Canary(due, self.daemon, now), now)
        return False

    def _send(self, item: store.Canary, now: datetime) -> bool:
        """Drop the slice, unless another daemon has this canary in hand."""
        with self.state.write() as tx:
            if not store.begin_canary(tx, item, now - ABANDONED):
                return False
            # Each canary is judged by a history of its own: what an earlier one lacked is no part of what is usual, and it
            # did not turn out to have been late because it is there now.
            store.rewind(tx, CANARY, None, 0)
            store.reset_history(tx, CANARY, f"{CANARY} {to_epoch(item.due)}")
        self._judge(item, now)
        dropped = to_datetime(self._dropped(item))
        with self.state.write() as tx:
            # Not what this evaluation made: whoever had the canary before may have come so far.
            known = store.incidents(tx, rule=CANARY, began_after=dropped - HOUR)
            found = [i.id for i in known if i.raised_at is not None and i.since == dropped]
            if found:
                store.keep_canary(tx, replace(item, incident=found[0]))
        return bool(found) or self._end(item, now, "a slice was dropped, and nobody noticed")

    def _look_after(self, item: store.Canary, now: datetime, *, passed: bool) -> bool:
        with self.state.read() as tx:
            arrived = item.incident and store.arrived(tx, item.incident, self.plan.receiver)
            why = self._why(tx, item)
        if arrived:
            return self._end(item, arrived)
        if passed:
            return self._end(item, now, "nobody looked after it until the next one was due", aloud=False)
        return now - item.begun > self.plan.within and self._end(item, now, why)

    def _why(self, tx: store.Tx, item: store.Canary) -> str:
        """Why it is not there yet, as far as it is known."""
        within = lasting(self.plan.within)
        held = [d.because for d in store.decisions(tx, item.incident) if not d.send]
        sent = [d for d in store.deliveries(tx, item.incident) if d.receiver == self.plan.receiver and d.part == "text"]
        if not sent:
            return f"its news were held back: {held[-1]}" if held else "its news were sent to nobody"
        errors = [d.last_error for d in sent if d.last_error]
        return f"its news did not reach {self.plan.receiver} within {within}{f': {errors[-1]}' if errors else ''}"

    def _end(self, item: store.Canary, now: datetime, problem: str = "", *, aloud: bool = True) -> bool:
        """It is over, one way or the other; what was dropped is there again."""
        with self.state.write() as tx:
            if not store.keep_canary(tx, store.ended(item, now, problem)):
                return False
            self._tell(tx, item, now, problem if aloud else "")
        if problem:
            log.error("the canary of %s did not arrive: %s", item.due, problem)
        self._recover(item, now)
        return True

    def _tell(self, tx: store.Tx, item: store.Canary, now: datetime, problem: str) -> None:
        """One thread from the first that did not arrive to the next that does."""
        thread = store.newest_thread(tx, THREAD)
        open_one = thread is not None and thread.seq == LOST
        if self.fallback is None or bool(problem) == open_one:
            return
        number = 1 if thread is None else thread.number + (not open_one)
        key = f"{THREAD}{number:06d}"
        message: Message = (
            canary_lost(key, self.plan.receiver, item.due, problem)
            if problem
            else canary_came(key, self.plan.receiver, item.due)
        )
        assert message.seq in {LOST, CAME}
        store.enqueue(tx, message, self.fallback, parts_of(message), now)

    # --- the way of all events ------------------------------------------------------------------------------------

    def _judge(self, item: store.Canary, now: datetime) -> None:
        """Evaluate some hours of which the last one lacks a slice; they are over, so that the next ones can come at once."""
        evaluator, ticks = self._evaluator(item), self._ticks(item)
        backfill = Backfill(evaluator.watched, evaluator.source, self.state)
        first = to_epoch(ticks[0])
        for _ in backfill.run(backfill.plan(evaluator.watched.schedule.newest(first), first), first):
            pass
        for tick in ticks[: WARM + 1]:
            evaluator.evaluate(tick, max(tick, now))

    def _recover(self, item: store.Canary, now: datetime) -> None:
        evaluator = self._evaluator(item)
        for tick in self._ticks(item)[WARM + 1 :]:
            evaluator.evaluate(tick, max(tick, now))

    def _evaluator(self, item: store.Canary) -> Evaluator:
        return Evaluator(Watched.of(self._rule, Operations()), CanaryEvents(self._dropped(item)), self.state)

    def _dropped(self, item: store.Canary) -> int:
        """Start of the bucket that lacks a slice."""
        return Watched.of(self._rule).schedule.newest(to_epoch(self._ticks(item)[WARM]))

    def _ticks(self, item: store.Canary) -> list[datetime]:
        """Evaluations before the one that lacks a slice, that one, and those after it; all of them past when it is due."""
        last = to_datetime(to_epoch(item.due) // 3600 * 3600)
        return [last - n * HOUR for n in reversed(range(WARM + 1 + AFTER))]
