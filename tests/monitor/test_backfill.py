"""History before the first tick: newest day first, resumable, bounded."""

# ruff: noqa: PD011  these values are arrays of ours, not of pandas

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monitor import store
from monitor.backfill import Backfill
from monitor.buckets import DAY, Grid, to_datetime
from monitor.evaluation import Evaluator
from monitor.query import SourceError
from monitor.sources import SourceConfig, open_source
from monitor.watched import Watched
from rules.model import SlicePolicy
from rules.slices import FOLDED
from tests.monitor.ticks import Ticks, told
from tests.monitor.world import HOUR, World, WorldSource, rule_of, world

SMALL = {"device": ("phone", "tv"), "country": ("NO", "SE", "DK")}
N = 10 * 24 + 7


@cache
def made() -> World:
    return world(SMALL, days=12)


@pytest.fixture
def state():
    opened = store.Store.open("sqlite://")
    yield opened
    opened.close()


def backfill(state: store.Store, source, **rule) -> Backfill:
    """Of a rule that looks back nine days."""
    return Backfill(Watched.of(rule_of(made(), **({"lookback": timedelta(days=9)} | rule))), source, state)


def tick_of(column: int) -> int:
    """When the bucket of a column is due."""
    return int(made().starts[column]) + HOUR


def stored(state: store.Store) -> tuple[list, np.ndarray]:
    """(leaves, values [S, T]) of everything before N."""
    with state.read() as tx:
        terms = store.leaves(tx, "playback_volume").terms
        block = store.pages(tx, "playback_volume", made().starts[:N], n_leaves=len(terms), measures=1)
    return terms, block.values[0]


def test_the_plan_is_the_lookback_newest_day_first(state):
    """Whole days but the newest, which ends before the first tick's bucket; it says what it will cost."""
    plan = backfill(state, WorldSource(made())).plan(int(made().starts[N]), tick_of(N))
    firsts = [day[0] for day in plan.days]
    assert firsts == sorted(firsts, reverse=True)
    assert plan.days[0][-1] == made().starts[N - 1]
    assert all(len(day) == 24 for day in plan.days[1:])
    assert all(list(day) == sorted(day) for day in plan.days)
    assert firsts[-1] <= made().starts[N] - 9 * DAY
    assert plan.buckets == sum(len(day) for day in plan.days)
    assert f"{plan.buckets} buckets" in plan.describe("playback_volume")


def test_days_are_local_days(state):
    """In Oslo a day's buckets start at its midnight."""
    plan = backfill(state, WorldSource(made()), timezone="Europe/Oslo").plan(int(made().starts[N]), tick_of(N))
    assert all(to_datetime(day[0]).hour == 23 for day in plan.days[1:])


def test_it_counts_what_there_is(state):
    """Every bucket of the lookback is stored, each with what the source has, zeros included."""
    filling = backfill(state, WorldSource(made()))
    plan = filling.plan(int(made().starts[N]), tick_of(N))
    assert sum(filling.run(plan, tick_of(N))) == plan.buckets
    terms, values = stored(state)
    rows = [made().terms.index(item) for item in terms]
    np.testing.assert_array_equal(values[:, N - plan.buckets :], made().values[0][rows][:, N - plan.buckets : N])
    assert filling.plan(int(made().starts[N]), tick_of(N)).days == ()


def test_it_goes_on_where_it_stopped(state):
    """Stopped after three days, a new one does the others only, and the history is that of an undisturbed one."""
    source = WorldSource(made())
    filling = backfill(state, source)
    steps = filling.run(filling.plan(int(made().starts[N]), tick_of(N)), tick_of(N))
    for _ in range(3):
        next(steps)
    steps.close()
    source.asked.clear()
    rest = backfill(state, source)
    plan = rest.plan(int(made().starts[N]), tick_of(N))
    list(rest.run(plan, tick_of(N)))
    assert len(source.asked) == len(plan.days)
    terms, values = stored(state)
    other = store.Store.open("sqlite://")
    whole = backfill(other, WorldSource(made()))
    list(whole.run(whole.plan(int(made().starts[N]), tick_of(N)), tick_of(N)))
    assert stored(other)[0] == terms
    np.testing.assert_array_equal(stored(other)[1], values)
    other.close()


