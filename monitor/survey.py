"""What a rule's newest week holds, and what its checks cost: asked of the source before the rule runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.buckets import DAY, Grid, to_datetime, to_epoch
from monitor.query import CountQuery, ScanTooLargeError, Source
from monitor.ripeness import lag_class
from monitor.ticks import SECOND, latest_tick, ticks_between
from monitor.watched import Watched
from rules.cron import Cron
from rules.model import Interval, Rule
from rules.problem import Problem
from rules.slices import Value, label_of
from rules.vocabulary import nearest

WEEK = 7


@dataclass(frozen=True)
class Survey:
    """Of the newest week: how many combinations of dimensions there are, and each dimension's values.

    Of a day of checks, at the rule's schedule: how many there are, the seconds they take by what one took just now,
    and the bytes they read, where the engine knows.
    """

    combinations: int
    values: tuple[frozenset[Value], ...]
    checks: int
    seconds: float
    bytes: int | None


def survey(rule: Rule, source: Source, end: datetime, timer: Callable[[], float]) -> Survey:
    """Ask for the week before `end`, the last event, and for what one check reads. Raises `SourceError`."""
    watched = Watched.of(rule)
    last = Grid.of(timedelta(days=1), "UTC").floor(to_epoch(end)) + DAY
    _refuse_large_history(watched, source, last)
    week = watched.by_day(Interval(to_datetime(last - WEEK * DAY), to_datetime(last)), last)
    terms = source.count(week)[list(rule.dimensions)].drop_duplicates()
    values = tuple(frozenset(terms[name].tolist()) for name in rule.dimensions)
    one = _one_check(watched, end)
    checks = max(1, len(ticks_between(watched, end - timedelta(days=1) + SECOND, end)))
    size = source.cost(one).bytes
    before = timer()
    source.count(one)
    return Survey(len(terms), values, checks, (timer() - before) * checks, None if size is None else size * checks)


def _refuse_large_history(watched: Watched, source: Source, last: int) -> None:
    """The first thing that a rule reads is its lookback; whether it may is known before anything is counted."""
    window = Interval(to_datetime(last - watched.lookback), to_datetime(last))
    cost = source.cost(watched.query([window], last))
    if cost.too_large:
        raise ScanTooLargeError.of(f"the history of {watched.rule.name}", cost)


def _one_check(watched: Watched, end: datetime) -> CountQuery:
    """What a check reads when the last event is the newest: new buckets, and those that have ripened since the one before."""
    tick = watched.schedule.due(watched.grid.floor(to_epoch(end)))
    schedule = watched.rule.schedule
    if isinstance(schedule, Cron):
        before = to_epoch(latest_tick(watched, to_datetime(tick) - SECOND))
    else:
        before = tick - int(schedule.total_seconds())
    newest = watched.schedule.newest(before)
    first = watched.grid.shift(newest, -4 * max(1, DAY // int(watched.rule.time_bucket.total_seconds())))
    known = {int(b): lag_class(before - watched.schedule.due(int(b))) for b in watched.grid.starts(first, newest + 1)}
    due = sorted(watched.schedule.to_read(tick, known, first)) or [watched.schedule.newest(tick)]
    return watched.query(watched.windows(due), tick)


def survey_problems(rule: Rule, found: Survey) -> Iterator[Problem]:
    """More combinations than are kept, and expected values that the week does not have; as warnings."""
    if found.combinations > rule.slices.max:
        message = f"the newest week has {found.combinations} combinations, and {rule.slices.max} are kept apart"
        hint = "the smallest are watched together; raise slices.max, or name fewer dimensions"
        yield rule.span("slices.max").problem("folded-slices", message, hint, "warning")
    seen = dict(zip(rule.dimensions, found.values, strict=True))
    for name, values in rule.slices.expected:
        for index, value in enumerate(values):
            if value not in seen.get(name, frozenset({value})):
                message = f"no event of the newest week has {name}={label_of(value)}"
                span = rule.span(f"slices.expected.{name}.{index}")
                yield span.problem("never-seen", message, _near(value, seen[name]), "warning")


def _near(value: Value, seen: frozenset[Value]) -> str:
    """The value that is most like it: expected values are often written as people say them, not as events do."""
    found = nearest(str(value), [item for item in seen if isinstance(item, str)])
    return f"did you mean {label_of(found)}?" if found is not None else "it is told as lost from the first check on"
