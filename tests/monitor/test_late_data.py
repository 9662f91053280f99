"""Whole ticks over events that come late: nothing late is called lost, and what is lost is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from alerts.model import Change, Kind, State
from monitor import store
from rules.model import Timestamp
from tests.monitor.ticks import Ticks, told
from tests.monitor.world import HOUR, World, coming, world

SMALL = {"device": ("phone", "tablet", "tv", "web"), "country": ("NO", "SE", "DK"), "version": ("1", "2")}
N = 28 * 24 + 10
FRESH = world(SMALL, days=33)
ON_TIME = {"phone": 0.95, "tablet": 0.8, "tv": 0.6, "web": 0.75}
ARRIVED = {"arrived_at": Timestamp("arrived_at")}

Over = Callable[..., Ticks]


def shares(made: World) -> np.ndarray:
    """[S, L]: each device has its own share on time; nearly all is there three hours later."""
    first = np.array([ON_TIME[terms[0]] for terms in made.terms])
    return np.stack([first, 0.97 - first, np.full(len(first), 0.02), np.full(len(first), 0.01)], axis=1)


def parted(made: World) -> np.ndarray:
    return coming(made, shares(made))


def postponed(by_class: np.ndarray, rows: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Counts parted by class, where nothing of some rows' hours [first, stop) arrives on time, all three hours later."""
    moved = by_class.copy()
    moved[1][:, rows, first:stop] += moved[0][:, rows, first:stop]
    moved[0][:, rows, first:stop] = 0
    return moved


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has counted four weeks of FRESH by arrival."""
    path = tmp_path_factory.mktemp("late") / "state.db"
    state = store.Store.open(f"sqlite:///{path}")
    ticks = Ticks.over(FRESH, state, **ARRIVED)
    ticks.source.coming = parted(FRESH)
    ticks.learn(N)
    state.close()
    return path


@pytest.fixture
def over(learned: Path, tmp_path: Path) -> Over:
    """Ticks over a world whose first four weeks are those of FRESH, parted as they arrive, with `arrived_at`."""
    opened: list[store.Store] = []

    def make(made: World, by_class: np.ndarray | None = None, name: str = "state") -> Ticks:
        path = tmp_path / f"{name}.db"
        if not path.exists():
            shutil.copy(learned, path)
        opened.append(store.Store.open(f"sqlite:///{path}"))
        ticks = Ticks.over(made, opened[-1], **ARRIVED)
        ticks.source.coming = parted(made) if by_class is None else by_class
        return ticks

    yield make
    for state in opened:
        state.close()


def pages(ticks: Ticks, column: int, lag: int) -> float:
    """All events of a bucket as they are stored at a lag class; NaN where it was not read then."""
    with ticks.state.read() as tx:
        leaves = len(store.leaves(tx, ticks.rule.name).terms)
        starts = ticks.world.starts[column : column + 1]
        return float(store.pages(tx, ticks.rule.name, starts, n_leaves=leaves, measures=1, lag=lag).values.sum())


# --- with arrived_at -------------------------------------------------------------------------------------------


def test_a_backfill_fills_all_classes_of_history(over):
    """Old buckets are there as they were at each age, young ones only as far as they have ripened."""
    ticks, by_class = over(FRESH), parted(FRESH)
    there = np.cumsum(by_class, axis=0).sum(axis=(1, 2))
    for lag in range(4):
        assert pages(ticks, N - 100, lag) == there[lag, N - 100]
    assert pages(ticks, N - 1, 0) == there[0, N - 1]
    assert np.isnan(pages(ticks, N - 1, 1))
    assert pages(ticks, N - 5, 1) == there[1, N - 5]
    assert np.isnan(pages(ticks, N - 5, 2))


def test_late_events_raise_nothing(over):
    """A day and a half over midnight and a refit, two fifths of tv late: no incident."""
    assert over(FRESH).run(range(N, N + 28)).transitions == []


def test_a_loss_is_told_at_once_among_late_events(over):
    """Tv, the latest of all, vanishes: told in its first hour, its sums over what should be there by then."""
    made = FRESH.scaled(0.0, N + 3, N + 9, device="tv")
    ticks = over(made).run(range(N, N + 16))
    assert told(ticks.transitions) == [("opened", "drop", "device=tv"), ("resolved", "drop", "device=tv")]
    opened = next(t.incident for t in ticks.transitions if t.change is Change.OPENED)
    assert opened.raised_at == ticks.at(N + 3)
    should = FRESH.mean[FRESH.inside(device="tv"), N + 3].sum() * ON_TIME["tv"]
    assert opened.expected == pytest.approx(should, rel=0.1)
    (incident,) = ticks.incidents
    assert not incident.late
    assert ticks.column(incident.until) == N + 9
    assert incident.expected > 5 * should
    assert incident.observed == 0


def test_what_came_late_is_amended(over):
    """Tv's hours stay away and arrive three hours later: told as lost, then said to have been late, with the sums."""
    by_class = postponed(parted(FRESH), np.flatnonzero(FRESH.inside(device="tv")), N + 3, N + 5)
    ticks = over(FRESH, by_class).run(range(N, N + 12))
    (incident,) = ticks.incidents
    assert incident.state is State.RESOLVED
    assert incident.late
    assert incident.kind is Kind.DROP
    assert "late, not lost" in incident.resolution
    assert incident.observed == pytest.approx(incident.expected, rel=0.1)
    messages = [message for outcome in ticks.outcomes for _, message in outcome.messages]
    assert "late, not lost" in messages[-1].push
    assert "have arrived" in messages[-1].push