def test_a_source_that_fails_leaves_whole_days(state):
    """The error goes through; what was counted stays, nothing half."""
    source = WorldSource(made())
    filling = backfill(state, source)
    steps = filling.run(filling.plan(int(made().starts[N]), tick_of(N)), tick_of(N))
    next(steps)
    next(steps)
    source.broken = "connection refused"
    with pytest.raises(SourceError, match="connection refused"):
        next(steps)
    with state.read() as tx:
        known = store.coverage(tx, "playback_volume", 0, 2**40)
    assert len(known) == 7 + 24


def test_ages_are_the_lag_classes(state):
    """Old buckets are final, the newest of the first class."""
    filling = backfill(state, WorldSource(made()))
    list(filling.run(filling.plan(int(made().starts[N]), tick_of(N)), tick_of(N)))
    with state.read() as tx:
        known = store.coverage(tx, "playback_volume", 0, 2**40)
    assert known[int(made().starts[N - 1])] == 0
    assert known[int(made().starts[N - 4])] == 1
    assert known[int(made().starts[N - 30])] == 2
    assert known[int(made().starts[N - 80])] == store.LAG_FINAL


def test_a_wide_cube_keeps_the_largest_of_the_whole_lookback(state):
    """Three of six leaves: the largest by volume over all days, the same on each; kept and folded are the total."""
    quiet = made().scaled(0.0, N - 30, device="phone", country="NO")
    filling = backfill(state, WorldSource(quiet), slices=SlicePolicy(max=3))
    plan = filling.plan(int(made().starts[N]), tick_of(N))
    list(filling.run(plan, tick_of(N)))
    terms, values = stored(state)
    begin = N - plan.buckets
    volume = quiet.values[0][:, begin - begin % 24 : N - N % 24 + 24].sum(axis=1)
    largest = {quiet.terms[row] for row in np.argsort(-volume)[:3]}
    assert set(terms) == largest | {(FOLDED, FOLDED)}
    np.testing.assert_array_equal(values[:, begin:].sum(axis=0), quiet.values[0][:, begin:N].sum(axis=0))


def test_day_buckets_are_filled_too(state):
    """Fifty-six days, one step a day, in the rule's own zone."""
    grid = Grid(DAY, "America/New_York")
    days = world(SMALL, days=80, grid=grid)
    rule = rule_of(days, time_bucket=timedelta(days=1), timezone="America/New_York", lookback=timedelta(days=56))
    filling = Backfill(Watched.of(rule), WorldSource(days), state)
    plan = filling.plan(int(days.starts[70]), int(days.starts[71]))
    assert [len(day) for day in plan.days] == [1] * len(plan.days)
    assert len(plan.days) in (56, 57)
    list(filling.run(plan, int(days.starts[71])))
    with state.read() as tx:
        terms = store.leaves(tx, rule.name).terms
        block = store.pages(tx, rule.name, days.starts[14:70], n_leaves=len(terms), measures=1)
    rows = [days.terms.index(item) for item in terms]
    np.testing.assert_array_equal(block.values[0], days.values[0][rows][:, 14:70])


def test_from_files_to_an_incident(state, tmp_path: Path):
    """The same over Parquet and the real engine: learned by backfill, a dead device told, under its own name."""
    broken = world(SMALL, days=30, volume=120.0).scaled(0.0, 28 * 24 + 10, device="tv")
    rows, columns = np.nonzero(broken.values[0])
    counts = broken.values[0][rows, columns]
    at = np.repeat(pd.to_datetime(broken.starts[columns], unit="s"), counts)
    frame = pd.DataFrame({"at": at + pd.to_timedelta(np.arange(len(at)) % 3600, unit="s")})
    for d, name in enumerate(broken.dimensions):
        frame[name] = np.repeat(np.array([broken.terms[r][d] for r in rows], dtype=object), counts)
    frame.to_parquet(tmp_path / "playback.parquet")
    source = open_source("lake", SourceConfig("duckdb", {"playback": (str(tmp_path / "*.parquet"),)}))
    rule = rule_of(broken)
    ticks = Ticks(broken, rule, state, WorldSource(broken), Evaluator(Watched.of(rule), source, state))
    filling = Backfill(ticks.watched, source, state)
    first = int(broken.starts[28 * 24 + 9])
    list(filling.run(replace(filling.plan(first, first + HOUR)), first + HOUR))
    ticks.run(range(28 * 24 + 9, 28 * 24 + 13))
    assert told(ticks.transitions) == [("opened", "drop", "device=tv")]
    source.close()
