"""Rules that are not evaluated though the daemon runs: whoever hears of their incidents hears of that, in one thread each.

A downtime that catching up mends is told to nobody: a rule counts as unchecked only where nothing of it was evaluated for
long while this daemon looked on, or where it has been far behind for hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.message import parts_of
from alerts.unchecked import NotChecked, Tidings, told_unchecked
from monitor import store
from monitor.lateness import Late, gap_of, late_rules
from monitor.tally import GRACE
from rules.model import Rule

LOOK_SECONDS = 60.0
LOOKED_AWAY = timedelta(minutes=5)
"""Between two looks: where it was longer, whatever happened meanwhile happened to the daemon and not to the rules."""
LEAST = timedelta(hours=1)
TIMES = 3
"""Evaluations of a rule that may be missing, and the least time for it."""
LONG = 6
"""So many times that long a rule may be behind while it catches up."""
BETWEEN = timedelta(hours=1)
"""Between two messages of a thread, but for the last one."""

Receivers = Callable[[Iterable[Rule]], tuple[str, ...]]
Why = Callable[[str, datetime], str]
"""Why a rule is not evaluated, as far as the daemon knows, by its name."""


def limit_of(rule: Rule) -> timedelta:
    """How long a rule may be late before somebody is told."""
    return max(TIMES * gap_of(rule), LEAST)


@dataclass(frozen=True)
class _Seen:
    """What a daemon saw of one rule: its newest evaluation, since when it is that one, and since when it is far behind."""

    newest: int | None
    stands_since: datetime
    behind_since: datetime | None = None


@dataclass
class Onlooker:
    """What one daemon saw of all rules, look by look. One thread uses it."""

    _seen: dict[str, _Seen] = field(default_factory=dict)
    _looked: datetime | None = None

    def known_since(self) -> dict[str, datetime]:
        """Of the rules that were never evaluated since this daemon knows them: since when that is."""
        return {name: seen.stands_since for name, seen in self._seen.items() if seen.newest is None}

    def look(self, rules: Sequence[Rule], newest: Mapping[str, int], now: datetime) -> tuple[Late, ...]:
        """The rules that are unchecked now, the longest first."""
        if self._looked is None or not timedelta(0) <= now - self._looked <= LOOKED_AWAY:
            self._seen = {}
        self._looked = now
        before = self._seen
        self._seen = {rule.name: _now(before.get(rule.name), newest.get(rule.name), now) for rule in rules}
        found = []
        for late in late_rules(rules, newest, now, self.known_since()):
            limit, seen = limit_of(late.rule), self._seen[late.rule.name]
            if now - late.since <= limit:
                continue
            behind = before[late.rule.name].behind_since if late.rule.name in before else None
            self._seen[late.rule.name] = seen = _Seen(seen.newest, seen.stands_since, behind or now)
            if _unchecked(seen, limit, now):
                found.append(late)
        return tuple(found)


def _now(before: _Seen | None, newest: int | None, now: datetime) -> _Seen:
    same = before is not None and before.newest == newest
    return _Seen(newest, before.stands_since if same and before is not None else now)


def _unchecked(seen: _Seen, limit: timedelta, now: datetime) -> bool:
    stands = now - seen.stands_since > limit
    return stands or (seen.behind_since is not None and now - seen.behind_since > LONG * limit)


def tell_unchecked(
    state: store.Store, rules: Sequence[Rule], onlooker: Onlooker, receivers: Receivers, why: Why, now: datetime
) -> int:
    """Queue what is new: rules that are not checked, and those that are again; how many messages that were."""
    with state.read() as tx:
        newest = {name: run.tick for name, run in store.newest_runs(tx, [rule.name for rule in rules]).items()}
        known = store.unchecked(tx)
    found = onlooker.look(rules, newest, now)
    if not found and not known:
        return 0
    # What another daemon told, and this one has not watched for long enough, goes on until it is evaluated.
    told = {item.rule for item in known}
    late = late_rules([rule for rule in rules if rule.name in told], newest, now, onlooker.known_since())
    bad = {item.rule.name: item for item in (*found, *(item for item in late if now - item.since > GRACE))}
    concerned: dict[str, list[NotChecked]] = {item.receiver: [] for item in known}
    for name, item in bad.items():
        for receiver in receivers([item.rule]):
            concerned.setdefault(receiver, []).append(NotChecked(item.rule, item.since, item.missing, why(name, now)))
    there = frozenset(rule.name for rule in rules)
    return sum(_tell(state, receiver, items, there, now) for receiver, items in concerned.items())


def _tell(state: store.Store, receiver: str, bad: Sequence[NotChecked], there: frozenset[str], now: datetime) -> int:
    """One receiver's next message, where there is one."""
    with state.write() as tx:
        known = [item for item in store.unchecked(tx) if item.receiver == receiver]
        news = _tidings({item.rule for item in known}, bad, there)
        thread = store.newest_thread(tx, _prefix(receiver))
        key, seq = _next(receiver, known, thread)
        waits = seq > 1 and bool(news.still) and not store.quiet_since(tx, key, now - BETWEEN)
        if waits or not (news.fresh or news.back or news.gone):
            return 0
        message = told_unchecked(key, seq, news)
        for name in (*news.back, *news.gone):
            store.remove_unchecked(tx, receiver, name)
        for item in news.fresh:
            store.put_unchecked(tx, store.Unchecked(receiver, item.rule.name, key, item.since))
        return store.enqueue(tx, message, receiver, parts_of(message), now)


def _tidings(heard: set[str], bad: Sequence[NotChecked], there: frozenset[str]) -> Tidings:
    over = heard - {item.rule.name for item in bad}
    return Tidings(
        still=tuple(sorted(bad, key=lambda item: (item.since, item.rule.name))),
        fresh=tuple(item for item in bad if item.rule.name not in heard),
        back=tuple(sorted(over & there)),
        gone=tuple(sorted(over - there)),
    )


def _next(receiver: str, known: Sequence[store.Unchecked], thread: store.Thread | None) -> tuple[str, int]:
    """Key and number of a receiver's next message: in the thread it knows, or the first of another one."""
    if known and thread is not None:
        return known[0].thread, thread.seq + 1
    return f"{_prefix(receiver)}{1 if thread is None else thread.number + 1:06d}", 1


def _prefix(receiver: str) -> str:
    return f"unchecked-{hashlib.sha256(receiver.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}-"