def test_what_stays_late_is_amended_while_it_lasts(over):
    """Tv comes three hours late from now on: the open incident says so once its first hours have come."""
    by_class = postponed(parted(FRESH), np.flatnonzero(FRESH.inside(device="tv")), N + 3, N + 20)
    ticks = over(FRESH, by_class).run(range(N, N + 14))
    assert ("amended", "drop", "device=tv") in told(ticks.transitions)
    (incident,) = ticks.incidents
    assert incident.late
    assert sum(change == "amended" for change, _, _ in told(ticks.transitions)) == 1


def test_a_lost_hour_is_not_called_late(over):
    """Lost for two hours and back: resolved as lost, whatever ripens afterwards."""
    ticks = over(FRESH.scaled(0.0, N + 3, N + 5, device="tv")).run(range(N, N + 14))
    (incident,) = ticks.incidents
    assert incident.state is State.RESOLVED
    assert not incident.late
    assert incident.observed == 0


def test_cells_that_came_late_are_history_again(over):
    """What is complete by now is no longer flagged."""
    by_class = postponed(parted(FRESH), np.flatnonzero(FRESH.inside(device="tv")), N + 3, N + 5)
    ticks = over(FRESH, by_class).run(range(N, N + 12))
    with ticks.state.read() as tx:
        assert not store.flags(tx, ticks.rule.name, FRESH.starts[N : N + 12], len(FRESH.terms)).any()


# --- a source that is behind -----------------------------------------------------------------------------------


