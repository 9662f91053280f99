"""From all alarmed slices to the few causes behind them, over a month of synthetic events."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from monitor.detectors.judge import alarms, judge
from monitor.detectors.view import View
from monitor.lattice import ANY
from monitor.localize.causes import Cause, explain, joined, members_of, own_row
from tests.monitor.world import CROSS, World, cause, fleet, world

NOON = 28 * 24 + 12
"""The column that is judged."""


@cache
def cross() -> World:
    return world(CROSS)


@cache
def nested() -> World:
    return fleet()


def causes_of(made: World, newest: int = NOON, *, down: bool = True) -> tuple[View, list[Cause]]:
    """What explains the alarms at a column, in one round."""
    view = made.view(newest)
    nobody = np.zeros(len(view.lattice), dtype=bool)
    verdicts = judge(view, nobody)
    found = alarms(view, verdicts, made.context(view.lattice), down=down)
    return view, joined(view, explain(view, verdicts, found, view.common_by_bucket(nobody)))


def labels(view: View, causes: list[Cause]) -> list[str]:
    return [view.lattice.leaves.slice_of(item.codes).label() for item in causes]


@pytest.mark.parametrize("broken", [{"device": "tv"}, {"country": "SE"}, {"device": "phone", "version": "2"}])
def test_one_loss_is_one_cause_and_explains_all_its_children(broken):
    """Dozens of slices are alarmed, one cause is told; each alarmed slice is explained by it."""
    view, found = causes_of(cross().scaled(0.0, NOON - 2, **broken))
    assert labels(view, found) == [cause(**broken).label()]
    (only,) = found
    assert (only.members == cross().inside(**broken)).all()
    assert own_row(view, only.codes) in only.explained
    assert len(only.explained) > 3
    assert view.recent.starts[only.first] == cross().starts[NOON - 2]


def test_a_cause_deeper_than_what_is_tested_is_named():
    """Only pairs are tested; the cause of three dimensions is found all the same and has no row of its own."""
    broken = {"device": "phone", "country": "NO", "version": "1"}
    view, found = causes_of(cross().scaled(0.0, NOON - 3, **broken))
    assert labels(view, found) == [cause(**broken).label()]
    assert own_row(view, found[0].codes) is None


def test_two_losses_are_two_causes():
    """Unrelated slices that broke at different hours are told apart, each with its own beginning."""
    broken = cross().scaled(0.0, NOON - 4, device="tv").scaled(0.0, NOON - 2, country="DK", version="3")
    view, found = causes_of(broken)
    assert set(labels(view, found)) == {"device=tv", "country=DK, version=3"}
    begins = {view.lattice.leaves.slice_of(c.codes).label(): view.recent.starts[c.first] for c in found}
    assert begins["device=tv"] == broken.starts[NOON - 4]
    assert begins["country=DK, version=3"] == broken.starts[NOON - 2]


def test_a_masked_loss_is_found_under_a_stable_total():
    """The events of a device turn up on the others: the total stays, the cause is the device."""
    broken = cross().shared_out(NOON - 3, None, {"device": "tv"}, {"device": ("phone", "tablet", "web")})
    assert (broken.values.sum(axis=1) == cross().values.sum(axis=1)).all()
    view, found = causes_of(broken)
    assert labels(view, found) == ["device=tv"]


@pytest.mark.parametrize("left", [0.0, 0.3])
def test_a_total_loss_is_the_total_and_nothing_beside(left):
    """Everything stops or falls to a third: one cause without a name."""
    view, found = causes_of(cross().scaled(left, NOON - 2))
    assert labels(view, found) == ["total"]
    assert found[0].members.all()
    assert found[0].plain


def test_the_device_is_named_where_device_and_os_are_the_same_cells():
    """All of tv runs tvos: the cause is the device."""
    view, found = causes_of(nested().scaled(0.0, NOON - 2, os="tvos"))
    assert labels(view, found) == ["device=tv"]


def test_an_os_is_named_where_its_device_has_another():
    """When ios 16 dies and 17 lives, it is the os."""
    view, found = causes_of(nested().scaled(0.0, NOON - 2, os="16"))
    assert labels(view, found) == ["os=16"]


@pytest.mark.parametrize("seed", range(6))
def test_of_two_devices_the_dead_one_is_the_cause(seed):
    """Half of everything is lost, so the total is alarmed as loudly: the cause is still the device that died."""
    both = world({**CROSS, "device": ("ios", "android")}, seed=seed)
    view, found = causes_of(both.scaled(0.0, NOON - 1, device="ios"))
    assert labels(view, found) == ["device=ios"]


def test_growth_is_found_upwards():
    """A slice that doubles is the cause of the spikes, and there is no drop."""
    grown = cross().scaled(2.5, NOON - 3, country="FI")
    view, found = causes_of(grown, down=False)
    assert labels(view, found) == ["country=FI"]
    assert not found[0].down
    assert causes_of(grown)[1] == []


def test_nothing_happened_nothing_is_told():
    """A day of ordinary hours: no cause in any of them."""
    for hour in range(0, 24, 6):
        assert causes_of(cross(), NOON + hour)[1] == []


def test_causes_that_are_nearly_all_of_a_wider_slice_are_told_as_that():
    """All values of a device lost, each by a ratio of its own: one event on the device."""
    view = cross().view(NOON)
    leaves = view.lattice.leaves

    def part(**terms) -> Cause:
        codes = [ANY] * 3
        for name, value in terms.items():
            d = leaves.dimensions.index(name)
            codes[d] = leaves.values[d].index(value)
        rows = (own_row(view, tuple(codes)) or 0,)
        return Cause(tuple(codes), members_of(view, tuple(codes)), 100, 20.0, True, rows, plain=False)

    parts = [part(device="tv", version=v) for v in ("1", "2", "3")]
    (whole,) = joined(view, parts)
    assert leaves.slice_of(whole.codes).label() == "device=tv"
    assert set(whole.explained) == {row for p in parts for row in p.explained}
    stray = part(country="FI", device="web")
    assert set(labels(view, joined(view, [*parts, stray]))) == {"device=tv", "device=web, country=FI"}
    assert joined(view, parts[:1]) == parts[:1]
    every = joined(view, [part(device=d) for d in CROSS["device"]])
    assert labels(view, every) == ["total"]
