"""Fixed bounds: told outside, silent inside, without flapping."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Change
from monitor import store
from monitor.buckets import DAY, Grid
from monitor.detectors.bounds import limits
from rules.model import Bound, Bounds, DetectorChoice, Direction, Metric
from tests.monitor.ticks import Ticks, told
from tests.monitor.world import World, cause, world

FIRST = 35
MADE = world({"device": ("web", "app"), "country": ("NO", "SE", "DK")}, days=50, volume=60_000, grid=Grid(DAY))

Over = Callable[..., Ticks]


@pytest.fixture
def over(tmp_path: Path) -> Over:
    """Ticks of a daily rule over a world, learned up to FIRST, run over some days."""
    opened: list[store.Store] = []

    def make(made: World, days: int, detector: DetectorChoice, **rule) -> Ticks:
        opened.append(store.Store.open(f"sqlite:///{tmp_path}/{len(opened)}.db"))
        ticks = Ticks.over(made, opened[-1], time_bucket=timedelta(days=1), detector=detector, **rule)
        return ticks.learn(FIRST).run(range(FIRST, FIRST + days))

    yield make
    for state in opened:
        state.close()


def threshold(low: Bound | None = None, high: Bound | None = None, metric: str = "*") -> DetectorChoice:
    return DetectorChoice("threshold", ((metric, Bounds(low, high)),))


def least() -> float:
    """The fewest events that any tested slice has on any day."""
    return float(min((MADE.lattice().rollup(MADE.values[0].astype(float))).min(axis=1)))


def test_a_slice_below_the_bound_is_told_until_it_is_above(over):
    """The first day below fires, every day below confirms, and keep_firing_for days above resolve."""
    made = MADE.scaled(0.0, FIRST + 1, FIRST + 4, device="app")
    ticks = over(made, 8, threshold(Bound(least() * 0.5)))
    assert told(ticks.transitions) == [("opened", "drop", "device=app"), ("resolved", "drop", "device=app")]
    (incident,) = ticks.incidents
    assert ticks.column(incident.since) == FIRST + 1
    assert incident.raised_at == ticks.at(FIRST + 1)
    assert ticks.column(incident.until) == FIRST + 4
    usual = float(MADE.values[0][MADE.inside(device="app"), FIRST + 1 : FIRST + 4].sum())
    assert incident.expected == pytest.approx(usual, rel=0.3)
    assert incident.evidence is not None
    assert incident.evidence.low == pytest.approx(least() * 0.5)
    assert incident.evidence.children_count == 3


def test_what_is_always_below_the_bound_is_one_incident(over):
    """A bound nobody reaches: told once for the broadest slice, still bad every day, never back and never accepted."""
    ticks = over(MADE, 15, threshold(Bound(1e6)))
    assert told(ticks.transitions) == [("opened", "drop", "total")]
    assert [t.change for t in ticks.transitions].count(Change.CONFIRMED) == 14
    assert ticks.incidents[0].expected == pytest.approx(15e6)


def test_min_change_and_the_budget_have_no_part_in_it(over):
    """Just below the bound is below it."""
    fewest = float(MADE.lattice().rollup(MADE.values[0].astype(float))[:, FIRST].min())
    ticks = over(MADE, 1, threshold(Bound(fewest + 1)), min_change=0.9, false_incidents_per_week=0.001)
    assert [i.observed for i in ticks.incidents] == [fewest]


def test_min_loss_holds(over):
    """What is too small to tell is not told."""
    assert over(MADE, 2, threshold(Bound(1e6)), min_loss=1e9).incidents == []


def test_more_than_the_most_is_a_spike(over):
    """Twice a leaf's last week is outside; the slices that hold it are not, for its share of them is small."""
    leaf = MADE.terms[int(MADE.mean.mean(axis=1).argmin())]
    where = dict(zip(MADE.dimensions, leaf, strict=True))
    made = MADE.scaled(2.0, FIRST + 1, FIRST + 2, **where)
    ticks = over(made, 2, threshold(high=Bound(1.8, of_last_week=True)), direction=Direction.SPIKE)
    assert told(ticks.transitions) == [("opened", "spike", cause(**where).label())]


def test_a_share_of_last_week_is_of_the_same_day(over):
    """Half of last Tuesday is below 60 %, and nothing else is."""
    made = MADE.scaled(0.5, FIRST + 1, FIRST + 2, country="SE")
    ticks = over(made, 4, threshold(Bound(0.6, of_last_week=True)))
    assert told(ticks.transitions) == [("opened", "drop", "country=SE"), ("resolved", "drop", "country=SE")]


def test_bounds_are_of_one_metric(over):
    """A metric without bounds is never alarmed."""
    made = world({"device": ("web", "app")}, days=40, volume=60_000, grid=Grid(DAY), metrics=2)
    metrics = (Metric("count"), Metric("sum", "visits"))
    gone = made.scaled(0.0, FIRST, FIRST + 2, device="app")
    ticks = over(gone, 2, threshold(Bound(100.0), metric="sum(visits)"), metrics=metrics)
    assert [(i.metric, i.cause) for i in ticks.incidents] == [("sum(visits)", cause(device="app"))]


bounds = st.builds(
    Bounds,
    st.none() | st.builds(Bound, st.floats(0, 1e6), st.booleans()),
    st.none() | st.builds(Bound, st.floats(0, 1e6), st.booleans()),
)


@given(bounds, st.lists(st.floats(0, 1e6), min_size=1, max_size=5))
def test_limits_are_those_of_the_rule(given_bounds, expected):
    """A fixed bound is itself, a share is of what is expected, no bound is none, and a share of nothing is none."""
    low, high = limits(given_bounds, np.array(expected))
    for i, value in enumerate(expected):
        if given_bounds.low is None:
            assert low[i] == 0
        else:
            assert low[i] == given_bounds.low.value * (value if given_bounds.low.of_last_week else 1.0)
        if given_bounds.high is None or (given_bounds.high.of_last_week and value < 1):
            assert np.isinf(high[i])
        else:
            assert high[i] == given_bounds.high.value * (value if given_bounds.high.of_last_week else 1.0)