def halted(ticks: Ticks, first: int, stop: int) -> Ticks:
    """Nothing at all arrives from the first hour on; everything does in the middle of the hour `stop`."""
    begin = int(ticks.world.starts[first])
    ticks.source.halted = (begin + 1, int(ticks.world.starts[stop]) + HOUR // 2)
    return ticks


def test_a_source_that_is_behind_is_late_not_lost(over):
    """Nothing arrives for three hours: one late incident on the source, nothing judged; then all is judged."""
    ticks = halted(over(FRESH), N + 3, N + 6).run(range(N, N + 5))
    (incident,) = ticks.incidents
    assert (incident.kind, incident.state) == (Kind.LATE, State.FIRING)
    assert incident.detail.startswith("nothing has arrived since")
    assert ticks.outcomes[-1].late
    assert ticks.outcomes[-1].judged == ()
    ticks.run(range(N + 5, N + 9))
    assert [(i.kind, i.state) for i in ticks.incidents] == [(Kind.LATE, State.RESOLVED)]
    assert "caught up" in ticks.incidents[0].resolution


def test_a_source_behind_freezes_what_is_open(over):
    """A slice incident is neither better nor worse while the source is behind."""
    made = FRESH.scaled(0.0, N + 1, None, device="tv")
    ticks = halted(over(made), N + 4, N + 6).run(range(N, N + 5))
    states = {i.kind: i.state for i in ticks.incidents}
    assert states == {Kind.DROP: State.UNKNOWN, Kind.LATE: State.FIRING}


def test_all_events_lost_while_stragglers_arrive_is_a_drop(over):
    """Older events keep arriving, so the source is not behind: the total is lost, cause {}."""
    made = FRESH.scaled(0.0, N + 3, N + 6)
    ticks = over(made).run(range(N, N + 5))
    assert told(ticks.transitions) == [("opened", "drop", "total")]


# --- again, and restarted --------------------------------------------------------------------------------------


def test_a_tick_again_leaves_the_store_equal(over):
    """Row by row, with late data, an incident amended and a refit on the way."""
    by_class = postponed(parted(FRESH), np.flatnonzero(FRESH.inside(device="tv")), N + 3, N + 5)
    ticks = over(FRESH, by_class)
    for column in range(N, N + 16):
        ticks.tick(column)
        before = ticks.dump()
        assert ticks.tick(column).repeated
        assert ticks.dump() == before


def test_a_restart_between_any_two_ticks_changes_nothing(over, tmp_path):
    """The curves too are the store's: the same transitions and rows."""
    by_class = postponed(parted(FRESH), np.flatnonzero(FRESH.inside(device="tv")), N + 3, N + 5)
    through = over(FRESH, by_class, "through").run(range(N, N + 18))
    broken = over(FRESH, by_class, "broken")
    for column in range(N, N + 18):
        broken.tick(column)
        broken.state.close()
        broken.restart(store.Store.open(f"sqlite:///{tmp_path / 'broken.db'}"))
    assert through.transitions
    assert broken.transitions == through.transitions
    assert broken.dump() == through.dump()
    broken.state.close()


def test_what_was_told_at_a_tick_needs_nothing_that_came_later(over):
    """A source that holds all of the future answers, for a past tick, with what had arrived by then."""
    live = over(FRESH, None, "live").run(range(N, N + 8))
    past = over(FRESH, None, "past")
    for column in range(N, N + 8):
        past.evaluator.evaluate(past.at(column))
    assert past.dump() == live.dump()


# --- without arrived_at ----------------------------------------------------------------------------------------


@pytest.fixture
def reading():
    """Repeated reads of a world that fills as events arrive, from a store that holds complete history only."""
    opened: list[store.Store] = []

    def make(made: World) -> Ticks:
        opened.append(store.Store.open("sqlite://"))
        ticks = Ticks.over(made, opened[-1])
        ticks.source.coming = parted(made)
        return ticks.learn(N)

    yield make
    for state in opened:
        state.close()


def test_own_reads_teach_what_is_late(reading):
    """From the first tick on: nothing late is called lost, and a device lost on the second day is told within two hours."""
    ticks = reading(FRESH.scaled(0.0, N + 30, None, device="tv")).run(range(N, N + 34))
    assert told(ticks.transitions) == [("opened", "drop", "device=tv")]
    assert ticks.column(ticks.incidents[0].since) == N + 30
    assert ticks.incidents[0].raised_at <= ticks.at(N + 31)


def test_a_total_loss_is_told_before_anything_was_learned(reading):
    """The second tick of all: a device is gone; how late events come is not known yet, and it is told all the same."""
    ticks = reading(FRESH.scaled(0.0, N + 1, None, device="tv")).run(range(N, N + 4))
    assert ("opened", "drop", "device=tv") in told(ticks.transitions)


def test_status_of_arrivals_grows_with_reads(reading):
    """Nothing is known at first; three hours later the first bucket was read again."""
    ticks = reading(FRESH)

    def known() -> int | None:
        with ticks.state.read() as tx:
            return store.read_again(tx, ticks.rule.name, 0, 2**40)

    assert known() is None
    ticks.run(range(N, N + 4))
    assert known() >= int(FRESH.starts[N - 3])
