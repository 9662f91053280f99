"""How slicewatch itself does, from what its daemons wrote down: some queries, however many rules there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from dashboards.views.health import WorkLine
from dashboards.views.readings import Counted, Readings, ReceiverReadings, RuleReadings
from monitor import store, tally
from monitor.app import App
from monitor.buckets import to_datetime, to_epoch
from monitor.lateness import gap_of, late
from monitor.parking import parked_now
from monitor.views.daemons import ALIVE
from monitor.views.health import BACK, work_lines
from monitor.views.rules import middle
from monitor.views.status import canary_state
from rules.model import Rule


@dataclass(frozen=True)
class _Counts:
    """What was counted, as it is looked up."""

    items: dict[tuple[str, str], dict[str, store.Tallied]]

    @classmethod
    def of(cls, found: Sequence[store.Tallied]) -> _Counts:
        items: dict[tuple[str, str], dict[str, store.Tallied]] = {}
        for item in found:
            items.setdefault((item.name, item.subject), {})[item.result] = item
        return cls(items)

    def by_result(self, name: str, subject: str = "") -> Counted:
        return tuple((result, item.value) for result, item in self.items.get((name, subject), {}).items())

    def one(self, name: str, subject: str = "") -> float:
        found = self.items.get((name, subject), {}).get("")
        return 0.0 if found is None else found.value


@dataclass(frozen=True)
class ReadingsOfStore:
    """`dashboards.views.readings.ReadingsPort` of an app."""

    app: App

    def readings(self, now: datetime) -> Readings:
        """As they are."""
        rules = self.app.rules.rules
        names = [rule.name for rule in rules]
        with self.app.state.read() as tx:
            work = {line.rule: line for line in work_lines(tx, rules, now)}
            newest = store.newest_runs(tx, names)
            good = store.newest_goods(tx, names)
            counts = _Counts.of(store.tallies(tx))
            failed = store.failed_counts(tx, to_epoch(now - BACK))
            traffic, due = store.traffic(tx, now - BACK), store.waiting_since(tx, now)
            there = [item for item in store.replicas(tx) if abs(now - item.seen_at) <= ALIVE]
            alive = [item.id for item in there]
            parked = sorted(parked_now(tx, rules).items())
            unchecked = {item.rule for item in store.unchecked(tx)}
            canary = canary_state(tx)
        known = {receiver.name for receiver in self.app.settings.receivers}
        waiting = [item.oldest for item in traffic if item.oldest is not None]
        return Readings(
            now=now,
            version=version("slicewatch"),
            daemons=len(alive),
            store_bytes=self.app.state.size(),
            failed=tuple((outcome, failed.get(outcome, 0)) for outcome in (store.BLIND, store.LATE)),
            oldest_queued=min(waiting, default=None),
            rules=tuple(
                _rule(rule, work[rule.name], newest.get(rule.name), good.get(rule.name), counts, now) for rule in rules
            ),
            receivers=_receivers({item.receiver: item for item in traffic}, known, due, counts),
            parked=tuple((name, item.failures) for name, item in parked),
            unchecked=len(unchecked),
            heartbeats=counts.by_result(tally.HEARTBEATS),
            reloads=counts.by_result(tally.RELOADS),
            reloaded=_reloaded(counts, alive),
            broken_files=_most(counts, tally.BROKEN_FILES, alive),
            store_errors=counts.one(tally.STORE_ERRORS),
            clock_off=max((abs(item.ahead.total_seconds()) for item in there), default=0.0),
            threads=_threads(counts, alive),
            canary=canary,
        )


def _rule(
    rule: Rule, work: WorkLine, newest: store.Run | None, good: int | None, counts: _Counts, now: datetime
) -> RuleReadings:
    missing = None if newest is None else late(rule, newest.tick, now)
    return RuleReadings(
        work=work,
        last_success=None if good is None else to_datetime(good),
        schedule=gap_of(rule),
        late_since=None if missing is None else missing.since,
        missing=0 if missing is None else missing.missing,
        evaluations=counts.by_result(tally.EVALUATIONS, rule.name),
        delayed=counts.one(tally.DELAYED, rule.name),
        seconds=counts.one(tally.SECONDS, rule.name),
        source_seconds=counts.one(tally.QUERY_SECONDS, rule.name),
        source_rows=counts.one(tally.QUERY_ROWS, rule.name),
        buckets=counts.one(tally.BUCKETS, rule.name),
        slices=counts.by_result(tally.SLICES, rule.name),
    )


def _receivers(
    traffic: dict[str, store.Traffic], known: set[str], due: dict[str, datetime], counts: _Counts
) -> tuple[ReceiverReadings, ...]:
    """Those of the settings, and others for which anything waits or was given up."""
    none = store.Traffic("", 0, 0, 0, None, ())
    return tuple(
        ReceiverReadings(
            name=name,
            queued=traffic.get(name, none).queued,
            dead=traffic.get(name, none).dead,
            due_since=due.get(name),
            arrived=traffic.get(name, none).done,
            median_seconds=middle(traffic.get(name, none).seconds),
            deliveries=counts.by_result(tally.DELIVERIES, name),
        )
        for name in sorted(known | set(traffic))
    )


def _reloaded(counts: _Counts, alive: Sequence[str]) -> tuple[datetime, bool] | None:
    found = [item for name in alive for item in counts.items.get((tally.RELOADED, name), {}).values()]
    return None if not found else (max(item.at for item in found), all(item.value for item in found))


def _most(counts: _Counts, name: str, alive: Sequence[str]) -> int | None:
    found = [item.value for daemon in alive for item in counts.items.get((name, daemon), {}).values()]
    return int(max(found)) if found else None


def _threads(counts: _Counts, alive: Sequence[str]) -> tuple[tuple[str, datetime], ...]:
    found: dict[str, float] = {}
    for daemon in alive:
        for thread, at in counts.by_result(tally.CHORES, daemon):
            found[thread] = min(at, found.get(thread, at))
    return tuple((thread, to_datetime(int(at))) for thread, at in sorted(found.items()))
