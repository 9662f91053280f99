"""Which rules should have been evaluated by now, and were not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.buckets import to_datetime
from monitor.ticks import next_tick
from monitor.watched import Watched
from rules.cron import Cron
from rules.model import Rule

MOST_COUNTED = 1_000
"""Evaluations that are counted one by one: so many is so many or more."""


@dataclass(frozen=True)
class Late:
    """A rule with evaluations that were not made: since when the first of them is due, and how many there are."""

    rule: Rule
    since: datetime
    missing: int


def gap_of(rule: Rule) -> timedelta:
    """Between two evaluations of a rule; of a cron expression the shortest there is."""
    return rule.schedule.shortest_gap() if isinstance(rule.schedule, Cron) else rule.schedule


def late(rule: Rule, newest: int | None, now: datetime, known_since: datetime | None = None) -> Late | None:
    """What is missing of one rule, by the scheduled time of its newest evaluation (epoch seconds).

    A rule that was never evaluated is late from `known_since` on, where that is known. None where nothing is missing.
    """
    if newest is None:
        return None if known_since is None or known_since >= now else Late(rule, known_since, 1)
    watched = Watched.of(rule)
    first = next_tick(watched, to_datetime(newest))
    if first > now:
        return None
    return Late(rule, first, _missing(watched, first, now))


def late_rules(
    rules: Iterable[Rule], newest: Mapping[str, int], now: datetime, known_since: Mapping[str, datetime]
) -> tuple[Late, ...]:
    """What is missing of some rules, the longest first."""
    found = (late(rule, newest.get(rule.name), now, known_since.get(rule.name)) for rule in rules)
    return tuple(sorted((item for item in found if item is not None), key=lambda item: (item.since, item.rule.name)))


def _missing(watched: Watched, first: datetime, now: datetime) -> int:
    """Scheduled times from `first`, which is one, to `now`; no more than are counted."""
    schedule = watched.rule.schedule
    if not isinstance(schedule, Cron) and not watched.grid.daily:
        return min(int((now - first) / schedule) + 1, MOST_COUNTED)
    found, at = 1, next_tick(watched, first)
    while at <= now and found < MOST_COUNTED:
        found, at = found + 1, next_tick(watched, at)
    return found
